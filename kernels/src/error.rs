//! Why a kernel could not do its work. Indices are flat indices into the whole tensor.

use crate::DType;
use std::fmt;

/// Failure of a kernel. Outputs are unspecified after one.
#[derive(Clone, Debug, PartialEq)]
pub enum KernelError {
    /// NaN or infinity in the input.
    NonFinite {
        /// First such flat index.
        index: u64,
        /// The value there.
        value: f64,
    },
    /// A finite value that the target cannot hold.
    Overflow {
        /// First such flat index.
        index: u64,
        /// The value there.
        value: f64,
        /// The type it was to become.
        target: DType,
    },
    /// A group's scale is infinite in the scale's type.
    ScaleOverflow {
        /// The group.
        group: u64,
        /// Its clip limit (the width of its range when asymmetric).
        limit: f32,
    },
    /// A group with a limit above 0 whose scale rounds to 0.
    ScaleUnderflow {
        /// The group.
        group: u64,
        /// Its clip limit (the width of its range when asymmetric).
        limit: f32,
    },
    /// The mean of the absmax is not finite, or a difference from it.
    NestedOverflow,
    /// A buffer of the wrong length.
    Length {
        /// Which buffer.
        what: &'static str,
        /// Length it must have.
        expected: u64,
        /// Length it has.
        found: u64,
    },
    /// A chunk that starts or ends where none may.
    Misaligned {
        /// The start or end, a flat index.
        index: u64,
        /// What it must be a multiple of.
        multiple: u64,
    },
    /// An element type that the operation cannot read or write.
    UnsupportedDType {
        /// The element type.
        dtype: DType,
    },
    /// A device or a library that failed, in its own words: out of memory, a launch that was refused.
    Device {
        /// What failed, and what to do about it.
        what: String,
    },
    /// An index into something that is shorter: a token without a row, a target beyond the vocabulary.
    OutOfRange {
        /// What the index is.
        what: &'static str,
        /// Where it stands, counted from 0.
        position: u64,
        /// The index.
        index: u64,
        /// It must be below this.
        limit: u64,
    },
    /// Codes, scales or maps that the format cannot have.
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
}

impl KernelError {
    /// The flat index that the error names, for taking the first of several chunks' errors.
    pub const fn index(&self) -> Option<u64> {
        match self {
            KernelError::NonFinite { index, .. } | KernelError::Overflow { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// The error of a piece of a tensor that begins at this element and this group.
    #[must_use]
    pub(crate) fn shift(mut self, elements: u64, groups: u64) -> KernelError {
        match &mut self {
            KernelError::NonFinite { index, .. } | KernelError::Overflow { index, .. } => *index += elements,
            KernelError::ScaleOverflow { group, .. } | KernelError::ScaleUnderflow { group, .. } => {
                *group += groups
            }
            _ => {}
        }
        self
    }

    /// Of two errors of one tensor the one to report: the lower index, so that threads cannot choose.
    #[must_use]
    pub fn first(self, other: KernelError) -> KernelError {
        let key = |error: &KernelError| match error {
            KernelError::NonFinite { index, .. } | KernelError::Overflow { index, .. } => (0, *index),
            KernelError::ScaleOverflow { group, .. } | KernelError::ScaleUnderflow { group, .. } => {
                (1, *group)
            }
            _ => (2, 0),
        };
        if key(&other) < key(&self) { other } else { self }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelError::NonFinite { index, value } => write!(f, "element {index} is {value}"),
            KernelError::Overflow { index, value, target } => {
                write!(f, "element {index} is {value:e}, beyond the range of {target}")
            }
            KernelError::ScaleOverflow { group, limit } => {
                write!(f, "the scale of group {group} overflows: its limit is {limit:e}")
            }
            KernelError::ScaleUnderflow { group, limit } => {
                write!(f, "the scale of group {group} rounds to 0: its limit is {limit:e}")
            }
            KernelError::NestedOverflow => {
                f.write_str("the absmax values are too large to be quantised again")
            }
            KernelError::Length { what, expected, found } => {
                write!(f, "{what} has a length of {found}, not {expected}")
            }
            KernelError::Misaligned { index, multiple } => {
                write!(f, "a chunk is cut at element {index}, which is not a multiple of {multiple}")
            }
            KernelError::UnsupportedDType { dtype } => write!(f, "no kernel reads or writes {dtype} here"),
            KernelError::Device { what } => f.write_str(what),
            KernelError::OutOfRange { what, position, index, limit } => {
                write!(f, "{what} {index} at position {position} is not below {limit}")
            }
            KernelError::Malformed { what } => f.write_str(what),
        }
    }
}

impl std::error::Error for KernelError {}

/// `found` must be `expected`.
pub(crate) fn expect_length(what: &'static str, expected: usize, found: usize) -> Result<(), KernelError> {
    if expected == found {
        return Ok(());
    }
    Err(KernelError::Length { what, expected: expected as u64, found: found as u64 })
}
