//! Between bytes of ours and tensors of libtorch.

use crate::narrow::Narrow;
use crate::{DType, KernelError, Source};
use tch::{Device, Kind, TchError, Tensor};

/// libtorch's own words in one sentence: it appends where in its sources it stopped.
pub(super) fn sentence(error: &TchError) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("Internal torch error: ").trim_end_matches(['.', ' ']).to_owned()
}

impl From<TchError> for KernelError {
    fn from(error: TchError) -> KernelError {
        let what = sentence(&error);
        let remedy = if what.contains("out of memory") {
            "use smaller chunks or fewer threads"
        } else {
            "choose another backend"
        };
        KernelError::Device { what: format!("libtorch failed: {what}: {remedy}") }
    }
}

/// Makes tensors on a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tensors {
    pub(super) device: Device,
}

pub(super) const fn kind(dtype: DType) -> Result<Kind, KernelError> {
    match dtype {
        DType::U8 => Ok(Kind::Uint8),
        DType::F8E4M3 => Ok(Kind::Float8e4m3fn),
        DType::F8E5M2 => Ok(Kind::Float8e5m2),
        DType::F16 => Ok(Kind::Half),
        DType::Bf16 => Ok(Kind::BFloat16),
        DType::F32 => Ok(Kind::Float),
        DType::F64 => Ok(Kind::Double),
        dtype => Err(KernelError::UnsupportedDType { dtype }),
    }
}

impl Tensors {
    /// A flat tensor of the bytes themselves on the CPU, of a copy on other devices or where they are not aligned.
    ///
    /// # Safety
    /// The tensor and all views of it are dropped before the borrow of `bytes` ends, and none is written to.
    unsafe fn lend(&self, bytes: &[u8], dtype: DType) -> Result<Tensor, KernelError> {
        let (kind, width) = (kind(dtype)?, dtype.width() as usize);
        let size = [(bytes.len() / width) as i64];
        if !(bytes.as_ptr() as usize).is_multiple_of(width) {
            return Ok(Tensor::f_from_data_size(bytes, &size, kind)?.f_to_device(self.device)?);
        }
        // SAFETY: aligned, `size` elements long, and it lives long enough by the contract of this function
        let tensor = unsafe { Tensor::f_from_blob(bytes.as_ptr(), &size, &[1], kind, Device::Cpu) }?;
        Ok(tensor.f_to_device(self.device)?)
    }

    /// The elements of a source in their own type.
    ///
    /// # Safety
    /// As [`Tensors::lend`].
    pub(super) unsafe fn elements(&self, source: Source<'_>) -> Result<Tensor, KernelError> {
        // SAFETY: the same contract
        unsafe { self.lend(source.bytes(), source.dtype()) }
    }

    /// The elements of a source rounded to f32. What f32 cannot hold becomes infinite.
    ///
    /// # Safety
    /// As [`Tensors::lend`].
    pub(super) unsafe fn weights(&self, source: Source<'_>) -> Result<Tensor, KernelError> {
        // SAFETY: the same contract
        Ok(unsafe { self.elements(source) }?.f_to_kind(Kind::Float)?)
    }

    /// Bytes as `u8`.
    ///
    /// # Safety
    /// As [`Tensors::lend`].
    pub(super) unsafe fn bytes(&self, bytes: &[u8]) -> Result<Tensor, KernelError> {
        // SAFETY: the same contract
        unsafe { self.lend(bytes, DType::U8) }
    }

    /// A copy of a few values.
    pub(super) fn copy<T: tch::kind::Element>(&self, values: &[T]) -> Result<Tensor, KernelError> {
        Ok(Tensor::f_from_slice(values)?.f_to_device(self.device)?)
    }
}

/// A scalar as the generated functions take it, from f32 exactly.
pub(super) fn scalar(value: f32) -> f64 {
    f64::from(value)
}

/// Round to a float type; `values` fit.
pub(super) fn round_to(values: &Tensor, to: DType) -> Result<Tensor, KernelError> {
    Ok(values.f_to_kind(kind(to)?)?)
}

/// The tensor's elements as stored, into exactly as many bytes.
pub(super) fn store(tensor: &Tensor, destination: &mut [u8]) -> Result<(), KernelError> {
    let width = tensor.f_kind()?.elt_size_in_bytes();
    if tensor.numel() * width != destination.len() {
        return Err(KernelError::Malformed {
            what: "internal error: a tensor of another length than its destination",
        });
    }
    Ok(tensor.f_copy_data_u8(destination, tensor.numel())?)
}

/// An f32 tensor's elements.
pub(super) fn floats(tensor: &Tensor) -> Result<Vec<f32>, KernelError> {
    let mut values = vec![0.0; tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

/// The tensor's elements as stored, behind what is there.
pub(super) fn append(tensor: &Tensor, bytes: &mut Vec<u8>) -> Result<(), KernelError> {
    let from = bytes.len();
    bytes.resize(from + tensor.numel() * tensor.f_kind()?.elt_size_in_bytes(), 0);
    store(tensor, &mut bytes[from..])
}

/// The largest magnitude of a tensor that is not empty; NaN when it holds one.
pub(super) fn largest(tensor: &Tensor) -> Result<f32, KernelError> {
    let (low, high) = tensor.f_aminmax(None, false)?;
    let (low, high) = (low.f_double_value(&[])? as f32, high.f_double_value(&[])? as f32);
    Ok(if low.is_nan() { low } else { high.max(-low) })
}

/// How many of a mask are set: of booleans, or of numbers 0 and 1.
pub(super) fn count(mask: &Tensor) -> Result<u64, KernelError> {
    // as integers, since a sum of floats may stop to grow
    let mask = if mask.f_kind()? == Kind::Float { mask.f_to_kind(Kind::Int)? } else { mask.f_alias()? };
    Ok(mask.f_sum(Kind::Int64)?.f_int64_value(&[])? as u64)
}

/// The least f32 magnitude that rounds beyond the largest value of a float type.
pub(super) fn overflow_bound(to: DType) -> f32 {
    let Some(narrow) = Narrow::of(to) else { return f32::INFINITY };
    let bound = |bits| narrow.is_finite(narrow.narrow(f32::from_bits(bits)));
    // magnitudes order as their bits do
    let (mut fits, mut overflows) = (0, f32::INFINITY.to_bits());
    while overflows - fits > 1 {
        let middle = fits + (overflows - fits) / 2;
        if bound(middle) { fits = middle } else { overflows = middle }
    }
    f32::from_bits(overflows)
}

#[cfg(test)]
mod tests {
    use super::overflow_bound;
    use crate::DType;

    #[test]
    fn bounds_are_halfway_beyond_the_largest_value() {
        assert_eq!(overflow_bound(DType::F32), f32::INFINITY);
        assert_eq!(overflow_bound(DType::F16), 65520.0);
        assert_eq!(overflow_bound(DType::Bf16).to_bits(), 0x7f7f_8000);
        assert_eq!(overflow_bound(DType::F8E5M2), 61440.0);
        // its largest value is even, so the tie stays
        assert_eq!(overflow_bound(DType::F8E4M3), 464f32.next_up());
    }
}
