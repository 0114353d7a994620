//! A resolved recipe: what checker, planner and language server work on.

use std::sync::Arc;

use icpc_kernels::format::Format;

use super::decimal::Decimal;
use super::filter::Condition;
use super::names::join;
use super::value::Value;
use crate::base::Span;
use crate::diag::Loc;
use crate::syntax::tree;

/// A recipe after `extends`, consts and parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Docs of the recipe.
    pub docs: String,
    /// Name in the source.
    pub loc: Loc,
    /// Where an item could be added: the end of the body.
    pub end: Loc,
    /// Architecture named by `for`.
    pub arch: Option<(String, Loc)>,
    /// The smaller shape of it that `for` names.
    pub derive: Option<Derived>,
    /// Checkpoint path as written.
    pub checkpoint: Option<(String, Loc)>,
    /// Where it will run.
    pub target: Option<(Target, Loc)>,
    /// Where it says `casts auto`.
    pub casts: Option<Loc>,
    /// `set` items: defaults of the architecture, overridden.
    pub sets: Vec<(String, Value)>,
    /// Prunings in order.
    pub prunes: Vec<Prune>,
    /// Arms in the order in which they are tried.
    pub arms: Vec<Arm>,
    /// `calibrate { ... }`.
    pub calibrate: Option<Settings>,
    /// `evaluate { ... }`.
    pub evaluate: Option<Settings>,
    /// `tune { ... }`.
    pub tune: Option<Settings>,
    /// Requirements.
    pub requirements: Vec<Requirement>,
    /// Output.
    pub emit: Option<Emit>,
}

impl Recipe {
    /// The folder that it writes, beside the file that says so.
    pub fn output(&self) -> Option<String> {
        self.emit.as_ref().map(|emit| join(&emit.path_loc.file, &emit.path))
    }

    /// Where it runs, if it says so.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref().map(|(target, _)| target)
    }
}

/// `derive student from itera_lite { hidden: 64 }`: a smaller shape of an architecture.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Derived {
    /// `student`.
    pub name: String,
    /// Its name in the file.
    pub loc: Loc,
    /// Dims with their extents, in source order, and where each name stands.
    pub dims: Vec<(String, u64, Loc)>,
}

/// Where a recipe runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// As written: `cpu`, `cuda:1`, `a30`.
    pub name: String,
    /// Whether it is a GPU.
    pub cuda: bool,
}

impl Target {
    /// Number of the GPU, where the name says one: 1 for `cuda:1`.
    pub fn ordinal(&self) -> Option<usize> {
        self.name.strip_prefix("cuda:")?.parse().ok()
    }

    /// Compute capability times ten, where the name says one: 80 for `a30` and `sm_80`.
    pub fn capability(&self) -> Option<u32> {
        match self.name.strip_prefix("sm_") {
            Some(number) => number.parse().ok(),
            None => super::items::GPUS.iter().find(|(name, _)| *name == self.name).map(|(_, sm)| *sm),
        }
    }
}

/// A pattern with the place it was written at; the text is its identity for caching.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Tree, spans relative to the item in `loc`.
    pub tree: Arc<tree::Pattern>,
    /// All of it.
    pub loc: Loc,
    /// Canonical text: its name in plans and reports.
    pub text: Arc<str>,
    /// The `where`; `None` without one.
    pub condition: Option<Condition>,
    /// The `except`.
    pub except: Option<Box<Pattern>>,
    /// Something in it did not resolve and is reported: it claims nothing, and that is not reported again.
    pub broken: bool,
}

impl Pattern {
    /// Place of a span that is relative to this pattern's start.
    pub fn at(&self, span: Span) -> Loc {
        Loc { span: span.absolute_from(self.loc.span.start), ..self.loc.clone() }
    }

    /// The same pattern with all spans relative to its own start, and no file: what it matches depends on nothing else.
    pub fn rebased(&self) -> Pattern {
        let base = self.loc.span.start;
        let mut tree = tree::Pattern::clone(&self.tree);
        crate::syntax::shift_pattern(&mut tree, &mut |span| *span = span.relative_to(base));
        Pattern { tree: Arc::new(tree), loc: nowhere(self.loc.span.relative_to(base)), ..self.detached(base) }
    }

    fn detached(&self, base: u32) -> Pattern {
        let except = self.except.as_ref().map(|e| {
            let mut tree = tree::Pattern::clone(&e.tree);
            crate::syntax::shift_pattern(&mut tree, &mut |span| *span = span.relative_to(base));
            Box::new(Pattern {
                tree: Arc::new(tree),
                loc: nowhere(e.loc.span.relative_to(base)),
                ..e.detached(base)
            })
        });
        Pattern { except, ..self.clone() }
    }

    /// Whether it asks for roles, which only an architecture gives.
    pub fn uses_roles(&self) -> bool {
        let role = |a: &tree::Alternative| matches!(a, tree::Alternative::Role { .. });
        self.tree.alternatives.iter().any(role)
            || self.condition.as_ref().is_some_and(Condition::uses_roles)
            || self.except.as_ref().is_some_and(|e| e.uses_roles())
    }
}

fn nowhere(span: Span) -> Loc {
    Loc { file: Arc::from(""), item: None, span }
}

/// `pattern => format`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// What it claims.
    pub pattern: Pattern,
    /// What it does; `None` when the format did not resolve (reported already).
    pub format: Option<Format>,
    /// The format value, for labels on its arguments.
    pub value: Value,
    /// The whole arm.
    pub loc: Loc,
    /// 0 for the recipe's own arms, 1 for those of the recipe it extends, and so on.
    pub depth: u32,
}

/// A pruning.
#[derive(Clone, Debug, PartialEq)]
pub struct Prune {
    /// Named dim (`prune dim expert in ...`).
    pub dim: Option<(String, Loc)>,
    /// Where.
    pub pattern: Pattern,
    /// How; `None` when the fields did not resolve.
    pub how: Option<PruneHow>,
    /// The value of `keep` or `sparsity`.
    pub amount: Option<Value>,
    /// The whole item.
    pub loc: Loc,
}

/// What a pruning does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PruneHow {
    /// Zeroes values.
    Mask(Mask),
    /// Removes indices of a dim or family.
    Keep(Keep, Norm),
}

/// How many indices stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// This many.
    Count(u64),
    /// This share, rounded down, at least one.
    Share(Decimal),
}

/// Fields of `calibrate`, `evaluate` and `tune`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The keyword.
    pub loc: Loc,
    /// Name, its place, value; names are known and unique.
    pub fields: Vec<(String, Loc, Value)>,
}

impl Settings {
    /// Field by name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(n, ..)| n == name).map(|(_, _, v)| v)
    }
}

/// What a requirement measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Metric {
    /// Bytes of all output files with weights; decided by the checker.
    Size,
    /// Bytes of the source's tensors over bytes of the output; decided by the checker.
    Compression,
    /// Peak memory of the run; decided by the checker.
    Memory,
    /// Lowest signal-to-quantisation-noise ratio of any tensor in dB; decided by the run.
    Sqnr,
    /// Share of values that a clip cut off; decided by the run.
    Clipped,
    /// Perplexity of the model; needs the model to run.
    Perplexity,
}

/// `size <= 3 MB;`
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// What.
    pub metric: Metric,
    /// Compared how.
    pub op: tree::CompareOp,
    /// With what.
    pub bound: Value,
    /// The whole requirement.
    pub loc: Loc,
}

/// `emit "out" as safetensors;`
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// Folder as written.
    pub path: String,
    /// Its place.
    pub path_loc: Loc,
    /// Container, `None` when the name did not resolve.
    pub container: Option<OutputContainer>,
    /// Place of the container's name (or of the path, when left out).
    pub container_loc: Loc,
    /// `shards: 5 GB`.
    pub shard_bytes: Option<u64>,
}

/// Container of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputContainer {
    /// Our own part names in safetensors files.
    Safetensors,
    /// The keys that bitsandbytes and transformers load.
    Bitsandbytes,
}

/// Ranking of indices or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Norm {
    /// Sum of absolute values.
    L1,
    /// Square root of the sum of squares; `magnitude` for a dim.
    L2,
}

/// Values that become zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mask {
    /// The `floor(n * millionths / 10^6)` values of smallest magnitude; of equal ones the first.
    Magnitude {
        /// Sparsity in millionths.
        millionths: u32,
    },
    /// In each run of `of` values along the last axis, all but the `keep` largest; of equal ones the first stays.
    NOfM {
        /// Values kept.
        keep: u32,
        /// Length of a run.
        of: u32,
    },
}
