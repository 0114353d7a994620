//! Mixtures of experts: which experts a token has, and only those computed, the tokens of one expert together.

use super::expect_matrix;
use crate::KernelError;

/// How the weights of a token's experts follow from the router's logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winners {
    /// Softmax over the winners alone.
    Softmax,
    /// Softmax over all experts, of which the winners keep theirs.
    OfAll,
    /// As [`Winners::OfAll`], divided by their sum.
    OfAllRenormalised,
}

/// The experts of each token.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// Experts of a token.
    pub k: usize,
    /// `[tokens, k]`, the largest logit first; of equal ones the lower number.
    pub experts: Vec<u32>,
    /// `[tokens, k]`.
    pub weights: Vec<f32>,
}

/// The `k` experts with the largest logits of each token; `logits` is `[tokens, experts]`. Weights are computed in f64. A
/// token with NaN among its logits has weights of NaN.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows; [`KernelError::OutOfRange`]: k is 0 or more than there are experts.
pub fn route(experts: usize, k: usize, winners: Winners, logits: &[f32]) -> Result<Routes, KernelError> {
    if k == 0 || k > experts {
        let limit = experts as u64 + 1;
        return Err(KernelError::OutOfRange {
            what: "number of experts",
            position: 0,
            index: k as u64,
            limit,
        });
    }
    let tokens = logits.len() / experts;
    expect_matrix("router logits", tokens, experts, logits)?;
    let mut routes =
        Routes { k, experts: Vec::with_capacity(tokens * k), weights: Vec::with_capacity(tokens * k) };
    let mut order: Vec<u32> = Vec::with_capacity(experts);
    for logits in logits.chunks_exact(experts) {
        order.clear();
        order.extend(0..experts as u32);
        // a stable sort: of equal logits (-0 and 0 too) the lower number comes first
        order.sort_by(|&a, &b| (logits[b as usize] + 0.0).total_cmp(&(logits[a as usize] + 0.0)));
        let value = |expert: u32| f64::from(logits[expert as usize]);
        let most = value(order[0]);
        let chosen = &order[..k];
        let nan = logits.iter().any(|logit| logit.is_nan());
        let over = if winners == Winners::OfAll { &order[..] } else { chosen };
        // softmax over all, divided by the sum of the winners, is softmax over the winners
        let total: f64 = over.iter().map(|&expert| (value(expert) - most).exp()).sum();
        for &expert in chosen {
            let weight = (value(expert) - most).exp() / total;
            routes.experts.push(expert);
            routes.weights.push(if nan { f32::NAN } else { weight as f32 });
        }
    }
    Ok(routes)
}

/// `y[t] = Σ weight × expert(x[t])` over each token's experts, added in the order of the experts' numbers. `x` is
/// `[tokens, width]`, `y` is `[tokens, output]`.
///
/// `expert` is called once for each expert that any token has, with its number, the inputs of its tokens `[n, width]` and the
/// place of their outputs `[n, output]`.
///
/// # Errors
/// [`KernelError`] when lengths do not fit, and what `expert` fails with.
pub fn mixture<E: From<KernelError>>(
    tokens: usize,
    width: usize,
    output: usize,
    routes: &Routes,
    x: &[f32],
    y: &mut [f32],
    mut expert: impl FnMut(usize, &[f32], &mut [f32]) -> Result<(), E>,
) -> Result<(), E> {
    expect_matrix("input of the experts", tokens, width, x)?;
    expect_matrix("output of the experts", tokens, output, y)?;
    crate::error::expect_length("routes", tokens * routes.k, routes.experts.len())?;
    crate::error::expect_length("weights of routes", tokens * routes.k, routes.weights.len())?;
    y.fill(0.0);
    let mut by_expert: Vec<(u32, usize)> = routes.experts.iter().copied().zip(0..).collect();
    by_expert.sort_unstable();
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for group in by_expert.chunk_by(|a, b| a.0 == b.0) {
        inputs.clear();
        for &(_, place) in group {
            let token = place / routes.k;
            inputs.extend_from_slice(&x[token * width..(token + 1) * width]);
        }
        outputs.clear();
        outputs.resize(group.len() * output, 0.0);
        expert(group[0].0 as usize, &inputs, &mut outputs)?;
        for (number, &(_, place)) in group.iter().enumerate() {
            let (token, weight) = (place / routes.k, routes.weights[place]);
            let y = &mut y[token * output..(token + 1) * output];
            let from = &outputs[number * output..(number + 1) * output];
            y.iter_mut().zip(from).for_each(|(y, value)| *y += weight * value);
        }
    }
    Ok(())
}
