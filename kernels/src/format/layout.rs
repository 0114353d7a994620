//! The exact parts of a stored tensor, and why a format cannot hold one.

use crate::DType;
use std::fmt;

/// What a part of a stored tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Elements that stand for themselves (`keep`, casts).
    Values,
    /// Integer or codebook codes, one per element (two in a byte for 4 bits).
    Codes,
    /// One scale per group.
    Scales,
    /// One unsigned zero point per group (asymmetric integers).
    ZeroPoints,
    /// One absmax per block: f32, or u8 codes into the nested map when double quantised.
    Absmax,
    /// The 16 values of the codebook.
    QuantMap,
    /// One f32 absmax per 256 entries of [`Role::Absmax`].
    NestedAbsmax,
    /// The 256 values of the dynamic map.
    NestedQuantMap,
    /// The f32 mean that was subtracted from every absmax.
    NestedOffset,
    /// The f32 by which inputs of products are divided before they are rounded to int8.
    ActivationScale,
}

impl Role {
    /// All of them, in order.
    pub const ALL: [Role; 10] = [
        Role::Values,
        Role::Codes,
        Role::Scales,
        Role::ZeroPoints,
        Role::Absmax,
        Role::QuantMap,
        Role::NestedAbsmax,
        Role::NestedQuantMap,
        Role::NestedOffset,
        Role::ActivationScale,
    ];

    /// A short name for listings and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Values => "values",
            Role::Codes => "codes",
            Role::Scales => "scales",
            Role::ZeroPoints => "zero_points",
            Role::Absmax => "absmax",
            Role::QuantMap => "quant_map",
            Role::NestedAbsmax => "nested_absmax",
            Role::NestedQuantMap => "nested_quant_map",
            Role::NestedOffset => "nested_offset",
            Role::ActivationScale => "activation_scale",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One array of a stored tensor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// What it is for.
    pub role: Role,
    /// Its element type.
    pub dtype: DType,
    /// Its shape; empty for a scalar.
    pub shape: Vec<u64>,
    /// Elements times width.
    pub bytes: u64,
}

impl Part {
    pub(crate) fn new(role: Role, dtype: DType, shape: Vec<u64>) -> Result<Part, LayoutError> {
        let bytes = count(&shape)?
            .checked_mul(dtype.width())
            .ok_or(LayoutError::Overflow { shape: shape.clone() })?;
        Ok(Part { role, dtype, shape, bytes })
    }
}

/// The parts of a stored tensor, the one with the elements first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layout {
    /// Elements of the tensor itself.
    pub elements: u64,
    /// Its parts; empty for `drop`.
    pub parts: Vec<Part>,
    /// Sum of the parts' bytes.
    pub bytes: u64,
}

impl Layout {
    pub(crate) fn new(elements: u64, parts: Vec<Part>) -> Result<Layout, LayoutError> {
        let total = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.bytes));
        match total {
            Some(bytes) => Ok(Layout { elements, parts, bytes }),
            None => Err(LayoutError::Overflow { shape: vec![elements] }),
        }
    }

    /// The part with this role.
    pub fn part(&self, role: Role) -> Option<&Part> {
        self.parts.iter().find(|part| part.role == role)
    }
}

/// Why a format cannot hold a tensor. Each carries the numbers that a diagnostic shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayoutError {
    /// The element type is not a float.
    NotFloat {
        /// Format name.
        format: &'static str,
        /// The element type found.
        source: DType,
    },
    /// The format needs more axes than the tensor has.
    RankTooLow {
        /// Format name.
        format: &'static str,
        /// Axes needed.
        needed: u64,
        /// Axes found.
        rank: u64,
    },
    /// `axis` names an axis that the tensor lacks.
    AxisOutOfRange {
        /// The axis asked for, counted from 0.
        axis: u64,
        /// Axes found.
        rank: u64,
    },
    /// The block length does not divide the last axis.
    BlockDoesNotDivide {
        /// Elements of a block.
        block: u64,
        /// Length of the last axis.
        length: u64,
        /// `length % block`.
        remainder: u64,
    },
    /// The format has no such block length.
    BlockUnsupported {
        /// Format name.
        format: &'static str,
        /// Elements of a block asked for.
        block: u64,
        /// The lengths that exist, in words.
        allowed: &'static str,
    },
    /// The size does not fit in 64 bits.
    Overflow {
        /// The shape whose size overflows.
        shape: Vec<u64>,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::NotFloat { format, source } => {
                write!(f, "{format} holds floats, and the tensor stores {source}")
            }
            LayoutError::RankTooLow { format, needed, rank } => {
                write!(f, "{format} needs {needed} or more axes, and the tensor has {rank}")
            }
            LayoutError::AxisOutOfRange { axis, rank } => {
                write!(f, "axis {axis} is out of range for a tensor of {rank} axes")
            }
            LayoutError::BlockDoesNotDivide { block, length, remainder } => {
                write!(f, "block {block} does not divide the last axis of {length}: {remainder} left over")
            }
            LayoutError::BlockUnsupported { format, block, allowed } => {
                write!(f, "{format} has no block of {block}: {allowed}")
            }
            LayoutError::Overflow { shape } => {
                write!(f, "the size of shape {shape:?} does not fit in 64 bits")
            }
        }
    }
}

impl std::error::Error for LayoutError {}

/// Elements of a shape (1 for a scalar), checked.
///
/// # Errors
/// [`LayoutError::Overflow`] when a partial product overflows and no axis is 0.
pub fn count(shape: &[u64]) -> Result<u64, LayoutError> {
    if shape.contains(&0) {
        return Ok(0);
    }
    shape
        .iter()
        .try_fold(1u64, |product, &axis| product.checked_mul(axis))
        .ok_or(LayoutError::Overflow { shape: shape.to_vec() })
}

/// Elements of the shape and the proof that it stores floats.
pub(crate) fn float_count(format: &'static str, shape: &[u64], source: DType) -> Result<u64, LayoutError> {
    if !source.is_float() {
        return Err(LayoutError::NotFloat { format, source });
    }
    let elements = count(shape)?;
    // the source's own bytes are addressed too, in f64 at the widest
    elements.checked_mul(8).ok_or(LayoutError::Overflow { shape: shape.to_vec() })?;
    Ok(elements)
}
