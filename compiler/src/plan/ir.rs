//! The plan's data. Everything here is known from the header; what only the weights can decide (which experts
//! are kept, the scales) is named by a [`Selection`] or computed by a format, and never changes a size.

use std::sync::Arc;

use icpc_kernels::DType;
use icpc_kernels::format::{Activations, Format};

pub use super::tune::TunePlan;
pub use crate::hir::{Mask, Norm, OutputContainer};

/// A compression, lowered: the input of a run, of `icpc plan` and of `icpc verify`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Name of the recipe.
    pub recipe: String,
    /// What is compressed.
    pub source: SourceFacts,
    /// Architecture and its dims after unification, in order of declaration.
    pub arch: Option<ArchFacts>,
    /// How the output is written.
    pub container: OutputContainer,
    /// Largest size of one output file; one file if `None`.
    pub shard_bytes: Option<u64>,
    /// Choices that the run makes, each once for all tensors that share a dim.
    pub selections: Vec<Selection>,
    /// Every output tensor, in the order of the source; tied names are one tensor.
    pub tensors: Vec<TensorPlan>,
    /// The smaller shape that the run makes of the checkpoint first; all else is said of that shape.
    pub derive: Option<DerivePlan>,
    /// Source tensors that are not in the output, with the arm that drops them.
    pub dropped: Vec<Dropped>,
    /// What is trained, behind the cuts and before the formats.
    pub tune: Option<TunePlan>,
    /// Where a program that loads the output converts element types, if the recipe says `casts auto`.
    pub casts: Vec<Casts>,
    /// The measurement at the end of a run, if the recipe requires a perplexity.
    pub evaluation: Option<Evaluation>,
    /// What static scales of activations are measured on, if a tensor has one.
    pub calibration: Option<CalibrationFacts>,
    /// What running the samples of the calibration takes, unless their statistics are read from a file.
    pub calibrating: Option<Calibrating>,
}

/// A smaller shape of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DerivePlan {
    /// `student`.
    pub name: String,
    /// SHA-256 (hex) of the header of the checkpoint.
    pub header_hash: String,
    /// Dims with their extents in the checkpoint and in the shape.
    pub dims: Vec<(String, u64, u64)>,
}

/// How samples are made of the data; what the recipe leaves out, the run decides by the data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CalibrationFacts {
    /// Samples.
    pub samples: Option<u64>,
    /// Tokens of a sample at most.
    pub max_length: Option<u64>,
    /// By what they are drawn; the first ones without it.
    pub seed: Option<u64>,
    /// Whether they were run before, and their statistics are read from a file.
    pub statistics: bool,
}

impl Plan {
    /// Whether a tensor stores a scale of activations.
    pub fn has_static_scales(&self) -> bool {
        self.tensors.iter().any(|tensor| match &tensor.format {
            Format::Int(int) => matches!(int.activations, Activations::Static(_)),
            _ => false,
        })
    }
}

/// What the source stores.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceFacts {
    /// SHA-256 (hex) of the header.
    pub header_hash: String,
    /// Tensors, tied ones once.
    pub tensors: u64,
    /// Bytes of all tensors, tied ones once: the denominator of every ratio.
    pub tensor_bytes: u64,
}

/// What unification found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArchFacts {
    /// Name of the architecture.
    pub name: String,
    /// Dims and their extents before pruning.
    pub dims: Vec<(String, u64)>,
}

/// A dim of which the run keeps some indices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    /// `experts`, `inner`.
    pub dim: String,
    /// Where it holds: `layers.1.moe.layer`, empty for the whole model.
    pub scope: String,
    /// Extent before.
    pub of: u64,
    /// Extent after; at least 1, below `of`.
    pub keep: u64,
    /// How indices are ranked; the kept ones stay in ascending order.
    pub by: Norm,
    /// Weights whose slices are ranked, in plan order: the score of index i is the norm over all its slices.
    pub voters: Vec<Voter>,
}

/// One tensor that takes part in ranking a dim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Voter {
    /// The dim stands in an axis of the tensor.
    Axis {
        /// Source tensor.
        tensor: String,
        /// Where and how.
        slice: AxisSlice,
    },
    /// The whole tensor belongs to one index (`experts.3.w1.weight`).
    Member {
        /// Source tensor.
        tensor: String,
        /// Its index.
        index: u64,
    },
}

/// How a dim stands in an axis: the axis is `before + outer * of * inner + after` long; index i owns, for each o
/// below `outer`, the `inner` rows from `before + (o * of + i) * inner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisSlice {
    /// Axis of the tensor.
    pub axis: usize,
    /// Rows of the axis that come before and are kept.
    pub before: u64,
    /// Repetitions outside.
    pub outer: u64,
    /// Rows of one index.
    pub inner: u64,
    /// Rows of the axis that come after and are kept.
    pub after: u64,
}

/// One output tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorPlan {
    /// Name in the output; differs from the source's only for members of a pruned family.
    pub name: String,
    /// Other names of the same storage.
    pub aliases: Vec<String>,
    /// Where the elements come from.
    pub source: TensorSource,
    /// Element type in the source.
    pub dtype: DType,
    /// Shape in the source.
    pub source_shape: Vec<u64>,
    /// Shape after pruning.
    pub shape: Vec<u64>,
    /// Axes from which indices are removed; at most one entry an axis.
    pub cuts: Vec<Cut>,
    /// Values set to zero, after the cuts.
    pub mask: Option<Mask>,
    /// How it is stored.
    pub format: Format,
    /// The arm that owns it: number from 1 and text, as written.
    pub arm: ArmRef,
}

/// Source of an output tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TensorSource {
    /// This tensor of the source.
    Tensor(String),
    /// The member of a family that stands at `position` among the kept indices of `selection`.
    Kept {
        /// Index into [`Plan::selections`].
        selection: usize,
        /// Rank among the kept.
        position: u64,
        /// Source tensor of each index of the family; all have the same dtype and shape.
        family: Vec<String>,
    },
}

/// Removal of the indices that a selection does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// Index into [`Plan::selections`].
    pub selection: usize,
    /// Which rows belong to an index.
    pub slice: AxisSlice,
}

/// The arm that decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArmRef {
    /// From 1, in the order in which they are tried.
    pub number: u32,
    /// The pattern as written; shared, since it may be long and own many tensors.
    pub pattern: Arc<str>,
}

/// A source tensor that the recipe drops.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dropped {
    /// Name in the source.
    pub name: String,
    /// Its bytes there.
    pub bytes: u64,
    /// The arm whose format is `drop`.
    pub arm: ArmRef,
}

/// What measuring the output beside the checkpoint takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evaluation {
    /// Tokens of a window, targets included.
    pub window: u64,
    /// Windows that the recipe runs at once; as many as threads if it does not say.
    pub batch: Option<u64>,
    /// Scores of a position.
    pub vocabulary: Option<u64>,
    /// Weights of the checkpoint that are read.
    pub source: u64,
    /// Weights of both that are kept in f32, too.
    pub copies: u64,
    /// Activations and scores of one window.
    pub each: u64,
    /// The text and its tokens.
    pub text: u64,
}

/// What running samples for statistics takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Calibrating {
    /// Samples that the recipe runs at once; as many as threads if it does not say.
    pub batch: Option<u64>,
    /// Weights that are read.
    pub source: u64,
    /// Weights that are kept in f32, too.
    pub copies: u64,
    /// Activations and scores of one sample.
    pub each: u64,
    /// Statistics of all matrices.
    pub statistics: u64,
    /// The text and its tokens.
    pub text: u64,
}

/// Operands of one kind that are converted to the type that their operation computes in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Casts {
    /// Names of weights as a recipe could write them, or of an operation's parameter and where it stands.
    pub operand: String,
    /// What reads them.
    pub operation: String,
    /// Their type.
    pub from: DType,
    /// The wider one.
    pub to: DType,
    /// How many there are.
    pub count: u64,
}
