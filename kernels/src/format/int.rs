//! `int8` and `int4`: integers with one scale per group.
//!
//! w is the source value rounded to f32; m is the group's clip limit:
//!
//! - `clip: minmax`: the largest |w| of the group;
//! - `clip: percentile(p)`: `numpy.percentile(|w|, p)` with linear interpolation, in f64, rounded to f32;
//! - `clip: mse`: absmax × j/64 (f32) for the j of 64, 63, ..., 13 with the least squared error. The error of an
//!   element, `|w - ŵ|` in f32, is counted in units of absmax × 2⁻¹⁶ (the f32 quotient, scaled, rounded half to
//!   even), squared and summed as an integer, so that the order of summation cannot matter; a tie takes the
//!   larger j. A candidate whose scale is not usable (see below) is not taken; j = 64 reports the error.
//!
//! **Symmetric** (default): `s = m / 127` or `m / 7` in f32; q = w / s (IEEE division) rounded half to even, clamped
//! to ±127 or ±7; ŵ = q × s in f32. Codes are `i8`, or two's complement nibbles.
//!
//! **Asymmetric**: the range is [max(min w, -m), min(max w, m)] widened to hold 0 (for `mse`: [min, max] × j/64, and the
//! unit of the error is the larger of |min| and |max|); `s = (high - low) / 255` or `/ 15` in f64, rounded to f32;
//! zero point `z = -low / s` in f32 rounded half to even, within 0..=255 or 0..=15; q = (w / s rounded half to
//! even) + z, clamped to 0..=255 or 0..=15; ŵ = (q - z) × s. Codes are `u8` or unsigned nibbles, zero points `u8`.
//!
//! **fp16 scales**: s is rounded to fp16 first (to nearest, ties to even) and everything after it uses the
//! rounded scale. An s that rounds to infinity is an error, and so is one that rounds to 0 for a group with m > 0; f32
//! scales report the same underflow.
//!
//! **All-zero group** (or m = 0): scale 0, zero point 0, codes 0, and it dequantises to 0.
//!
//! **Clipped** values are those with |w| > m (symmetric) or outside of the range (asymmetric).
//!
//! **Activations** (int8, symmetric, per tensor or channel): the input x of a product is stored in int8 for it, too: s as m
//! above by 127, in f32, where m is the largest |x| of the row (`dynamic`) or the percentile of all |x| that calibration saw
//! (`static`, stored as `activation_scale`); q = x / s rounded half to even, clamped to ±127. A row of zeros has s = 0 and
//! q = 0. The product is `Σ q c`, an exact integer, rounded to f32, × (s × scale of the output's row), + bias, each step
//! rounded to f32.
//!
//! Sizes: codes `n` bytes for int8 and ⌈n/2⌉ for int4 (an odd n leaves a 0 in the last nibble); scales `groups` × 4 or
//! × 2 bytes; zero points `groups` bytes; a static scale of activations 4 bytes. Element i of a channel tensor `[outer, axis, inner]` is in group
//! (i / inner) mod axis; blocks run along the last axis, which they divide.

use super::layout::{Layout, LayoutError, Part, Role, float_count};
use super::percentile::Percentile;
use crate::{DType, groups::Groups};
use std::fmt;

/// Width of an integer code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntBits {
    /// `int8`.
    Eight,
    /// `int4`.
    Four,
}

/// Which elements share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// The whole tensor.
    Tensor,
    /// All elements with the same index along this axis.
    Channel {
        /// The axis, counted from 0.
        axis: u32,
    },
    /// This many neighbours along the last axis.
    Block(u32),
}

/// How the largest representable magnitude of a group is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clip {
    /// The largest magnitude.
    MinMax,
    /// A percentile of the magnitudes.
    Percentile(Percentile),
    /// The least squared error on a grid.
    Mse,
}

/// Element type of the scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScaleDType {
    /// 4 bytes.
    F32,
    /// 2 bytes.
    F16,
}

/// Which nibble of a byte holds the first of two 4-bit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pack {
    /// Bits 0..4.
    Low,
    /// Bits 4..8.
    High,
}

/// How the input of a product with the matrix is stored for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activations {
    /// As it is, in f32: codes are decoded for the product.
    #[default]
    Float,
    /// In int8 with a scale for each row of the input: its largest magnitude by 127.
    Dynamic,
    /// In int8 with a scale that is stored with the weight: this percentile of the magnitudes that calibration saw, by 127.
    /// 100% is the largest of them.
    Static(Percentile),
}

impl fmt::Display for Activations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activations::Float => f.write_str("fp32"),
            Activations::Dynamic => f.write_str("dynamic"),
            Activations::Static(all) if all.billionths() == 1_000_000_000 => f.write_str("static(absmax)"),
            Activations::Static(percentile) => write!(f, "static(percentile({percentile}))"),
        }
    }
}

/// An integer format with all its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int {
    /// Width of a code.
    pub bits: IntBits,
    /// Which elements share a scale.
    pub per: Per,
    /// Whether the range is ±m without a zero point.
    pub symmetric: bool,
    /// Choice of the range.
    pub clip: Clip,
    /// Element type of the scales.
    pub scale: ScaleDType,
    /// Nibble order; int8 ignores it and keeps [`Pack::Low`].
    pub pack: Pack,
    /// How the other factor of a product is stored; int4 keeps [`Activations::Float`].
    pub activations: Activations,
}

impl Int {
    /// `int8` or `int4` with the defaults of the language: per tensor, symmetric, minmax, fp32 scales, low nibble first.
    pub const fn new(bits: IntBits) -> Int {
        Int {
            bits,
            per: Per::Tensor,
            symmetric: true,
            clip: Clip::MinMax,
            scale: ScaleDType::F32,
            pack: Pack::Low,
            activations: Activations::Float,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.bits {
            IntBits::Eight => "int8",
            IntBits::Four => "int4",
        }
    }

    /// The largest code: 127 or 7 when symmetric, 255 or 15 when not.
    pub const fn top(&self) -> i32 {
        match (self.bits, self.symmetric) {
            (IntBits::Eight, true) => 127,
            (IntBits::Eight, false) => 255,
            (IntBits::Four, true) => 7,
            (IntBits::Four, false) => 15,
        }
    }

    /// Whether its products are as [`Int::activations`] says: in integers only codes of 8 bits without zero points, and no
    /// scale that changes along a row.
    pub const fn multiplies(&self) -> bool {
        match self.activations {
            Activations::Float => true,
            _ => matches!(self.bits, IntBits::Eight) && self.symmetric && !matches!(self.per, Per::Block(_)),
        }
    }

    /// How the elements of `shape` fall into groups.
    ///
    /// # Errors
    /// [`LayoutError`] as [`super::Format::layout`].
    pub fn groups(&self, shape: &[u64]) -> Result<Groups, LayoutError> {
        let elements = super::layout::count(shape)?;
        let rank = shape.len() as u64;
        match self.per {
            Per::Tensor => Ok(Groups::contiguous(1, elements)),
            Per::Channel { axis } => {
                if rank == 0 {
                    return Err(LayoutError::RankTooLow { format: self.name(), needed: 1, rank });
                }
                let Some(&length) = shape.get(axis as usize) else {
                    return Err(LayoutError::AxisOutOfRange { axis: u64::from(axis), rank });
                };
                if elements == 0 {
                    return Ok(Groups { outer: 0, axis: length, inner: 0 });
                }
                let inner: u64 = shape.iter().skip(axis as usize + 1).product();
                Ok(Groups { outer: elements / length / inner, axis: length, inner })
            }
            Per::Block(block) => {
                let Some(&length) = shape.last() else {
                    return Err(LayoutError::RankTooLow { format: self.name(), needed: 1, rank });
                };
                let block = u64::from(block);
                if block == 0 {
                    let allowed = "blocks have 1 or more elements";
                    return Err(LayoutError::BlockUnsupported { format: self.name(), block, allowed });
                }
                if length % block != 0 {
                    return Err(LayoutError::BlockDoesNotDivide { block, length, remainder: length % block });
                }
                Ok(Groups::contiguous(elements / block, block))
            }
        }
    }

    pub(super) fn layout(&self, shape: &[u64], source: DType) -> Result<Layout, LayoutError> {
        let elements = float_count(self.name(), shape, source)?;
        self.groups(shape)?;
        let (dtype, codes) = match (self.bits, shape.split_last()) {
            (IntBits::Eight, _) => (if self.symmetric { DType::I8 } else { DType::U8 }, shape.to_vec()),
            (IntBits::Four, Some((last, front))) if last % 2 == 0 => {
                (DType::U8, front.iter().copied().chain([last / 2]).collect())
            }
            // rows would not begin on a byte, so the packed codes are one row
            (IntBits::Four, _) => (DType::U8, vec![elements.div_ceil(2)]),
        };
        let scales = match (self.per, shape.split_last()) {
            (Per::Channel { axis }, _) => shape.get(axis as usize).copied().into_iter().collect(),
            (Per::Block(block), Some((last, front))) => {
                front.iter().copied().chain([last / u64::from(block)]).collect()
            }
            _ => Vec::new(),
        };
        let mut parts = vec![Part::new(Role::Codes, dtype, codes)?];
        let scale = match self.scale {
            ScaleDType::F32 => DType::F32,
            ScaleDType::F16 => DType::F16,
        };
        parts.push(Part::new(Role::Scales, scale, scales.clone())?);
        if !self.symmetric {
            parts.push(Part::new(Role::ZeroPoints, DType::U8, scales)?);
        }
        if let Activations::Static(_) = self.activations {
            parts.push(Part::new(Role::ActivationScale, DType::F32, Vec::new())?);
        }
        Layout::new(elements, parts)
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(per: ", self.name())?;
        match self.per {
            Per::Tensor => f.write_str("tensor")?,
            Per::Channel { axis } => write!(f, "channel, axis: {axis}")?,
            Per::Block(block) => write!(f, "block {block}")?,
        }
        if !self.symmetric {
            f.write_str(", symmetric: false")?;
        }
        match self.clip {
            Clip::MinMax => {}
            Clip::Percentile(percentile) => write!(f, ", clip: percentile({percentile})")?,
            Clip::Mse => f.write_str(", clip: mse")?,
        }
        if self.scale == ScaleDType::F16 {
            f.write_str(", scale: fp16")?;
        }
        if self.bits == IntBits::Four && self.pack == Pack::High {
            f.write_str(", pack: high")?;
        }
        if self.activations != Activations::Float {
            write!(f, ", activations: {}", self.activations)?;
        }
        f.write_str(")")
    }
}
