//! Mixtures of experts: tokens are grouped by expert, and only the chosen experts are computed.

use super::elementwise::unary;
use super::linear::product;
use super::{TorchRuntime, TorchValue, TorchWeight, Unary};
use crate::KernelError;
use tch::Tensor;

/// The experts of each token, and how the tokens lie when they are grouped by expert.
pub struct TorchRoutes {
    /// Weight of each choice, `[tokens, k]`.
    weights: Tensor,
    /// Choices in the order of the experts: numbers `token k + place`.
    order: Tensor,
    /// Where each choice stands in that order.
    places: Tensor,
    /// Choices of each expert.
    counts: Vec<i64>,
    k: i64,
}

/// The `k` experts with the largest logits of each token, `x` of `[.., n]` and a router of `[experts, n]`; of equal logits the
/// first. Weights are the softmax over these winners, or over all experts. Waits for the device.
///
/// # Errors
/// [`KernelError::OutOfRange`]: k is 0 or more than there are experts; [`KernelError::Device`].
pub fn route(
    runtime: &TorchRuntime,
    x: &TorchValue,
    router: &TorchWeight,
    k: usize,
    over_all: bool,
) -> Result<TorchRoutes, KernelError> {
    let matrix = router.dense(runtime)?.0;
    let experts = matrix.size().first().copied().unwrap_or(0);
    let limit = experts as u64 + 1;
    if k == 0 || k as u64 >= limit {
        return Err(KernelError::OutOfRange {
            what: "number of experts",
            position: 0,
            index: k as u64,
            limit,
        });
    }
    let k = k as i64;
    let rows = x.0.f_reshape([-1, x.width() as i64])?;
    let logits = product(&router.input(&rows)?, &matrix, None)?;
    let (_, sorted) = logits.f_detach()?.f_sort_stable(true, -1, true)?;
    let chosen = sorted.f_narrow(1, 0, k)?;
    let weights = if over_all {
        logits.f_softmax(-1, None)?.f_gather(1, &chosen, false)?
    } else {
        logits.f_gather(1, &chosen, false)?.f_softmax(-1, None)?
    };
    let flat = chosen.f_reshape([-1])?;
    let (_, order) = flat.f_sort_stable(true, 0, false)?;
    let places = order.f_argsort(0, false)?;
    let counts = flat.f_bincount(None::<&Tensor>, experts)?;
    let mut host = vec![0i64; counts.numel()];
    counts.f_copy_data(&mut host, counts.numel())?;
    Ok(TorchRoutes { weights, order, places, counts: host, k })
}

/// The matrices of one expert.
#[derive(Clone, Copy)]
pub struct TorchExpert<'w> {
    /// `[f, n]`.
    pub up: &'w TorchWeight,
    /// `[f, n]`.
    pub gate: Option<&'w TorchWeight>,
    /// `[n, f]`.
    pub down: &'w TorchWeight,
}

/// What an expert makes of its tokens, and what went into its last product: `down kind(up x)`, or with a gate
/// `down (kind(gate x) up x)`.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn gated(
    runtime: &TorchRuntime,
    x: &TorchValue,
    expert: &TorchExpert<'_>,
    kind: Unary,
) -> Result<(TorchValue, TorchValue), KernelError> {
    let times =
        |weight: &TorchWeight, x: &Tensor| product(&weight.input(x)?, &weight.dense(runtime)?.0, None);
    let up = times(expert.up, &x.0)?;
    let inner = match expert.gate {
        None => unary(kind, &up)?,
        Some(gate) => unary(kind, &times(gate, &x.0)?)?.f_mul(&up)?,
    };
    let y = times(expert.down, &inner)?;
    Ok((TorchValue(y), TorchValue(inner)))
}

/// `Σ weight × expert(x)` over each token's experts. `expert` is called once for each that has tokens, in their order, with its
/// number and its tokens, `[count, n]`.
///
/// # Errors
/// [`KernelError::Device`], and what `expert` fails with.
pub fn mixture<E: From<KernelError>>(
    x: &TorchValue,
    routes: &TorchRoutes,
    mut expert: impl FnMut(usize, &TorchValue) -> Result<TorchValue, E>,
) -> Result<TorchValue, E> {
    let grouped = grouped(x, routes)?;
    let (mut outputs, mut first) = (Vec::new(), 0);
    for (number, &count) in routes.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let rows = grouped.f_narrow(0, first, count).map_err(KernelError::from)?;
        outputs.push(expert(number, &TorchValue(rows))?.0);
        first += count;
    }
    Ok(TorchValue(joined(x, routes, &outputs)?))
}

/// A row for each choice, those of an expert side by side. Each is copied to one place, and gradients come from one: sums of
/// gradients are over an axis and in a fixed order.
fn grouped(x: &TorchValue, routes: &TorchRoutes) -> Result<Tensor, KernelError> {
    let width = x.width() as i64;
    let rows = x.0.f_reshape([-1, 1, width])?.f_expand([-1, routes.k, -1], false)?;
    Ok(rows.f_reshape([-1, width])?.f_index_select(0, &routes.order)?)
}

fn joined(x: &TorchValue, routes: &TorchRoutes, outputs: &[Tensor]) -> Result<Tensor, KernelError> {
    if outputs.is_empty() {
        return Ok(x.0.f_zeros_like()?);
    }
    let rows = Tensor::f_cat(outputs, 0)?.f_index_select(0, &routes.places)?;
    let width = rows.size().get(1).copied().unwrap_or(0);
    let each = rows.f_reshape([-1, routes.k, width])?.f_mul(&routes.weights.f_unsqueeze(-1)?)?;
    let mut shape = x.0.size();
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    Ok(each.f_sum_dim_intlist([1i64].as_slice(), false, None)?.f_reshape(shape)?)
}
