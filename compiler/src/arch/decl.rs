//! A declared architecture, resolved: names are indices, braces are multiplied out, blocks are paths.

use std::sync::Arc;

use super::model::SettingValue;
use crate::base::Span;
use crate::hir::value::Kind;

/// A declared architecture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArchDecl {
    /// Its name.
    pub name: String,
    /// Text of the `///` lines above.
    pub docs: String,
    /// Dims in order of declaration; implicit ones (`layers`) where they first occur.
    pub dims: Vec<DimDecl>,
    /// Indexed families, outer ones before inner ones.
    pub families: Vec<FamilyDecl>,
    /// Optional segments of names.
    pub switches: Vec<SwitchDecl>,
    /// `either ... or ...`, outer ones before inner ones.
    pub eithers: Vec<EitherDecl>,
    /// Tensors in order of declaration, `{a,b}` multiplied out; aliases of `a = b` too.
    pub tensors: Vec<TensorDecl>,
    /// `sequence <= positions`.
    pub bounds: Vec<BoundDecl>,
    /// `default top_k: int = 2 <= experts`.
    pub defaults: Vec<DefaultDecl>,
}

/// A mistake in a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclProblem {
    /// Smallest place that must change.
    pub span: Span,
    /// One clause, lower case.
    pub headline: String,
    /// Text at the span, may be empty.
    pub label: String,
}

/// A dim.
#[derive(Clone, Debug, PartialEq)]
pub struct DimDecl {
    /// `hidden`.
    pub name: String,
    /// Where it is declared or first counted.
    pub span: Span,
    /// Declared by an index or a default alone.
    pub implicit: bool,
    /// `recurrent`.
    pub recurrent: bool,
    /// `residual`.
    pub residual: bool,
}

/// `experts[e]` below `layers[i]`.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyDecl {
    /// Path up to and including its name and its index.
    pub path: Vec<PathStep>,
    /// Dim that counts the members.
    pub dim: usize,
    /// Family in which it stands.
    pub within: Option<usize>,
    /// Branches in which it stands.
    pub inside: Vec<BranchRef>,
}

/// `transformer?`: one choice for all names of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchDecl {
    /// The segment that may be missing.
    pub segment: String,
    /// Family in which it stands: the choice is made for each member.
    pub within: Option<usize>,
}

/// `either { ... } or { ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct EitherDecl {
    /// Number of branches, at least one.
    pub branches: usize,
    /// Path of the block in which it stands.
    pub path: Vec<PathStep>,
    /// Family in which it stands: the choice is made for each member.
    pub within: Option<usize>,
    /// Branches in which it stands itself.
    pub inside: Vec<BranchRef>,
}

/// One branch of one `either`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BranchRef {
    /// Index into [`ArchDecl::eithers`].
    pub either: usize,
    /// Which branch.
    pub branch: usize,
}

/// One segment of a declared name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathStep {
    /// `embedding`.
    Name(String),
    /// `transformer?`.
    Optional {
        /// Index into [`ArchDecl::switches`].
        switch: usize,
        /// The segment.
        name: String,
    },
    /// The number of a member; its family's name stands before it.
    Index {
        /// Index into [`ArchDecl::families`].
        family: usize,
    },
}

/// A declared tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDecl {
    /// Its name.
    pub path: Vec<PathStep>,
    /// Innermost family in which it stands.
    pub within: Option<usize>,
    /// Branches in which it stands, outermost first.
    pub inside: Vec<BranchRef>,
    /// It may be absent.
    pub optional: bool,
    /// Extents, outermost first.
    pub shape: Vec<Expr>,
    /// Roles without `@`, sorted.
    pub roles: Arc<[String]>,
    /// Bytes of the declaration.
    pub span: Span,
    /// Tensor that has the same storage: `lm_head.weight = embedding.weight`.
    pub alias_of: Option<usize>,
}

/// Length of an axis: terms laid one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// As declared, spaces normalised.
    pub text: String,
    /// Empty where the declaration is broken: then the axis has no known length and is not checked.
    pub terms: Vec<ExprTerm>,
}

/// A product, outermost factor first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprTerm {
    /// At least one.
    pub factors: Vec<ExprFactor>,
}

/// Factor of an [`ExprTerm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprFactor {
    /// A number.
    Const(u64),
    /// Index into [`ArchDecl::dims`].
    Dim(usize),
}

/// An upper bound of a length.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundDecl {
    /// `sequence`.
    pub name: String,
    /// Right side.
    pub limit: Limit,
}

/// Right side of `<=` or `<`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The expression.
    pub expr: Expr,
    /// `<`: the largest value is one less.
    pub strict: bool,
}

/// A value that shapes do not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultDecl {
    /// `top_k`.
    pub name: String,
    /// The dim of this name, where the default's name stands in a shape.
    pub dim: Option<usize>,
    /// Its kind: declared, or that of the default; `None` for a name, which has none.
    pub kind: Option<Kind>,
    /// The value if nothing else tells it.
    pub value: SettingValue,
    /// Its bound.
    pub limit: Option<Limit>,
    /// Keys of a configuration that tell it, the first one there wins.
    pub config_keys: Vec<String>,
}

impl ArchDecl {
    /// Index of the dim `name`.
    pub fn dim(&self, name: &str) -> Option<usize> {
        self.dims.iter().position(|d| d.name == name)
    }

    /// Name of a path as a pattern: `layers.*.ssm.A_log`, optional segments with `?`.
    pub fn pattern(&self, path: &[PathStep]) -> String {
        let shown: Vec<String> = path
            .iter()
            .map(|step| match step {
                PathStep::Name(name) => name.clone(),
                PathStep::Optional { name, .. } => format!("{name}?"),
                PathStep::Index { .. } => "*".to_owned(),
            })
            .collect();
        shown.join(".")
    }

    /// Families around and including `family`, outermost first.
    pub fn chain(&self, family: Option<usize>) -> Vec<usize> {
        let mut chain: Vec<usize> =
            std::iter::successors(family, |f| self.families.get(*f)?.within).collect();
        chain.reverse();
        chain
    }
}

impl Expr {
    /// Dims that stand in it, each once, in order.
    pub fn dims(&self) -> Vec<usize> {
        let mut dims = Vec::new();
        for factor in self.terms.iter().flat_map(|t| &t.factors) {
            if let ExprFactor::Dim(d) = factor
                && !dims.contains(d)
            {
                dims.push(*d);
            }
        }
        dims
    }

    /// Its value when every dim's is known; `None` otherwise, and on overflow.
    pub fn value(&self, dims: &[Option<u64>]) -> Option<u64> {
        let sum = self.terms.iter().try_fold(0u64, |sum, term| sum.checked_add(term.value(dims)?));
        sum.filter(|_| !self.terms.is_empty())
    }

    /// Whether it is one dim and nothing else.
    pub fn is_plain(&self) -> bool {
        matches!(self.terms.as_slice(), [ExprTerm { factors }] if matches!(factors.as_slice(), [ExprFactor::Dim(_)]))
    }
}

impl ExprTerm {
    /// Its value when every dim's is known; `None` otherwise, and on overflow.
    pub fn value(&self, dims: &[Option<u64>]) -> Option<u64> {
        self.factors.iter().try_fold(1u64, |product, f| product.checked_mul(f.value(dims)?))
    }
}

impl ExprFactor {
    /// Its value when the dim's is known.
    pub fn value(self, dims: &[Option<u64>]) -> Option<u64> {
        match self {
            ExprFactor::Const(n) => Some(n),
            ExprFactor::Dim(d) => dims.get(d).copied().flatten(),
        }
    }
}
