//! Linear layers with activations of 8 bits too, in integer arithmetic: the same bits on every variant and on any number of
//! threads.

use super::expect_matrix;
use super::parallel::{Shared, pieces};
use super::weight::{Codes, Coding, Stored, Weight};
use crate::KernelError;
use crate::cpu::Cpu;
use crate::error::expect_length;

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
#[path = "int8_x86.rs"]
mod x86;

/// Inputs beyond which a sum of products might not fit in 32 bits: 131,072 × 128 × 127 does.
pub(crate) const MOST: usize = 1 << 17;
/// What is said of a weight that integers are not multiplied with.
pub(crate) const NO_INTEGERS: &str =
    "integer products need an int8 weight, symmetric, with a scale per tensor or row";
/// What is said of more inputs than [`MOST`].
pub(crate) const TOO_MANY: &str = "integer products have at most 131072 inputs";

/// How activations are rounded to 8 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActivationScale {
    /// Divided by this, for every token; a positive number. Activations beyond ±127 times it are clipped.
    Static(f32),
    /// Divided by the largest magnitude of their token, by 127.
    Dynamic,
    /// As dynamically quantised layers of PyTorch do it on x86: one scale and zero point for the whole of `x`, so that all of
    /// it that is at hand counts. With low = min(0, min x) and high = max(0, max x): s = (high - low) / 127, or 1 where
    /// that is 0; z = -low / s to nearest even; q = (x / s to nearest even) + z, within 0..=127.
    Whole,
}

/// As [`super::linear`], with `x` rounded to 8 bits: q = x / s to nearest even, within ±127, and `y = Σ (q - z) c × (s × scale
/// of the row) + bias` in f32, where c are the codes of `w`: int8, symmetric, with one scale for the tensor or for each row;
/// z is 0 but for [`ActivationScale::Whole`]. The sum is exact, and rounded to f32 once.
///
/// # Errors
/// [`KernelError::Length`]; [`KernelError::NonFinite`] at the first activation that is NaN or infinite;
/// [`KernelError::Malformed`]: another weight, more than 131,072 inputs, or a scale that is no positive number.
pub fn linear_int8(
    cpu: &Cpu,
    tokens: usize,
    x: &[f32],
    w: &Weight<'_>,
    scale: ActivationScale,
    bias: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    let (columns, rows) = (w.columns(), w.rows());
    expect_matrix("input of a linear layer", tokens, columns, x)?;
    expect_matrix("output of a linear layer", tokens, rows, y)?;
    if let Some(bias) = bias {
        expect_length("bias", rows, bias.len())?;
    }
    let codes = signed(w)?;
    if columns > MOST {
        return Err(KernelError::Malformed { what: TOO_MANY });
    }
    let RoundedRows { codes: quantised, scales, zero } = round_inputs(columns, x, scale)?;
    if y.is_empty() {
        return Ok(());
    }
    let products = Products::of(cpu);
    let y = Shared::new(y);
    if columns == 0 {
        for token in 0..tokens {
            // SAFETY: nobody else has `y` here.
            let y = unsafe { y.part(token * rows, rows) };
            match bias {
                Some(bias) => y.copy_from_slice(bias),
                None => y.fill(0.0),
            }
        }
        return Ok(());
    }
    let take = |range: Range<usize>| {
        let start = w.start(range.start);
        let bytes = &codes.bytes[start..start + range.len() * columns];
        let mut sums = vec![0i32; range.len() * tokens];
        products.all(columns, &quantised, bytes, &mut sums);
        for ((row, sums), own) in range.zip(sums.chunks_exact(tokens)).zip(bytes.chunks_exact(columns)) {
            let shift = match zero {
                0 => 0,
                zero => i64::from(zero) * own.iter().map(|&code| i64::from(code as i8)).sum::<i64>(),
            };
            let row_scale = scale_of(codes, w, row);
            for (token, (&sum, &scale)) in sums.iter().zip(&scales).enumerate() {
                let value = (i64::from(sum) - shift) as f32 * (scale * row_scale);
                let value = bias.map_or(value, |bias| value + bias[row]);
                // SAFETY: a row's outputs are written by one piece.
                unsafe { y.set(token * rows + row, value) };
            }
        }
    };
    let piece = ((1 << 17) / columns).max(4);
    pieces(rows.div_ceil(piece), tokens.saturating_mul(columns).saturating_mul(rows) / 2, |number| {
        take(number * piece..rows.min((number + 1) * piece));
    });
    Ok(())
}

/// The codes of a weight that integer products take.
fn signed<'w>(w: &'w Weight<'_>) -> Result<&'w Codes<'w>, KernelError> {
    match &w.stored {
        Stored::Codes(codes)
            if matches!(codes.coding, Coding::Signed)
                && (codes.groups.inner as usize).is_multiple_of(w.columns().max(1)) =>
        {
            Ok(codes)
        }
        _ => Err(KernelError::Malformed { what: NO_INTEGERS }),
    }
}

fn scale_of(codes: &Codes<'_>, w: &Weight<'_>, row: usize) -> f32 {
    codes.scale(codes.groups.group_of(w.start(row) as u64) as usize)
}

/// What [`linear_int8`] reads of a weight: its codes, `[rows, columns]`, and the scale of each row.
///
/// # Errors
/// [`KernelError::Malformed`]: another weight.
pub fn int8_codes(w: &Weight<'_>) -> Result<(Vec<i8>, Vec<f32>), KernelError> {
    let codes = signed(w)?;
    let bytes = &codes.bytes[w.start(0)..w.start(w.rows())];
    let scales = (0..w.rows()).map(|row| scale_of(codes, w, row)).collect();
    Ok((bytes.iter().map(|&code| code as i8).collect(), scales))
}

/// Inputs of products as codes of 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundedRows {
    /// Of each input.
    pub codes: Vec<i8>,
    /// Of each row.
    pub scales: Vec<f32>,
    /// The code of 0.
    pub zero: i32,
}

/// A scale that is known is a positive number.
pub(crate) fn check_scale(scale: ActivationScale) -> Result<(), KernelError> {
    match scale {
        ActivationScale::Static(step) if !(step.is_finite() && step > 0.0) => {
            Err(KernelError::Malformed { what: "the scale of activations is a positive number" })
        }
        _ => Ok(()),
    }
}

/// What [`linear_int8`] multiplies, for `x` of rows of `columns`.
///
/// # Errors
/// [`KernelError::NonFinite`] at the first input that is NaN or infinite; [`KernelError::Malformed`]: a scale that is no positive
/// number.
pub fn round_inputs(columns: usize, x: &[f32], scale: ActivationScale) -> Result<RoundedRows, KernelError> {
    if let Some(index) = super::first_not_finite(x) {
        return Err(KernelError::NonFinite { index: index as u64, value: f64::from(x[index]) });
    }
    check_scale(scale)?;
    let mut codes = vec![0i8; x.len()];
    if scale == ActivationScale::Whole {
        return Ok(round_together(columns, x, codes));
    }
    let mut scales = Vec::new();
    for (x, codes) in x.chunks_exact(columns.max(1)).zip(codes.chunks_exact_mut(columns.max(1))) {
        let scale = match scale {
            ActivationScale::Static(scale) => scale,
            ActivationScale::Dynamic => {
                // as integers, magnitudes order
                let most = x.iter().fold(0, |most: u32, x| most.max(x.to_bits() & 0x7fff_ffff));
                f32::from_bits(most) / 127.0
            }
            ActivationScale::Whole => 1.0,
        };
        scales.push(scale);
        let divisor = if scale == 0.0 { f32::INFINITY } else { scale };
        for (code, x) in codes.iter_mut().zip(x) {
            *code = nearest((x / divisor).clamp(-127.0, 127.0)) as i8;
        }
    }
    Ok(RoundedRows { codes, scales, zero: 0 })
}

fn round_together(columns: usize, x: &[f32], mut codes: Vec<i8>) -> RoundedRows {
    let range = |(low, high): (f32, f32), x: &f32| (low.min(*x), high.max(*x));
    let (low, high) = x.iter().fold((0.0f32, 0.0f32), range);
    // in f64, so that the widest range does not overflow
    let scale = ((f64::from(high) - f64::from(low)) / 127.0) as f32;
    let scale = if scale == 0.0 { 1.0 } else { scale };
    let zero = nearest((-low / scale).clamp(0.0, 127.0));
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (nearest((x / scale).clamp(-256.0, 256.0)) + zero).clamp(0, 127) as i8;
    }
    RoundedRows { codes, scales: vec![scale; x.len() / columns.max(1)], zero }
}

/// The nearest integer of a small number, ties to even.
fn nearest(x: f32) -> i32 {
    // the sum's last bits are the integer
    ((x + 12_582_912.0).to_bits() as i32).wrapping_sub(0x4b40_0000)
}

/// The instructions of integer products.
#[derive(Clone, Copy, Debug)]
enum Products {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Vnni(x86::Vnni),
}

impl Products {
    fn of(cpu: &Cpu) -> Products {
        #[cfg(target_arch = "x86_64")]
        match cpu.isa() {
            Some(crate::cpu::Isa::Avx512) => {
                if let Some(vnni) = x86::Vnni::new() {
                    return Products::Vnni(vnni);
                }
                return x86::Avx2::new().map_or(Products::Scalar, Products::Avx2);
            }
            Some(crate::cpu::Isa::Avx2) => {
                return x86::Avx2::new().map_or(Products::Scalar, Products::Avx2);
            }
            _ => {}
        }
        let _ = cpu;
        Products::Scalar
    }

    /// `sums[row, token] = Σ x[token] w[row]`, exactly; of `x` no value is -128.
    fn all(self, columns: usize, x: &[i8], w: &[u8], sums: &mut [i32]) {
        match self {
            Products::Scalar => {
                let tokens = x.len() / columns;
                for (w, sums) in w.chunks_exact(columns).zip(sums.chunks_exact_mut(tokens)) {
                    for (x, sum) in x.chunks_exact(columns).zip(sums) {
                        *sum = x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w as i8)).sum();
                    }
                }
            }
            #[cfg(target_arch = "x86_64")]
            Products::Avx2(proof) => proof.all(columns, x, w, sums),
            #[cfg(target_arch = "x86_64")]
            Products::Vnni(proof) => proof.all(columns, x, w, sums),
        }
    }
}
