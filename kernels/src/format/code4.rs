//! `nf4` and `fp4`: the 4-bit codebooks of bitsandbytes, in blocks of the flattened tensor.
//!
//! w is the source value rounded to f32. Blocks of `block` elements run over the row-major flattened tensor, across
//! rows; the last one may be shorter.
//!
//! - **absmax** a: the largest |w| of the block, f32.
//! - **Normalised value**: y = w × (1 / max(a, 1e-38)) in a full block; w / max(a, 1e-38) in the last, shorter one. Both
//!   in f32, by IEEE operations.
//! - **nf4 code**: the number of thresholds t with y > t; a tie stays with the lower index. The thresholds are the f32
//!   midpoints of neighbouring code values.
//! - **fp4 code**: the magnitudes 0, 1/192, 1/6, 1/4, 1/3, 1/2, 2/3, 1 ascending have codes 0 1 6 7 4 5 2 3; the
//!   thresholds on |y| are their f32 midpoints (derived, not copied), a tie goes to the smaller magnitude; bit 3
//!   is set when y < 0, also where the magnitude rounds to 0.
//! - **All-zero block**: absmax 0; nf4 code 7 (two of them are byte 0x77), fp4 code 0. It dequantises to 0.
//! - **Packing**: the first element in the high nibble; an odd number of elements is filled up with the code of 0
//!   (nf4: 7, fp4: 0), as bitsandbytes does.
//! - **ŵ** = codebook\[q\] × a in f32.
//!
//! **Double quantisation**: offset = mean of the absmax (f64 sums of each run of 256 in eight lanes, the sums added
//! exactly, divided by the number in f64, rounded to f32); d = absmax - offset in f32; blocks of 256 of d with absmax A
//! (f32) are coded as the nearest entry of the dynamic map to d / A (0 when A is 0), where nearest compares with f32
//! midpoints of neighbouring entries and a tie goes to the lower index. The absmax then reads back as
//! map\[code\] × A + offset in f32 (a product rounded to f32, then the sum).
//!
//! Sizes: codes ⌈n/2⌉; absmax 4 bytes per block (1 when double); codebook 64 bytes; double adds
//! 4 × ⌈blocks/256⌉ + 1024 + 4 bytes.

use super::layout::{Layout, LayoutError, Part, Role, float_count};
use crate::DType;
use std::fmt;

/// Which codebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code4Kind {
    /// Quantiles of a normal distribution.
    Nf4,
    /// A 4-bit float: sign, 2 exponent bits, 1 mantissa bit.
    Fp4,
}

/// A 4-bit codebook format with all its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code4 {
    /// Which codebook.
    pub kind: Code4Kind,
    /// Elements of a block: a power of two in 64..=4096.
    pub block: u32,
    /// Whether the absmax are themselves stored as 8-bit codes.
    pub double: bool,
}

/// Entries of absmax that share a nested absmax.
pub const NESTED_BLOCK: u64 = 256;

/// The 16 values of nf4, ascending, as f32 bits.
const NF4_BITS: [u32; 16] = [
    0xbf80_0000,
    0xbf32_39b1,
    0xbf06_6b30,
    0xbeca_32a0,
    0xbe91_a24d,
    0xbe3d_353f,
    0xbdba_7871,
    0x0000_0000,
    0x3da2_faff,
    0x3e24_cae3,
    0x3e7c_04dd,
    0x3ead_033a,
    0x3ee1_a4b8,
    0x3f10_07ab,
    0x3f39_13b3,
    0x3f80_0000,
];

/// The magnitudes of fp4 by code, in units of 1/12: bit 3 is the sign.
const FP4_TWELFTHS: [f32; 8] = [0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0];

/// Codes of fp4 by ascending magnitude.
pub const FP4_ASCENDING: [u8; 8] = [0, 1, 6, 7, 4, 5, 2, 3];

impl Code4Kind {
    /// The value of each code.
    pub const fn codebook(self) -> [f32; 16] {
        let mut values = [0.0; 16];
        let mut code = 0;
        while code < 16 {
            values[code] = match self {
                Code4Kind::Nf4 => f32::from_bits(NF4_BITS[code]),
                Code4Kind::Fp4 if code < 8 => FP4_TWELFTHS[code] / 12.0,
                Code4Kind::Fp4 => -(FP4_TWELFTHS[code - 8] / 12.0),
            };
            code += 1;
        }
        values
    }
}

/// The 15 thresholds of nf4: `(codebook[i] + codebook[i + 1]) / 2` in f32.
pub const fn nf4_thresholds() -> [f32; 15] {
    let values = Code4Kind::Nf4.codebook();
    let mut thresholds = [0.0; 15];
    let mut index = 0;
    while index < 15 {
        thresholds[index] = (values[index] + values[index + 1]) / 2.0;
        index += 1;
    }
    thresholds
}

/// The 7 thresholds of fp4 between ascending magnitudes.
pub const fn fp4_thresholds() -> [f32; 7] {
    let values = Code4Kind::Fp4.codebook();
    let mut thresholds = [0.0; 7];
    let mut index = 0;
    while index < 7 {
        let (low, high) = (FP4_ASCENDING[index], FP4_ASCENDING[index + 1]);
        thresholds[index] = (values[low as usize] + values[high as usize]) / 2.0;
        index += 1;
    }
    thresholds
}

impl Code4 {
    /// nf4 or fp4 with the defaults of the language: blocks of 64, absmax in f32.
    pub const fn new(kind: Code4Kind) -> Code4 {
        Code4 { kind, block: 64, double: false }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.kind {
            Code4Kind::Nf4 => "nf4",
            Code4Kind::Fp4 => "fp4",
        }
    }

    pub(super) fn layout(&self, shape: &[u64], source: DType) -> Result<Layout, LayoutError> {
        let elements = float_count(self.name(), shape, source)?;
        if !self.block.is_power_of_two() || !(64..=4096).contains(&self.block) {
            let allowed = "blocks are powers of two from 64 to 4096";
            return Err(LayoutError::BlockUnsupported {
                format: self.name(),
                block: u64::from(self.block),
                allowed,
            });
        }
        let blocks = elements.div_ceil(u64::from(self.block));
        let mut parts = vec![
            Part::new(Role::Codes, DType::U8, vec![elements.div_ceil(2), 1])?,
            Part::new(Role::Absmax, if self.double { DType::U8 } else { DType::F32 }, vec![blocks])?,
            Part::new(Role::QuantMap, DType::F32, vec![16])?,
        ];
        if self.double {
            parts.push(Part::new(Role::NestedAbsmax, DType::F32, vec![blocks.div_ceil(NESTED_BLOCK)])?);
            parts.push(Part::new(Role::NestedQuantMap, DType::F32, vec![256])?);
            parts.push(Part::new(Role::NestedOffset, DType::F32, Vec::new())?);
        }
        Layout::new(elements, parts)
    }
}

impl fmt::Display for Code4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(block: {}", self.name(), self.block)?;
        f.write_str(if self.double { ", double: true)" } else { ")" })
    }
}
