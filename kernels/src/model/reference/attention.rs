//! Attention, and positions that turn.

use super::super::{Attention, RotaryStyle};
use super::rows_of;
use crate::KernelError;
use crate::error::expect_length;

/// The shape of an attention, as [`Attention`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Values of a head.
    pub head: usize,
    /// Whether a token sees itself and those before it only.
    pub causal: bool,
    /// Tokens that a token sees, itself included, where it is causal; all before it with 0.
    pub window: usize,
    /// What a score is multiplied by.
    pub scale: f64,
}

impl From<&Attention> for Heads {
    fn from(shape: &Attention) -> Heads {
        let &Attention { heads, kv_heads, head, causal, window, scale } = shape;
        Heads { heads, kv_heads, head, causal, window, scale: f64::from(scale) }
    }
}

/// `base^(-2 i / head)` for each pair of a head.
pub fn frequencies(base: f64, head: usize) -> Vec<f64> {
    (0..head / 2).map(|pair| base.powf(-2.0 * pair as f64 / head as f64)).collect()
}

/// Turns one head at one position; values beyond the pairs stay.
///
/// # Errors
/// [`KernelError::Length`]: fewer values than the pairs have.
pub fn rotary(
    style: RotaryStyle,
    frequencies: &[f64],
    position: usize,
    x: &[f64],
) -> Result<Vec<f64>, KernelError> {
    if x.len() < 2 * frequencies.len() {
        expect_length("head that turns", 2 * frequencies.len(), x.len())?;
    }
    let mut y = x.to_vec();
    for (pair, frequency) in frequencies.iter().enumerate() {
        let (low, high) = match style {
            RotaryStyle::Halves => (pair, pair + frequencies.len()),
            RotaryStyle::Interleaved => (2 * pair, 2 * pair + 1),
        };
        let (sine, cosine) = (position as f64 * frequency).sin_cos();
        (y[low], y[high]) = (y[low] * cosine - y[high] * sine, y[high] * cosine + y[low] * sine);
    }
    Ok(y)
}

/// `[tokens, heads, head]` of queries that are the last of the tokens that keys and values are of.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows, fewer keys than queries, or not as many values as keys;
/// [`KernelError::Malformed`]: heads that do not divide.
pub fn attention(shape: &Heads, q: &[f64], keys: &[f64], values: &[f64]) -> Result<Vec<f64>, KernelError> {
    if shape.kv_heads == 0 || !shape.heads.is_multiple_of(shape.kv_heads) {
        return Err(KernelError::Malformed { what: "heads of keys divide heads of queries" });
    }
    let (width, kv_width) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let tokens = rows_of("queries", width, q)?;
    let seen = rows_of("keys", kv_width, keys)?;
    expect_length("values", keys.len(), values.len())?;
    if shape.causal && seen < tokens {
        expect_length("keys", tokens * kv_width, keys.len())?;
    }
    let mut y = Vec::with_capacity(q.len());
    for token in 0..tokens {
        let last = if shape.causal { seen - tokens + token + 1 } else { seen };
        let first = if shape.causal && shape.window > 0 { last.saturating_sub(shape.window) } else { 0 };
        for head in 0..shape.heads {
            let q = &q[token * width + head * shape.head..][..shape.head];
            let place = head * shape.kv_heads / shape.heads * shape.head;
            let score = |key: usize| -> f64 {
                let k = &keys[key * kv_width + place..][..shape.head];
                q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() * shape.scale
            };
            let scores: Vec<f64> = (first..last).map(score).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            for value in 0..shape.head {
                let value = |key: usize| values[key * kv_width + place + value];
                let sum: f64 = (first..).zip(&weights).map(|(key, weight)| weight * value(key)).sum();
                y.push(sum / total);
            }
        }
    }
    Ok(y)
}
