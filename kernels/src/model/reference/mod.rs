//! The oracle of each function of [`super`]: scalar, one line for one formula, sums in f64. For tests; lengths are the caller's
//! affair, and a wrong one panics.

mod elementwise;
mod rows;
mod sequence;

pub use elementwise::{erf, gelu_erf, gelu_tanh, silu, softplus};
pub use rows::{cross_entropy, divergence, layer_norm, log_softmax, rms_norm, softmax};
pub use sequence::{attention, causal_conv1d, mixture, rotary, selective_scan, shared_scan};

use super::ActivationScale;

/// `Σ x w + bias` of decoded weights `[out, k]`, and `Σ |x w| + |bias|`: for each of `[tokens, out]`.
pub fn linear(k: usize, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<(f64, f64)> {
    let rows = |x: &[f32]| -> Vec<(f64, f64)> {
        w.chunks_exact(k)
            .enumerate()
            .map(|(row, w)| {
                let bias = bias.map_or(0.0, |bias| f64::from(bias[row]));
                let products = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w));
                products
                    .fold((bias, bias.abs()), |(sum, size), product| (sum + product, size + product.abs()))
            })
            .collect()
    };
    x.chunks_exact(k).flat_map(rows).collect()
}

/// What [`super::linear_int8`] says, of codes `[out, k]` with a scale for each row.
pub fn linear_int8(
    k: usize,
    x: &[f32],
    codes: &[i8],
    scales: &[f32],
    scale: ActivationScale,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (low, high) = x.iter().fold((0.0f32, 0.0f32), |(low, high), x| (low.min(*x), high.max(*x)));
    let token = |x: &[f32]| -> Vec<f32> {
        let step = match scale {
            ActivationScale::Whole if low == high => 1.0,
            ActivationScale::Whole => ((f64::from(high) - f64::from(low)) / 127.0) as f32,
            ActivationScale::Static(scale) => scale,
            ActivationScale::Dynamic => x.iter().fold(0.0f32, |most, x| most.max(x.abs())) / 127.0,
        };
        let zero = match scale {
            ActivationScale::Whole => (-low / step).round_ties_even() as i64,
            _ => 0,
        };
        let code = |x: &f32| {
            if scale == ActivationScale::Whole {
                return ((x / step).round_ties_even() as i64 + zero).clamp(0, 127) - zero;
            }
            if step == 0.0 { 0 } else { (x / step).round_ties_even().clamp(-127.0, 127.0) as i64 }
        };
        let x: Vec<i64> = x.iter().map(code).collect();
        let row = |(row, w): (usize, &[i8])| {
            let sum: i64 = x.iter().zip(w).map(|(x, &w)| x * i64::from(w)).sum();
            let value = sum as f32 * (step * scales[row]);
            bias.map_or(value, |bias| value + bias[row])
        };
        codes.chunks_exact(k).enumerate().map(row).collect()
    };
    x.chunks_exact(k).flat_map(token).collect()
}
