//! The arithmetic of running models once more, in f64: scalar, one line for one formula. It is the oracle of every function of
//! [`super`] in tests, and what the engine `reference` of models computes with.
//!
//! Nothing here calls what it is the oracle of. Matrices are row-major slices as there; weights are decoded. A sum of products
//! has eight partial sums, anything else is added in order.

mod attention;
mod elementwise;
mod experts;
mod product;
mod rows;
mod sequence;

pub use attention::{Heads, attention, frequencies, rotary};
pub use elementwise::{erf, gelu_erf, gelu_tanh, silu, softplus};
pub use experts::{Routes, mixture, route};
pub use product::{Rounded, embed, linear, linear_int8, rounded};
pub use rows::{cross_entropy, divergence, layer_norm, log_softmax, mean, rms_norm, softmax};
pub use sequence::{Selective, causal_conv1d, selective_scan, shared_scan};

use crate::KernelError;
use crate::error::expect_length;

/// The same numbers in f64.
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// Rounded to f32.
pub fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

/// The first index whose value is NaN or infinite.
pub fn first_not_finite(x: &[f64]) -> Option<usize> {
    x.iter().position(|x| !x.is_finite())
}

/// A function of each number.
pub fn map(f: fn(f64) -> f64, x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| f(x)).collect()
}

/// Sums of products, and of the magnitudes of those products, which bounds of their errors are about: `sums` is given how to
/// widen what it multiplies.
///
/// # Errors
/// Those of `sums`.
pub fn sized<E>(sums: impl Fn(fn(&[f32]) -> Vec<f64>) -> Result<Vec<f64>, E>) -> Result<Vec<(f64, f64)>, E> {
    let magnitudes = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| f64::from(x).abs()).collect() };
    Ok(sums(wide)?.into_iter().zip(sums(magnitudes)?).collect())
}

/// `values` are whole rows of `width`; how many.
fn rows_of(what: &'static str, width: usize, values: &[f64]) -> Result<usize, KernelError> {
    let rows = values.len().checked_div(width).unwrap_or(0);
    expect_length(what, rows * width, values.len())?;
    Ok(rows)
}
