//! Contiguous source elements as the file stores them, and their values.

use crate::narrow::{self, NARROW_E4M3, NARROW_E5M2};
use crate::{DType, KernelError};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Contiguous little-endian elements of a float type, at any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    dtype: DType,
    bytes: &'a [u8],
}

impl<'a> Source<'a> {
    /// Elements of `dtype` in `bytes`.
    ///
    /// # Errors
    /// When the type is not a float or the bytes are not whole elements.
    pub fn new(dtype: DType, bytes: &'a [u8]) -> Result<Source<'a>, KernelError> {
        if !dtype.is_float() {
            return Err(KernelError::UnsupportedDType { dtype });
        }
        let width = dtype.width() as usize;
        crate::error::expect_length("source", bytes.len() / width * width, bytes.len())?;
        Ok(Source { dtype, bytes })
    }

    /// f32 elements.
    pub(crate) fn f32(bytes: &'a [u8]) -> Source<'a> {
        Source { dtype: DType::F32, bytes }
    }

    /// Element type.
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// The bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        self.bytes.len() / self.dtype.width() as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Elements `from..to`; shorter where the source ends.
    #[must_use]
    #[inline]
    pub fn slice(&self, from: usize, to: usize) -> Source<'a> {
        let width = self.dtype.width() as usize;
        let (from, to) = (from.min(self.len()), to.min(self.len()));
        Source { dtype: self.dtype, bytes: &self.bytes[from * width..to.max(from) * width] }
    }

    /// Element `index` in f64, exactly. `index` is below [`Source::len`].
    pub fn value(&self, index: usize) -> f64 {
        let width = self.dtype.width() as usize;
        let b = &self.bytes[index * width..(index + 1) * width];
        match self.dtype {
            DType::F64 => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
            DType::F32 => f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            DType::F16 => f16::from_le_bytes([b[0], b[1]]).to_f64(),
            DType::Bf16 => bf16::from_le_bytes([b[0], b[1]]).to_f64(),
            DType::F8E5M2 => f64::from(NARROW_E5M2.widen(u32::from(b[0]))),
            // `new` lets no other type in
            _ => f64::from(NARROW_E4M3.widen(u32::from(b[0]))),
        }
    }

    /// Element `index` rounded to f32: what quantisation sees. Only f64 can change.
    pub fn weight(&self, index: usize) -> f32 {
        self.value(index) as f32
    }

    /// All elements rounded to f32.
    pub fn weights(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.len()).map(|index| self.weight(index))
    }

    /// The elements rounded to f32, into as many places.
    pub fn copy_weights(&self, weights: &mut [f32]) {
        let bytes = self.bytes;
        match self.dtype {
            DType::F64 => fill(weights, bytes, |b: [u8; 8]| f64::from_le_bytes(b) as f32),
            DType::F32 => fill(weights, bytes, f32::from_le_bytes),
            DType::F16 => fill_f16(weights, bytes),
            DType::Bf16 => fill(weights, bytes, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            DType::F8E5M2 => fill(weights, bytes, |[b]: [u8; 1]| E5M2_VALUES[usize::from(b)]),
            _ => fill(weights, bytes, |[b]: [u8; 1]| E4M3_VALUES[usize::from(b)]),
        }
    }

    /// The first element that is not finite, or is beyond f32; `start` is the flat index of the first one.
    ///
    /// # Errors
    /// [`KernelError::NonFinite`] or [`KernelError::Overflow`].
    pub fn check(&self, start: u64) -> Result<(), KernelError> {
        for index in 0..self.len() {
            let value = self.value(index);
            if !value.is_finite() {
                return Err(KernelError::NonFinite { index: start + index as u64, value });
            }
            if !(value as f32).is_finite() {
                return Err(KernelError::Overflow { index: start + index as u64, value, target: DType::F32 });
            }
        }
        Ok(())
    }
}

/// The value of each fp8_e4m3 pattern.
static E4M3_VALUES: std::sync::LazyLock<[f32; 256]> =
    std::sync::LazyLock::new(|| std::array::from_fn(|pattern| NARROW_E4M3.widen(pattern as u32)));

/// The value of each fp8_e5m2 pattern.
static E5M2_VALUES: std::sync::LazyLock<[f32; 256]> =
    std::sync::LazyLock::new(|| std::array::from_fn(|pattern| NARROW_E5M2.widen(pattern as u32)));

/// Many at once, so that the processor's own conversion is looked for once.
fn fill_f16(weights: &mut [f32], bytes: &[u8]) {
    let mut halves = [f16::ZERO; 64];
    for (weights, bytes) in weights.chunks_mut(64).zip(bytes.chunks(128)) {
        let halves = &mut halves[..weights.len()];
        halves.iter_mut().zip(bytes.as_chunks::<2>().0).for_each(|(half, b)| *half = f16::from_le_bytes(*b));
        halves.convert_to_f32_slice(weights);
    }
}

fn fill<const WIDTH: usize>(weights: &mut [f32], bytes: &[u8], value: impl Fn([u8; WIDTH]) -> f32) {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    weights.iter_mut().zip(elements).for_each(|(weight, element)| *weight = value(*element));
}

/// Write `value`, exact in the target or rounded to nearest even, as an element of `dtype` (f32, f16, bf16).
/// Overflow gives infinity, which the caller excludes.
pub(crate) fn write_float(dtype: DType, value: f32, destination: &mut [u8]) {
    match dtype {
        DType::F16 => destination.copy_from_slice(&(narrow::NARROW_F16.narrow(value) as u16).to_le_bytes()),
        DType::Bf16 => destination.copy_from_slice(&(narrow::NARROW_BF16.narrow(value) as u16).to_le_bytes()),
        _ => destination.copy_from_slice(&value.to_le_bytes()),
    }
}
