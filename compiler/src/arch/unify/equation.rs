//! What the checkpoint says of the dims: each declared axis and each family is an equation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::accept::Accepted;
use super::members::Members;
use crate::arch::decl::{ArchDecl, Expr, ExprFactor, ExprTerm};
use crate::arch::model::{Conflict, Origin};
use crate::checkpoint::Schema;

/// `expr = extent`, said by some tensors.
pub(super) struct Equation<'d> {
    /// Left side.
    pub expr: Cow<'d, Expr>,
    /// Right side.
    pub extent: u64,
    /// Number of tensors, or families, that say so.
    pub weight: u64,
    /// The first of them.
    pub source: Source,
    /// Declared axis, the same for all extents that it has in the checkpoint; `None` for a family.
    pub axis: Option<(usize, usize)>,
    class: Class,
}

/// Where an equation stands.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Tensor and axis.
    Axis(usize, usize),
    /// Tensor and family.
    Members(usize, String),
}

/// How well an equation tells where a number comes from: the clearest comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// `[hidden]` of a weight.
    Plain,
    /// The number of members.
    Members,
    /// `[experts]` of a buffer, such as a counter.
    Buffer,
    /// `2 * inner`.
    Compound,
}

impl Equation<'_> {
    /// Where it stands, for messages.
    pub(super) fn origin(&self) -> Origin {
        match &self.source {
            Source::Axis(tensor, axis) => {
                Origin::Axis { tensor: *tensor, axis: *axis, expr: self.expr.text.clone() }
            }
            Source::Members(tensor, family) => Origin::Members { tensor: *tensor, family: family.clone() },
        }
    }

    /// As [`Conflict::Axis`]; a family's count is one dim, so it is always that dim's conflict.
    pub(super) fn conflict(&self) -> Option<Conflict> {
        match &self.source {
            Source::Axis(tensor, axis) => {
                Some(Conflict::Axis { tensor: *tensor, axis: *axis, expr: self.expr.text.clone() })
            }
            Source::Members(..) => None,
        }
    }
}

/// Extents of one declared axis: how many tensors have it, and the first of them. Nearly always there is one extent.
#[derive(Clone, Default)]
struct Seen {
    first: Option<(u64, (u64, usize))>,
    others: BTreeMap<u64, (u64, usize)>,
}

impl Seen {
    fn see(&mut self, extent: u64, tensor: usize) {
        match self.first.get_or_insert((extent, (0, tensor))) {
            (first, (times, _)) if *first == extent => *times += 1,
            _ => self.others.entry(extent).or_insert((0, tensor)).0 += 1,
        }
    }

    fn all(self) -> impl Iterator<Item = (u64, (u64, usize))> {
        self.first.into_iter().chain(self.others)
    }
}

/// All equations, the clearest first, then in file order. Equal ones are one with their number.
pub(super) fn equations<'d>(
    decl: &'d ArchDecl,
    schema: &Schema,
    accepted: &Accepted,
    families: &[Members],
) -> Vec<Equation<'d>> {
    let mut seen: Vec<Vec<Seen>> =
        decl.tensors.iter().map(|t| vec![Seen::default(); t.shape.len()]).collect();
    for (number, (tensor, found)) in schema.tensors.iter().zip(&accepted.tensors).enumerate() {
        let Some(axes) = found.filter(|f| f.rank).and_then(|f| seen.get_mut(f.decl)) else { continue };
        for (axis, extent) in axes.iter_mut().zip(tensor.shape.0.iter()) {
            axis.see(*extent, number);
        }
    }
    let mut equations = Vec::new();
    for (number, (declared, axes)) in decl.tensors.iter().zip(seen).enumerate() {
        let buffer = declared.roles.iter().any(|r| r == "buffer");
        for (axis, (expr, seen)) in declared.shape.iter().zip(axes).enumerate() {
            let class = match (expr.is_plain(), buffer) {
                (true, false) => Class::Plain,
                (true, true) => Class::Buffer,
                (false, _) => Class::Compound,
            };
            equations.extend(seen.all().map(|(extent, (weight, first))| Equation {
                expr: Cow::Borrowed(expr),
                extent,
                weight,
                source: Source::Axis(first, axis),
                axis: Some((number, axis)),
                class,
            }));
        }
    }
    // A broken expression says nothing.
    equations.retain(|e| !e.expr.terms.is_empty());
    equations.extend(counts(decl, families));
    equations.sort_by_key(|e| match &e.source {
        Source::Axis(tensor, axis) => (e.class, *tensor, *axis),
        Source::Members(tensor, _) => (e.class, *tensor, 0),
    });
    equations
}

/// Numbers of members; a family without members says nothing here, because no tensor shows it.
fn counts<'d>(decl: &ArchDecl, families: &[Members]) -> Vec<Equation<'d>> {
    let mut seen: BTreeMap<(usize, u64), (u64, Source)> = BTreeMap::new();
    for f in families {
        let Some(sample) = f.sample else { continue };
        let source = || Source::Members(sample, f.path.clone());
        seen.entry((f.family, f.members)).or_insert_with(|| (0, source())).0 += 1;
    }
    let equation = |((family, members), (weight, source)): ((usize, u64), (u64, Source))| {
        let dim = decl.families.get(family)?.dim;
        let text = decl.dims.get(dim)?.name.clone();
        let terms = vec![ExprTerm { factors: vec![ExprFactor::Dim(dim)] }];
        let expr = Cow::Owned(Expr { text, terms });
        Some(Equation { expr, extent: members, weight, source, axis: None, class: Class::Members })
    };
    seen.into_iter().filter_map(equation).collect()
}

/// Tensors of another rank than declared, one for each declaration.
pub(super) fn rank_conflicts(decl: &ArchDecl, accepted: &Accepted) -> Vec<Conflict> {
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, found) in accepted.tensors.iter().enumerate() {
        if let Some(found) = found.filter(|f| !f.rank) {
            first.entry(found.decl).or_insert(number);
        }
    }
    let mut found: Vec<(usize, usize)> = first.into_iter().map(|(decl, tensor)| (tensor, decl)).collect();
    found.sort_unstable();
    let conflict = |(tensor, number): (usize, usize)| {
        let declared = decl.tensors.get(number)?.shape.iter().map(|e| e.text.clone()).collect();
        Some(Conflict::Rank { tensor, declared })
    };
    found.into_iter().filter_map(conflict).collect()
}
