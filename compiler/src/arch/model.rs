//! What unification of a declared architecture with a checkpoint's header yields.

use std::sync::Arc;

use crate::base::Span;
use crate::hir::value::Kind;

/// An architecture that was unified with a checkpoint, successfully or not.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchModel {
    /// Name of the architecture.
    pub name: String,
    /// Dims in order of declaration; implicit ones (`layers`) where they first occur.
    pub dims: Vec<Dim>,
    /// Facts of each tensor, index for index as in the schema's tensors.
    pub tensors: Vec<Option<TensorFacts>>,
    /// Indexed families such as `layers` and `layers.1.moe.layer.experts`.
    pub families: Vec<Family>,
    /// Values that are not inferable: top-k, heads.
    pub settings: Vec<Setting>,
    /// Bounds on lengths, such as `sequence <= positions`.
    pub bounds: Vec<LengthBound>,
    /// Where declaration and checkpoint disagree, most telling first.
    pub conflicts: Vec<Conflict>,
    /// Declared ties whose two tensors are both there with a storage of their own: alias, target (indices into the
    /// schema's tensors). No conflict: such a model is untied.
    pub untied: Vec<(usize, usize)>,
}

impl ArchModel {
    /// Whether every tensor is declared, every declared one exists and all shapes agree.
    pub fn fits(&self) -> bool {
        self.conflicts.is_empty()
    }

    /// Dim by name.
    pub fn dim(&self, name: &str) -> Option<&Dim> {
        self.dims.iter().find(|d| d.name == name)
    }
}

/// A dim: a type variable, bound by the first tensor that fixes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dim {
    /// `hidden`.
    pub name: String,
    /// Its extent; `None` where no tensor of this checkpoint has it.
    pub value: Option<u64>,
    /// What fixed it.
    pub origin: Option<Origin>,
    /// `recurrent`: a state that is fed back; may not be pruned.
    pub recurrent: bool,
    /// `residual`: read and written by every block; may not be pruned.
    pub residual: bool,
    /// Indexed prefix below which it stands, as a pattern (`layers.*.moe.layer.experts.*`); empty for the whole model.
    /// A dim of a scope is pruned independently in each instance of the scope.
    pub scope: String,
}

/// Where a number came from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// An axis of a tensor, `expr` being what is declared there (`2 * inner`).
    Axis {
        /// Index into the schema's tensors.
        tensor: usize,
        /// Axis.
        axis: usize,
        /// Declared expression.
        expr: String,
    },
    /// The number of members of a family, one of whose tensors is given.
    Members {
        /// Index into the schema's tensors.
        tensor: usize,
        /// `layers`.
        family: String,
    },
    /// A configuration file (`config.json:12`).
    Config(String),
    /// The declaration's default.
    Default,
    /// `set` in the recipe, or `--set`.
    Recipe,
}

/// What the declaration says of one tensor of the checkpoint. The lists are shared by all tensors of a declaration,
/// because a header can have a hundred thousand tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFacts {
    /// Roles without `@`, sorted.
    pub roles: Arc<[String]>,
    /// For each axis, the dims that stand in it; empty where the rank differs from the declared one.
    pub axes: Arc<[AxisDims]>,
    /// Families that the tensor is a member of, outermost first.
    pub indices: Arc<[MemberOf]>,
    /// Bytes of the declaration in its file.
    pub span: Span,
}

/// The terms of one axis in order: `inner + 2 * state` has two terms.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisDims {
    /// As declared.
    pub expr: String,
    /// Terms laid one behind the other; empty where an extent is not known or disagrees with the tensor's.
    pub terms: Vec<Term>,
}

/// A product of factors, outermost first: `2 * inner` is `[Const(2), Dim("inner")]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// At least one.
    pub factors: Vec<Factor>,
    /// Its extent in this checkpoint.
    pub value: u64,
}

/// Factor of a [`Term`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Factor {
    Const(u64),
    /// A dim with its extent.
    Dim(String, u64),
}

/// Membership of a tensor in a family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberOf {
    /// Name up to and including the indexed segment's name: `layers.1.moe.layer.experts`.
    pub family: Arc<str>,
    /// Dim that counts the members: `experts`.
    pub dim: Arc<str>,
    /// Which member.
    pub index: u64,
}

/// An indexed family.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// `layers.1.moe.layer.experts`.
    pub path: String,
    /// Dim that counts the members.
    pub dim: String,
    /// Number of members; they are 0..members without gaps (a gap is a conflict).
    pub members: u64,
}

/// A declared default and the value that holds here.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// `top_k`.
    pub name: String,
    /// Kind of the values that a recipe may set, where one is known.
    pub kind: Option<Kind>,
    /// Its value: integers exactly, floats as written.
    pub value: SettingValue,
    /// Where it came from.
    pub origin: Origin,
    /// Largest value (`experts`): text of the bound and its number, where the dim is known.
    pub at_most: Option<(String, u64)>,
}

/// Value of a [`Setting`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum SettingValue {
    Int(i64),
    Text(String),
}

/// `sequence <= positions`.
#[derive(Clone, Debug, PartialEq)]
pub struct LengthBound {
    /// `sequence`.
    pub name: String,
    /// Largest length.
    pub at_most: u64,
    /// Declared expression.
    pub expr: String,
    /// What fixed the number.
    pub origin: Origin,
}

/// A disagreement of declaration and checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Conflict {
    /// Two axes give one dim two extents.
    Dim {
        /// The dim.
        dim: String,
        /// Extent and origin that came first.
        first: (u64, Origin),
        /// Extent and origin that disagree; not a whole number of the declared product when `None`.
        second: (Option<u64>, Origin),
    },
    /// Rank differs from the declared one.
    Rank {
        /// Index into the schema's tensors.
        tensor: usize,
        /// Declared axes.
        declared: Vec<String>,
    },
    /// An axis that disagrees with its declaration, where no single dim is to blame: a constant (`[inner, 1, conv]`),
    /// or no whole number of the declared product.
    Axis {
        /// Index into the schema's tensors.
        tensor: usize,
        /// Axis.
        axis: usize,
        /// Declared expression.
        expr: String,
    },
    /// A declared tensor that the checkpoint lacks.
    Missing {
        /// Full name; of several instances (`layers.*.x`) the first that lacks it.
        name: String,
        /// Further instances that lack it too.
        others: u64,
        /// Bytes of its declaration.
        span: Span,
    },
    /// A tensor that nothing declares.
    Unknown {
        /// Index into the schema's tensors.
        tensor: usize,
    },
    /// Members of a family are not 0..n.
    Gap {
        /// Family.
        family: String,
        /// First index that is missing.
        missing: u64,
    },
    /// No branch of an `either` fits below this prefix.
    Branch {
        /// Prefix such as `layers.1`.
        prefix: String,
        /// For each branch, a tensor that it lacks.
        lacking: Vec<String>,
    },
}
