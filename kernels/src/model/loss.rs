//! What logits are worth: cross entropy and divergence, in f64.

use super::norm::{largest, total};
use super::parallel::{self, Plain};
use super::{expect_matrix, product_of};
use crate::error::expect_length;
use crate::{Cpu, KernelError};
use rayon::prelude::*;

/// What a token's logits are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenLoss {
    /// `-ln(softmax(logits)[target])`, in nats.
    pub loss: f64,
    /// Whether the target has the largest logit (of equal ones the first counts). Never with NaN.
    pub hit: bool,
}

/// eˣ for x ≤ 0 in f64, to 2 units in the last place.
#[inline(always)]
pub(super) fn exp_f64(x: f64) -> f64 {
    let x = if x < -708.0 { -708.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + 6_755_399_441_055_744.0;
    let n = shifted - 6_755_399_441_055_744.0;
    // ln 2 in two parts, of which n times the first is exact
    let r = x - n * 0.693_147_180_369_123_8 - n * 1.908_214_929_270_587_7e-10;
    let mut p = 1.0 / 6_227_020_800.0;
    // 1/k! from k = 12 down to 0
    for inverse in INVERSE_FACTORIALS {
        p = p * r + inverse;
    }
    let n = (shifted.to_bits() as i64).wrapping_sub(0x4338_0000_0000_0000);
    p * f64::from_bits((n.wrapping_add(1023) << 52) as u64)
}

const INVERSE_FACTORIALS: [f64; 13] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `ln Σ exp(x)` and the largest x.
struct LogSum<'a> {
    logits: &'a [f32],
    result: &'a mut (f64, f32),
}

impl Plain for LogSum<'_> {
    #[inline(always)]
    fn run(self) {
        let most = largest(self.logits);
        let mut lanes = [0.0f64; 8];
        let (whole, rest) = self.logits.as_chunks::<8>();
        for logits in whole {
            for lane in 0..8 {
                lanes[lane] += exp_f64(f64::from(logits[lane]) - f64::from(most));
            }
        }
        for (lane, &logit) in lanes.iter_mut().zip(rest) {
            *lane += exp_f64(f64::from(logit) - f64::from(most));
        }
        *self.result = (f64::from(most) + total(lanes).ln(), most);
    }
}

fn log_sum(cpu: &Cpu, logits: &[f32]) -> (f64, f32) {
    let mut result = (0.0, 0.0);
    parallel::run(cpu, LogSum { logits, result: &mut result });
    result
}

/// The loss of each token; `logits` is `[tokens, vocab]`. Sums over a row are in f64, in an order fixed by `vocab`; adding up the
/// tokens is the caller's, in their order. NaN among a token's logits makes its loss NaN.
///
/// # Errors
/// [`KernelError::Length`]; [`KernelError::OutOfRange`] at the first target that is not below `vocab`.
pub fn cross_entropy(
    cpu: &Cpu,
    vocab: usize,
    logits: &[f32],
    targets: &[u32],
) -> Result<Vec<TokenLoss>, KernelError> {
    expect_matrix("logits", targets.len(), vocab, logits)?;
    if let Some(position) = targets.iter().position(|&target| target as usize >= vocab) {
        let (index, limit) = (u64::from(targets[position]), vocab as u64);
        return Err(KernelError::OutOfRange { what: "target", position: position as u64, index, limit });
    }
    let one = |(logits, &target): (&[f32], &u32)| {
        let (log, most) = log_sum(cpu, logits);
        let logit = logits[target as usize];
        let first = logits.iter().position(|&logit| logit == most);
        let loss = log - f64::from(logit);
        TokenLoss { loss, hit: loss.is_finite() && first == Some(target as usize) }
    };
    if logits.len() < 1 << 13 {
        return Ok(logits.chunks_exact(vocab.max(1)).zip(targets).map(one).collect());
    }
    Ok(logits.par_chunks_exact(vocab).zip(targets).map(one).collect())
}

/// `Σ p (ln p - ln q)` of each token in nats, where p and q are the softmax of `baseline` and `logits`, both `[tokens, vocab]`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows, or not equally many.
pub fn divergence(
    cpu: &Cpu,
    vocab: usize,
    baseline: &[f32],
    logits: &[f32],
) -> Result<Vec<f64>, KernelError> {
    let tokens = baseline.len().checked_div(vocab).unwrap_or(0);
    expect_length("logits of the baseline", product_of("logits", tokens, vocab)?, baseline.len())?;
    expect_length("logits", baseline.len(), logits.len())?;
    let one = |(baseline, logits): (&[f32], &[f32])| {
        let ((log_p, _), (log_q, _)) = (log_sum(cpu, baseline), log_sum(cpu, logits));
        let mut lanes = [0.0f64; 8];
        for (index, (&p, &q)) in baseline.iter().zip(logits).enumerate() {
            let (p, q) = (f64::from(p) - log_p, f64::from(q) - log_q);
            let weight = exp_f64(p);
            // 0 × (ln 0 - ...) is 0
            lanes[index % 8] += if p == f64::NEG_INFINITY { 0.0 } else { weight * (p - q) };
        }
        total(lanes)
    };
    if vocab == 0 {
        return Ok(Vec::new());
    }
    Ok(baseline.par_chunks_exact(vocab).zip(logits.par_chunks_exact(vocab)).map(one).collect())
}
