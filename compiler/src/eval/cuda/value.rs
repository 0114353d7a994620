//! What nodes yield: tensors on the device.

use icpc_kernels::cuda::model::{Floats, Ids};

use crate::eval::error::Failure;

/// Numbers on a device with a shape, in row-major order. Clones are the same memory, which is never written to.
#[derive(Clone, Debug)]
pub(in crate::eval) struct Value {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// Elements of a [`Value`].
#[derive(Clone, Debug)]
pub(in crate::eval) enum Data {
    Index(Ids),
    Float(Floats),
}

impl Value {
    pub(super) fn new(shape: Vec<usize>, floats: Floats) -> Value {
        Value { shape, data: Data::Float(floats) }
    }

    pub(super) fn floats(&self) -> Result<&Floats, Failure> {
        match &self.data {
            Data::Float(floats) => Ok(floats),
            Data::Index(_) => Err(Failure::internal("ids where activations are needed")),
        }
    }

    pub(super) fn ids(&self) -> Result<&Ids, Failure> {
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
            Data::Float(floats) => floats.len(),
            Data::Index(ids) => ids.len(),
        };
        len.checked_div(self.width()).unwrap_or(0)
    }

    /// The shape with another last axis.
    pub(super) fn shape_with(&self, width: usize) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = width;
        }
        shape
    }
}

/// Distances of neighbours along each axis of a shape, in row-major order.
pub(super) fn steps(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![1usize; shape.len()];
    let mut step = 1usize;
    for (slot, extent) in steps.iter_mut().zip(shape).rev() {
        *slot = step;
        step = step.saturating_mul(*extent);
    }
    steps
}
