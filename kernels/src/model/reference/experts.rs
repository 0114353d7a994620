//! Mixtures of experts.

use super::super::Winners;
use super::rows_of;
use crate::KernelError;
use crate::error::expect_length;

/// The experts of each token.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// Experts of a token.
    pub k: usize,
    /// `[tokens, k]`, the largest logit first; of equal ones the lower number.
    pub experts: Vec<u32>,
    /// `[tokens, k]`.
    pub weights: Vec<f64>,
}

/// The `k` experts with the largest logits of each token, `[tokens, experts]`. A token with NaN among them has weights of NaN.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows; [`KernelError::OutOfRange`]: k is 0 or more than there are experts.
pub fn route(experts: usize, k: usize, winners: Winners, logits: &[f64]) -> Result<Routes, KernelError> {
    rows_of("router logits", experts, logits)?;
    if k == 0 || k > experts {
        let (index, limit) = (k as u64, experts as u64 + 1);
        return Err(KernelError::OutOfRange { what: "number of experts", position: 0, index, limit });
    }
    let mut routes = Routes { k, experts: Vec::new(), weights: Vec::new() };
    for logits in logits.chunks_exact(experts) {
        let mut left: Vec<usize> = (0..experts).collect();
        let mut chosen = Vec::with_capacity(k);
        for _ in 0..k {
            let best = (1..left.len())
                .fold(0, |best, at| if logits[left[at]] > logits[left[best]] { at } else { best });
            chosen.push(left.remove(best));
        }
        let all: Vec<usize> = (0..experts).collect();
        let most = logits[chosen[0]];
        let total = |over: &[usize]| over.iter().map(|&expert| (logits[expert] - most).exp()).sum::<f64>();
        let total = total(if winners == Winners::OfAll { &all } else { &chosen });
        let nan = logits.iter().any(|logit| logit.is_nan());
        for expert in chosen {
            routes.experts.push(expert as u32);
            routes.weights.push(if nan { f64::NAN } else { (logits[expert] - most).exp() / total });
        }
    }
    Ok(routes)
}

/// `Σ weight × expert(x)` over each token's experts, for rows of `width`: `expert` gives `[n, width]` for the `[n, width]` inputs of all
/// tokens that have it, in the order of their numbers, and is called once for each expert that any token has.
///
/// # Errors
/// [`KernelError::Length`], and what `expert` fails with.
pub fn mixture<E: From<KernelError>>(
    width: usize,
    output: usize,
    routes: &Routes,
    x: &[f64],
    mut expert: impl FnMut(usize, &[f64]) -> Result<Vec<f64>, E>,
) -> Result<Vec<f64>, E> {
    let tokens = rows_of("input of the experts", width, x)?;
    expect_length("routes", tokens * routes.k, routes.experts.len())?;
    expect_length("weights of routes", tokens * routes.k, routes.weights.len())?;
    let mut y = vec![0.0; tokens * output];
    let count = routes.experts.iter().max().map_or(0, |most| *most as usize + 1);
    for number in 0..count {
        let places: Vec<usize> =
            (0..routes.experts.len()).filter(|place| routes.experts[*place] as usize == number).collect();
        if places.is_empty() {
            continue;
        }
        let own = |place: &usize| &x[place / routes.k * width..][..width];
        let rows: Vec<f64> = places.iter().flat_map(own).copied().collect();
        let found = expert(number, &rows)?;
        expect_length("output of an expert", places.len() * output, found.len())?;
        for (row, place) in found.chunks_exact(output.max(1)).zip(places) {
            let weight = routes.weights[place];
            let y = &mut y[place / routes.k * output..][..output];
            y.iter_mut().zip(row).for_each(|(y, value)| *y += weight * value);
        }
    }
    Ok(y)
}
