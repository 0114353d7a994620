//! Elements moved, none changed.

use super::TorchValue;
use super::value::sizes;
use crate::KernelError;
use tch::Tensor;

/// Some of the columns: of the last axis.
///
/// # Errors
/// [`KernelError::Device`]: there are no such columns, too.
pub fn columns(x: &TorchValue, first: usize, width: usize) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(x.0.f_narrow(-1, first as i64, width as i64)?))
}

/// Both, one behind the other along the last axis.
///
/// # Errors
/// [`KernelError::Device`]: the other axes differ, too.
pub fn concat(a: &TorchValue, b: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(Tensor::f_cat(&[&a.0, &b.0], -1)?))
}

/// The same elements in row-major order with other extents.
///
/// # Errors
/// [`KernelError::Device`]: more or fewer elements, too.
pub fn reshape(x: &TorchValue, shape: &[usize]) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(x.0.f_reshape(sizes(shape))?))
}

/// Two axes exchanged.
///
/// # Errors
/// [`KernelError::Device`]: no such axes, too.
pub fn transpose(x: &TorchValue, first: usize, second: usize) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(x.0.f_transpose(first as i64, second as i64)?))
}
