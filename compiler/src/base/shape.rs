//! Tensor shapes with arithmetic that cannot overflow unnoticed: headers are untrusted.

use std::fmt;
use std::sync::Arc;

use super::DType;

/// Extents of a tensor, outermost first; a scalar has none. Tensors by the thousand have the same few shapes, so they share
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub Arc<[u64]>);

impl From<Vec<u64>> for Shape {
    fn from(extents: Vec<u64>) -> Shape {
        Shape(extents.into())
    }
}

impl Shape {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Extent of `axis`.
    pub fn dim(&self, axis: usize) -> Option<u64> {
        self.0.get(axis).copied()
    }

    /// Number of elements, `None` on overflow.
    pub fn len(&self) -> Option<u64> {
        checked_len(&self.0)
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.0.contains(&0)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{d}")?;
        }
        f.write_str("]")
    }
}

/// Product of `dims`, `None` on overflow. An extent of 0 gives 0 whatever the others are.
pub fn checked_len(dims: &[u64]) -> Option<u64> {
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d))
}

/// Bytes of a dense tensor, `None` on overflow.
pub fn checked_bytes(dims: &[u64], dtype: DType) -> Option<u64> {
    checked_len(dims)?.checked_mul(dtype.width())
}
