//! The arithmetic of running models: plain functions over borrowed f32, with weights as they are stored.
//!
//! ```text
//!  Weight        a stored matrix, borrowed: floats, int8, int4, nf4, fp4
//!   ├─ linear    x · Wᵀ + b: fused for few tokens, decoded tile by tile for many
//!   ├─ linear_int8   the same with activations of 8 bits, in integers
//!   └─ embed     rows of W
//!  layer_norm rms_norm softmax log_softmax mean      over the last axis
//!  gelu silu softplus add mul scale                  element by element
//!  causal_conv1d  rotary  attention  scans  experts  along the tokens
//!  cross_entropy  divergence                         of logits, in f64
//! ```
//!
//! Tensors are row-major slices, `[tokens, width]`; sequences of a batch are separate calls where tokens see each other.
//! The thread pool is the one that the caller is in. Every function takes the processor's variant ([`crate::Cpu`]).
//!
//! **Order of sums.** Each element of an output is summed in one order, which depends on shapes and on the variant, not on
//! threads, chunks or the other elements. So one variant gives the same bits on any number of threads.
//! - Element by element functions, norms, softmax, convolution and scans, integer products and losses: the same bits on
//!   every variant.
//! - `linear` with up to [`FEW`] tokens and `attention`: partial sums in the lanes of a vector, then the lanes in pairs. Variants have
//!   other lanes and agree within [`bounds`].
//! - `linear` with more tokens: the order of the crate `matrixmultiply`, which chooses its instructions itself.
//!
//! [`mod@reference`] is the same in f64, for tests and for those who want to know which engine is right.
//!
//! **NaN and infinity** go through as IEEE arithmetic has it; [`first_not_finite`] finds them.

mod attention;
pub mod bounds;
mod conv;
mod dots;
mod elementwise;
mod experts;
mod fused;
mod gemm;
mod int8;
mod linear;
mod loss;
mod norm;
mod parallel;
pub mod reference;
mod rotary;
mod scalar;
mod scales;
mod scan;
#[cfg(test)]
mod tests;
mod weight;

pub use attention::{Attention, Cache, attention};
pub use conv::causal_conv1d;
pub use elementwise::{Gelu, add, exp, gelu, mul, scale, silu, softplus};
pub use experts::{Routes, Winners, mixture, route};
pub use int8::{ActivationScale, RoundedRows, int8_codes, linear_int8, round_inputs};
#[cfg(feature = "cuda")]
pub(crate) use int8::{MOST, NO_INTEGERS, TOO_MANY, check_scale};
pub use linear::{FEW, embed, linear};
pub use loss::{TokenLoss, cross_entropy, divergence};
pub use norm::{layer_norm, log_softmax, mean, rms_norm, softmax};
pub use rotary::{Rotary, RotaryStyle};
pub use scan::{Selective, selective_scan, shared_scan};
#[cfg(feature = "cuda")]
pub(crate) use weight::{Codes, Coding, Scales, Stored};
pub use weight::{Weight, WeightError};

use crate::KernelError;

/// The first index whose value is NaN or infinite.
pub fn first_not_finite(values: &[f32]) -> Option<usize> {
    // whole pieces first: no branch for each element
    let piece = 1024;
    let bad = values.chunks(piece).position(|piece| {
        // an exponent of all ones
        piece.iter().fold(false, |bad, value| bad | (value.to_bits() & 0x7f80_0000 == 0x7f80_0000))
    })?;
    values.iter().skip(bad * piece).position(|value| !value.is_finite()).map(|index| bad * piece + index)
}

/// `rows × columns`, which a slice can have.
pub(crate) fn product_of(what: &'static str, rows: usize, columns: usize) -> Result<usize, KernelError> {
    let found = rows as u64;
    let most = isize::MAX as usize / 4;
    let too_long = KernelError::Length { what, expected: (most / columns.max(1)) as u64, found };
    rows.checked_mul(columns).filter(|&elements| elements <= most).ok_or(too_long)
}

/// `values` has `rows × columns` elements.
pub(crate) fn expect_matrix(
    what: &'static str,
    rows: usize,
    columns: usize,
    values: &[f32],
) -> Result<(), KernelError> {
    crate::error::expect_length(what, product_of(what, rows, columns)?, values.len())
}

/// The floats' bytes.
#[inline(always)]
pub(crate) fn bytes_of(values: &[f32]) -> &[u8] {
    // SAFETY: an f32 is 4 bytes, all of them initialised; bytes need no alignment.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The floats' bytes, to be written.
#[inline(always)]
pub(crate) fn bytes_of_mut(values: &mut [f32]) -> &mut [u8] {
    // SAFETY: as `bytes_of`; any 4 bytes are an f32, and the borrow is the only one.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}
