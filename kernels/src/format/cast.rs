//! `fp32 fp16 bf16 fp8_e4m3 fp8_e5m2`: another float type, element by element.
//!
//! - **Rounding**: once, from the source to the target, to nearest, ties to even (an f64 is not rounded to
//!   f32 on the way to a narrower type).
//! - **Subnormals** of the target are produced by the same rounding; what is below half of the smallest one
//!   becomes a zero of the same sign. That is rounding, not an error.
//! - **NaN, infinity** in the input: an error with the first flat index, also where the target could hold it.
//! - **Overflow**: a finite value whose rounding is beyond the largest finite value of the target (65504 for
//!   fp16, 448 for fp8_e4m3, 57344 for fp8_e5m2, 3.3895e38 for bf16) is an error with the first flat index,
//!   unless `saturate` is set: then it becomes that largest value with its sign and is counted as clipped.
//! - fp8_e4m3 is the variant without infinities (`0x7f` and `0xff` are its only NaNs, 448 its maximum);
//!   fp8_e5m2 follows IEEE 754.

use super::layout::{Layout, LayoutError, Part, Role, float_count};
use crate::DType;
use std::fmt;

/// A cast to another float type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cast {
    to: DType,
    saturate: bool,
}

impl Cast {
    /// A cast to `f32 f16 bf16 f8_e4m3 f8_e5m2`; nothing for other types. `saturate` takes the largest finite
    /// value where the target would overflow.
    pub const fn new(to: DType, saturate: bool) -> Option<Cast> {
        match to {
            DType::F32 | DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => {
                Some(Cast { to, saturate })
            }
            _ => None,
        }
    }

    /// Element type of the result.
    pub const fn to(&self) -> DType {
        self.to
    }

    /// Whether values beyond the target's range become its largest value.
    pub const fn saturate(&self) -> bool {
        self.saturate
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.to {
            DType::F16 => "fp16",
            DType::Bf16 => "bf16",
            DType::F8E4M3 => "fp8_e4m3",
            DType::F8E5M2 => "fp8_e5m2",
            _ => "fp32",
        }
    }

    pub(super) fn layout(&self, shape: &[u64], source: DType) -> Result<Layout, LayoutError> {
        let elements = float_count(self.name(), shape, source)?;
        Layout::new(elements, vec![Part::new(Role::Values, self.to, shape.to_vec())?])
    }
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if self.saturate { f.write_str("(saturate: true)") } else { Ok(()) }
    }
}
