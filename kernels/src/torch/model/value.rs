//! Values on a device.

use super::TorchRuntime;
use crate::KernelError;
use crate::torch::tensors::floats;
use std::fmt;
use tch::{Kind, Tensor};

/// Numbers with a shape on a device: activations in f32, or ids. Cloning one copies no numbers.
pub struct TorchValue(pub(crate) Tensor);

impl Clone for TorchValue {
    fn clone(&self) -> TorchValue {
        TorchValue(self.0.shallow_clone())
    }
}

impl fmt::Debug for TorchValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TorchValue {:?}", self.shape())
    }
}

/// Computes without a trace for gradients: what only reads a model.
pub fn untraced<T>(work: impl FnOnce() -> T) -> T {
    let _guard = tch::no_grad_guard();
    work()
}

pub(crate) fn sizes(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect()
}

impl TorchValue {
    /// Activations of this shape, row-major.
    ///
    /// # Errors
    /// [`KernelError::Length`]: another number of values; [`KernelError::Device`].
    pub fn floats(
        runtime: &TorchRuntime,
        shape: &[usize],
        values: &[f32],
    ) -> Result<TorchValue, KernelError> {
        crate::error::expect_length("values", shape.iter().product(), values.len())?;
        let flat = Tensor::f_from_slice(values)?.f_to_device(runtime.tch)?;
        Ok(TorchValue(flat.f_reshape(sizes(shape))?))
    }

    /// Ids of this shape, row-major.
    ///
    /// # Errors
    /// As [`TorchValue::floats`].
    pub fn ids(runtime: &TorchRuntime, shape: &[usize], ids: &[u32]) -> Result<TorchValue, KernelError> {
        crate::error::expect_length("ids", shape.iter().product(), ids.len())?;
        let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let flat = Tensor::f_from_slice(&ids)?.f_to_device(runtime.tch)?;
        Ok(TorchValue(flat.f_reshape(sizes(shape))?))
    }

    /// The ids `first`, `first + 1`, and so on.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn positions(runtime: &TorchRuntime, first: usize, count: usize) -> Result<TorchValue, KernelError> {
        let end = first.saturating_add(count) as i64;
        Ok(TorchValue(Tensor::f_arange_start(first as i64, end, (Kind::Int64, runtime.tch))?))
    }

    /// Zeros of the same shape and kind.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn zeros_like(&self) -> Result<TorchValue, KernelError> {
        Ok(TorchValue(self.0.f_zeros_like()?))
    }

    /// The extents.
    pub fn shape(&self) -> Vec<usize> {
        self.0.size().into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect()
    }

    /// Length of the last axis; 1 for a single number.
    pub fn width(&self) -> usize {
        self.shape().last().copied().unwrap_or(1)
    }

    /// Whether these are ids.
    pub fn is_ids(&self) -> bool {
        self.0.f_kind().is_ok_and(|kind| kind == Kind::Int64)
    }

    /// The activations, on the host: waits for the device.
    ///
    /// # Errors
    /// [`KernelError::Device`]: ids, or the device failed.
    pub fn to_floats(&self) -> Result<Vec<f32>, KernelError> {
        floats(&self.0.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?)
    }

    /// The largest magnitude as a value of no axis: finite exactly if every element is. Nothing of ids and of nothing.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn witness(&self) -> Result<Option<TorchValue>, KernelError> {
        if self.is_ids() || self.0.numel() == 0 {
            return Ok(None);
        }
        let (low, high) = self.0.f_detach()?.f_aminmax(None, false)?;
        Ok(Some(TorchValue(high.f_maximum(&low.f_neg()?)?)))
    }

    /// Whether every element is finite: waits for the device.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn is_finite(&self) -> Result<bool, KernelError> {
        if self.is_ids() || self.0.numel() == 0 {
            return Ok(true);
        }
        let (low, high) = self.0.f_detach()?.f_aminmax(None, false)?;
        Ok(low.f_double_value(&[])?.is_finite() && high.f_double_value(&[])?.is_finite())
    }

    /// The number of a value that holds one: waits for the device.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn number(&self) -> Result<f64, KernelError> {
        Ok(self.0.f_double_value(&[])?)
    }

    /// Flat index of the first element that is NaN or infinite: waits for the device.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn first_not_finite(&self) -> Result<Option<usize>, KernelError> {
        let bad = self.0.f_detach()?.f_isfinite()?.f_logical_not()?.f_flatten(0, -1)?.f_nonzero()?;
        if bad.numel() == 0 {
            return Ok(None);
        }
        Ok(usize::try_from(bad.f_int64_value(&[0, 0])?).ok())
    }

    /// One number from each, on the host at once: waits for the device.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn numbers(values: &[TorchValue]) -> Result<Vec<f32>, KernelError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<&Tensor> = values.iter().map(|v| &v.0).collect();
        floats(&Tensor::f_stack(&all, 0)?)
    }

    /// A copy that gradients are gathered for.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn leaf(&self) -> Result<TorchValue, KernelError> {
        Ok(TorchValue(self.0.f_detach_copy()?.f_set_requires_grad(true)?))
    }

    /// Gathers gradients of a value that holds one number, in the leaves that it was computed from.
    ///
    /// # Errors
    /// [`KernelError::Device`]: it holds several, or was computed without a trace.
    pub fn backward(&self) -> Result<(), KernelError> {
        Ok(self.0.f_backward()?)
    }

    /// What was gathered in a leaf; nothing before [`TorchValue::backward`].
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn gradient(&self) -> Result<Option<TorchValue>, KernelError> {
        let gradient = self.0.f_grad()?;
        Ok(gradient.defined().then_some(TorchValue(gradient)))
    }

    /// The mean of all elements.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn average(&self) -> Result<TorchValue, KernelError> {
        Ok(TorchValue(self.0.f_mean(Kind::Float)?))
    }
}
