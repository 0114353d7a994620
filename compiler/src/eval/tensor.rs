//! What nodes yield on engines that compute in the memory of the processor.

use icpc_kernels::memory;

use super::error::Failure;

/// Numbers with a shape, in row-major order.
#[derive(Clone, Debug)]
pub(super) struct Tensor<T = f32> {
    pub shape: Vec<usize>,
    pub data: Data<T>,
}

/// Elements of a [`Tensor`].
#[derive(Clone, Debug)]
pub(super) enum Data<T> {
    Index(Vec<u32>),
    Float(Vec<T>),
}

impl<T> Tensor<T> {
    pub(super) fn floats(shape: Vec<usize>, values: Vec<T>) -> Tensor<T> {
        Tensor { shape, data: Data::Float(values) }
    }

    pub(super) fn values(&self) -> Result<&[T], Failure> {
        match &self.data {
            Data::Float(values) => Ok(values),
            Data::Index(_) => Err(Failure::internal("ids where activations are needed")),
        }
    }

    pub(super) fn into_values(self) -> Result<Vec<T>, Failure> {
        match self.data {
            Data::Float(values) => Ok(values),
            Data::Index(_) => Err(Failure::internal("ids where activations are needed")),
        }
    }

    pub(super) fn ids(&self) -> Result<&[u32], Failure> {
        match &self.data {
            Data::Index(ids) => Ok(ids),
            Data::Float(_) => Err(Failure::internal("activations where ids are needed")),
        }
    }

    /// Length of the last axis; 1 for a single number.
    pub(super) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all axes but the last.
    pub(super) fn rows(&self) -> usize {
        let len = match &self.data {
            Data::Float(values) => values.len(),
            Data::Index(ids) => ids.len(),
        };
        len.checked_div(self.width()).unwrap_or(0)
    }

    /// Numbers of one sequence of those that are run together.
    pub(super) fn sequence(&self) -> usize {
        let tokens = self.shape.iter().rev().nth(1).copied().unwrap_or(1);
        tokens.saturating_mul(self.width()).max(1)
    }
}

/// Zeros of a shape, if memory can hold them.
pub(super) fn zeros<T: Copy + Default>(shape: &[usize]) -> Result<Vec<T>, Failure> {
    let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let len = len.ok_or_else(|| Failure::new("the result does not fit in memory"))?;
    memory::zeroed(len).map_err(|_| Failure::new(format!("there is no memory for {len} numbers")))
}
