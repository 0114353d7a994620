//! Resolves a pattern: the tensors it matches, and for each part that matches none, where it fails.

use super::choices::unused_choices;
use super::index::{Index, Prefix};
use super::walk::{prefixes, walk};
use crate::arch::model::ArchModel;
use crate::base::Span;
use crate::checkpoint::{Schema, TensorInfo};
use crate::hir::Pattern;
use crate::hir::filter::{Condition, Subject};
use crate::syntax::tree::{self, Alternative, CompareOp};

/// What a pattern matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Tensors, ascending; after `where` and `except`.
    pub tensors: Vec<u32>,
    /// Whether it is `_`.
    pub rest: bool,
    /// Parts that match nothing, in source order.
    pub misses: Vec<Miss>,
}

/// A part of a pattern that matches no tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// A path alternative.
    Path {
        /// The segment at which the set of matches becomes empty, or the whole alternative.
        at: Span,
        /// Number of that segment; the number of segments if names go on below.
        segment: usize,
        /// Which alternative.
        alternative: usize,
        /// In the `except` (of the `except` ...): how deep.
        depth: usize,
    },
    /// One branch of a brace choice.
    Choice {
        /// The branch.
        at: Span,
        /// Its text.
        text: String,
    },
    /// A role that no tensor has here, or that does not exist.
    Role {
        /// With the `@`.
        at: Span,
        /// The role.
        role: String,
    },
    /// Alternatives match this many tensors, the condition none of them.
    Condition {
        /// Place of the pattern.
        at: Span,
        /// Tensors before the condition.
        before: usize,
    },
    /// The `except` removes every tensor.
    ExceptAll {
        /// Place of the `except` pattern.
        at: Span,
        /// Tensors before.
        before: usize,
    },
    /// The `except` removes nothing, though its own pattern matches tensors.
    ExceptNone {
        /// Place of the `except` pattern.
        at: Span,
    },
}

/// Resolves `pattern` against the names in `index`. Spans of the misses are relative to the pattern's start.
pub fn resolve(pattern: &Pattern, index: &Index, schema: &Schema, model: Option<&ArchModel>) -> Matched {
    resolve_at(&pattern.rebased(), index, schema, model, 0)
}

fn resolve_at(
    pattern: &Pattern,
    index: &Index,
    schema: &Schema,
    model: Option<&ArchModel>,
    depth: usize,
) -> Matched {
    let mut found = Matched::default();
    if pattern.broken {
        return found;
    }
    let optional = pattern.tree.optional.is_some();
    for (number, alternative) in pattern.tree.alternatives.iter().enumerate() {
        match alternative {
            Alternative::Rest { .. } => {
                found.rest = true;
                found.tensors.extend(0..index.tensors());
            }
            Alternative::Role { role, span } => {
                let with_role = tensors_with_role(&role.text, model);
                if with_role.is_empty() && !optional {
                    found.misses.push(Miss::Role { at: *span, role: role.text.clone() });
                }
                found.tensors.extend(with_role);
            }
            Alternative::Path { segments, span } => {
                let walk = walk(segments, index);
                if walk.is_empty() && !optional {
                    let at = segments.get(walk.furthest).map_or(*span, |s| s.span);
                    found.misses.push(Miss::Path { at, segment: walk.furthest, alternative: number, depth });
                } else if !optional {
                    // A brace branch that no tensor needs is a rule that silently does nothing, too.
                    let unused = unused_choices(segments, index).into_iter();
                    found.misses.extend(unused.map(|(at, text)| Miss::Choice { at, text }));
                }
                found.tensors.extend(walk.tensors(index));
            }
        }
    }
    found.tensors.sort_unstable();
    found.tensors.dedup();
    if let Some(condition) = &pattern.condition {
        let before = found.tensors.len();
        found.tensors.retain(|t| holds(condition, *t, schema, model));
        if before > 0 && found.tensors.is_empty() && !optional {
            found.misses.push(Miss::Condition { at: pattern.tree.span, before });
        }
    }
    if let Some(except) = &pattern.except {
        let removed = resolve_at(except, index, schema, model, depth + 1);
        let before = found.tensors.len();
        found.tensors.retain(|t| removed.tensors.binary_search(t).is_err());
        let missed = !removed.misses.is_empty();
        found.misses.extend(removed.misses);
        if before > 0 && !missed && !optional && except.tree.optional.is_none() {
            if found.tensors.is_empty() {
                found.misses.push(Miss::ExceptAll { at: except.tree.span, before });
            } else if found.tensors.len() == before && !except.broken {
                found.misses.push(Miss::ExceptNone { at: except.tree.span });
            }
        }
    }
    found
}

fn tensors_with_role(role: &str, model: Option<&ArchModel>) -> Vec<u32> {
    let facts = model.into_iter().flat_map(|m| m.tensors.iter().zip(0u32..));
    let has = |f: &crate::arch::model::TensorFacts| f.roles.iter().any(|r| r == role);
    facts.filter(|(f, _)| f.as_ref().is_some_and(has)).map(|(_, t)| t).collect()
}

/// Prefixes that a pattern's paths match: what `prune` names families by.
pub fn nodes(pattern: &tree::Pattern, index: &Index) -> Vec<Prefix> {
    let mut found = Vec::new();
    for alternative in &pattern.alternatives {
        if let Alternative::Path { segments, .. } = alternative {
            found.extend(prefixes(segments, index));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn holds(condition: &Condition, tensor: u32, schema: &Schema, model: Option<&ArchModel>) -> bool {
    match condition {
        Condition::And(a, b) => holds(a, tensor, schema, model) && holds(b, tensor, schema, model),
        Condition::Or(a, b) => holds(a, tensor, schema, model) || holds(b, tensor, schema, model),
        Condition::Not(inner) => !holds(inner, tensor, schema, model),
        Condition::Role(role, equal) => {
            let facts = model.and_then(|m| m.tensors.get(tensor as usize)).and_then(Option::as_ref);
            facts.is_some_and(|f| f.roles.iter().any(|r| r == role)) == *equal
        }
        Condition::DType(dtype, equal) => {
            schema.tensors.get(tensor as usize).is_some_and(|t| (t.dtype == *dtype) == *equal)
        }
        Condition::Number(subject, op, bound) => {
            let value = schema.tensors.get(tensor as usize).and_then(|t| number(*subject, t));
            value.is_some_and(|value| match op {
                CompareOp::Eq => value == *bound,
                CompareOp::Ne => value != *bound,
                CompareOp::Lt => value < *bound,
                CompareOp::Le => value <= *bound,
                CompareOp::Gt => value > *bound,
                CompareOp::Ge => value >= *bound,
            })
        }
    }
}

fn number(subject: Subject, tensor: &TensorInfo) -> Option<u64> {
    match subject {
        Subject::Rank => u64::try_from(tensor.shape.rank()).ok(),
        Subject::Params => tensor.shape.len(),
        Subject::Bytes => Some(tensor.bytes),
        Subject::Dim(axis) => tensor.shape.dim(axis as usize),
        Subject::Layer => tensor.name.split('.').find_map(|s| s.parse().ok()),
    }
}
