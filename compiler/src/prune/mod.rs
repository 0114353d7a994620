//! Pruning as a change of types: a dim loses indices, and every tensor in which it stands is cut alike.

use std::collections::BTreeMap;

use crate::hir::{Mask, Norm};

mod dims;
pub mod lower;
pub mod problems;
pub mod removed;

pub use lower::lower;
pub use removed::{Removed, removed};

/// What all prunings of a recipe remove. Tensors are indices into the schema's tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Choices of the run, one for each instance of a pruned dim.
    pub selections: Vec<Selection>,
    /// Cuts of each tensor.
    pub cuts: BTreeMap<usize, Vec<Cut>>,
    /// Values set to zero.
    pub masks: BTreeMap<usize, Mask>,
    /// Which pruning does that: its tensors, ascending, by the number of the pruning.
    pub masked: BTreeMap<usize, Vec<usize>>,
    /// Members of pruned families.
    pub members: BTreeMap<usize, Member>,
    /// Shapes after the cuts, for the tensors that have any.
    pub shapes: BTreeMap<usize, Vec<u64>>,
    /// Tensors of which a family loses members, and those that lose rows or values: by pruning, in recipe order.
    pub dims: BTreeMap<String, usize>,
}

impl Pruned {
    /// Shape of a tensor if a pruning changes it.
    pub fn shape(&self, tensor: usize) -> Option<&[u64]> {
        self.shapes.get(&tensor).map(Vec::as_slice)
    }

    /// Number of the pruning that cuts `dim`.
    pub fn pruning_of(&self, dim: &str) -> Option<usize> {
        self.dims.get(dim).copied()
    }
}

/// One instance of a pruned dim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// `experts`.
    pub dim: String,
    /// `layers.1`.
    pub scope: String,
    /// Extent before.
    pub of: u64,
    /// Extent after.
    pub keep: u64,
    /// Ranking.
    pub by: Norm,
    /// Who is ranked: a tensor and where the dim stands in it, or a member and its index.
    pub voters: Vec<Voter>,
}

/// A tensor that takes part in ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Voter {
    Axis { tensor: usize, slice: Slice },
    Member { tensor: usize, index: u64 },
}

/// How a dim stands in an axis: the axis is `before + outer * of * inner + after` long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub struct Slice {
    pub axis: usize,
    pub before: u64,
    pub outer: u64,
    pub inner: u64,
    pub after: u64,
}

/// Removal of the indices that a selection does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Cut {
    pub selection: usize,
    pub slice: Slice,
}

/// A tensor of a family that loses members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which choice.
    pub selection: usize,
    /// Its index before.
    pub index: u64,
    /// Name before the index, without the dot.
    pub family: String,
    /// Name behind the index, with its dot; empty if the name ends there.
    pub suffix: String,
}
