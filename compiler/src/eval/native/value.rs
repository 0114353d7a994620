//! What nodes yield.

use icpc_kernels::memory;

use crate::eval::error::Failure;

/// Numbers with a shape, in row-major order.
#[derive(Clone, Debug)]
pub(in crate::eval) struct Tensor {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// Elements of a [`Tensor`].
#[derive(Clone, Debug)]
pub(in crate::eval) enum Data {
    Index(Vec<u32>),
    Float(Vec<f32>),
}

impl Tensor {
    pub(in crate::eval) fn floats(shape: Vec<usize>, values: Vec<f32>) -> Tensor {
        Tensor { shape, data: Data::Float(values) }
    }

    pub(in crate::eval) fn values(&self) -> Result<&[f32], Failure> {
        match &self.data {
            Data::Float(values) => Ok(values),
            Data::Index(_) => Err(Failure::internal("ids where activations are needed")),
        }
    }

    pub(in crate::eval) fn into_values(self) -> Result<Vec<f32>, Failure> {
        match self.data {
            Data::Float(values) => Ok(values),
            Data::Index(_) => Err(Failure::internal("ids where activations are needed")),
        }
    }

    pub(in crate::eval) fn ids(&self) -> Result<&[u32], Failure> {
        match &self.data {
            Data::Index(ids) => Ok(ids),
            Data::Float(_) => Err(Failure::internal("activations where ids are needed")),
        }
    }

    /// Length of the last axis; 1 for a single number.
    pub(in crate::eval) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all axes but the last.
    pub(in crate::eval) fn rows(&self) -> usize {
        let len = match &self.data {
            Data::Float(values) => values.len(),
            Data::Index(ids) => ids.len(),
        };
        len.checked_div(self.width()).unwrap_or(0)
    }
}

/// Zeros of a shape, if memory can hold them.
pub(in crate::eval) fn zeros(shape: &[usize]) -> Result<Vec<f32>, Failure> {
    let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let len = len.ok_or_else(|| Failure::new("the result does not fit in memory"))?;
    memory::zeroed(len).map_err(|_| Failure::new(format!("there is no memory for {len} numbers")))
}
