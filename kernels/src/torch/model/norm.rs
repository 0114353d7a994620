//! Along the last axis.

use super::{TorchRuntime, TorchValue, TorchWeight};
use crate::KernelError;

/// `(x - mean) / sqrt(variance + eps)` along the last axis, times the weight, plus the bias.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn layer_norm(
    runtime: &TorchRuntime,
    x: &TorchValue,
    weight: &TorchWeight,
    bias: Option<&TorchWeight>,
    eps: f64,
) -> Result<TorchValue, KernelError> {
    let weight = weight.dense(runtime)?;
    let bias = bias.map(|bias| bias.dense(runtime)).transpose()?;
    let shape = weight.0.size();
    Ok(TorchValue(x.0.f_layer_norm(&shape, Some(&weight.0), bias.as_ref().map(|b| &b.0), eps, false)?))
}

/// `x / sqrt(mean(x²) + eps)` along the last axis, times the weight.
///
/// # Errors
/// As [`layer_norm`].
pub fn rms_norm(
    runtime: &TorchRuntime,
    x: &TorchValue,
    weight: &TorchWeight,
    eps: f64,
) -> Result<TorchValue, KernelError> {
    let weight = weight.dense(runtime)?;
    let shape = weight.0.size();
    Ok(TorchValue(x.0.f_rms_norm(&shape, Some(&weight.0), eps)?))
}

/// `e^x` over its sum along the last axis.
///
/// # Errors
/// [`KernelError::Device`].
pub fn softmax(x: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(x.0.f_softmax(-1, None)?))
}

/// The mean over the last axis, which goes away.
///
/// # Errors
/// [`KernelError::Device`].
pub fn mean(x: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(x.0.f_mean_dim([-1i64].as_slice(), false, None)?))
}
