//! Products with a weight, and rows of one.

use super::{TorchRuntime, TorchValue, TorchWeight};
use crate::KernelError;
use tch::Tensor;

/// `x w^T + bias` for `x` of `[.., in]` and a weight of `[out, in]`, or of `[in, out]` where `transposed`.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn linear(
    runtime: &TorchRuntime,
    x: &TorchValue,
    weight: &TorchWeight,
    bias: Option<&TorchWeight>,
    transposed: bool,
) -> Result<TorchValue, KernelError> {
    let x = weight.input(&x.0)?;
    let mut weight = weight.dense(runtime)?.0;
    if transposed {
        weight = weight.f_transpose(0, 1)?;
    }
    let bias = bias.map(|bias| bias.dense(runtime)).transpose()?;
    Ok(TorchValue(product(&x, &weight, bias.as_ref().map(|b| &b.0))?))
}

/// `x w^T + bias` with a weight of `[out, in]`.
pub(super) fn product(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, KernelError> {
    Ok(x.f_linear(weight, bias)?)
}

/// Rows `ids` of the table: ids of `[..]` to `[.., columns]`.
///
/// # Errors
/// [`KernelError::Device`]: an id without a row, too.
pub fn embed(
    runtime: &TorchRuntime,
    ids: &TorchValue,
    table: &TorchWeight,
) -> Result<TorchValue, KernelError> {
    runtime.enter();
    table.rows(ids)
}
