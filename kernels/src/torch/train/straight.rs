//! Values that are rounded on the way forward and are not on the way back.

use crate::KernelError;
use crate::torch::model::{TorchValue, straight};

/// `image`, with the gradient of `weight`: what a format makes of a weight is computed with, and the weight is moved
/// (Bengio, Léonard and Courville 2013). Every element is that of `image`, bit for bit.
///
/// # Errors
/// [`KernelError::Device`]: shapes that differ, too.
pub fn straight_through(weight: &TorchValue, image: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(straight(&weight.0, &image.0)?))
}

/// `weight` where `mask` is 1, and 0 where it is 0.
///
/// # Errors
/// [`KernelError::Device`]: shapes that differ, too.
pub fn masked(weight: &TorchValue, mask: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(weight.0.f_mul(&mask.0)?))
}
