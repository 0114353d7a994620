//! `lm_head.weight = embedding.weight`.

use super::Lowering;
use super::names::Place;
use crate::arch::decl::{PathStep, TensorDecl};
use crate::base::Span;
use crate::syntax::tree::{ArchSegment, ArchSegmentKind};

/// A tie as written, resolved when all tensors are known.
pub(super) struct Tie<'t> {
    pub alias: Place,
    pub target: &'t [ArchSegment],
    /// The block in which it is written: targets are looked up from there outwards.
    pub place: Place,
    pub span: Span,
}

impl Lowering<'_> {
    pub(super) fn ties(&mut self) {
        for tie in std::mem::take(&mut self.ties) {
            let Some(target) = self.target(&tie) else {
                let span = target_span(&tie);
                self.problem(span, "the other end of the tie is declared nowhere", "no tensor of this name");
                continue;
            };
            // In another branch, the same name is another declaration.
            let together = |t: &usize| {
                self.decl.tensors.get(*t).is_some_and(|t| !super::exclusive(&t.inside, &tie.alias.inside))
            };
            let same = self.paths.get(&tie.alias.path).map_or(&[][..], Vec::as_slice);
            let known = same.iter().copied().find(together);
            let Some(other) = self.decl.tensors.get(target) else { continue };
            if known == Some(target) {
                self.problem(tie.span, "a tensor is tied to itself", "");
                continue;
            }
            let alias = TensorDecl {
                path: tie.alias.path,
                within: tie.alias.within,
                inside: tie.alias.inside,
                optional: true,
                shape: other.shape.clone(),
                roles: other.roles.clone(),
                span: tie.span,
                alias_of: Some(target),
            };
            match known.and_then(|t| self.decl.tensors.get_mut(t)) {
                // Declared with roles of its own: it stays, and may be absent.
                Some(declared) => {
                    declared.optional = true;
                    declared.alias_of = Some(target);
                }
                None => drop(self.declare(alias)),
            }
        }
    }

    fn target(&self, tie: &Tie<'_>) -> Option<usize> {
        let depth = tie.place.path.len();
        (0..=depth).rev().find_map(|n| {
            let prefix = tie.place.path.get(..n)?;
            self.decl.tensors.iter().position(|t| {
                t.alias_of.is_none()
                    && t.path.strip_prefix(prefix).is_some_and(|rest| names(rest, tie.target))
            })
        })
    }
}

fn target_span(tie: &Tie<'_>) -> Span {
    let spans = tie.target.iter().map(|s| s.span);
    spans.reduce(Span::cover).unwrap_or(tie.span)
}

/// Whether `written` names the declared `path`; optional segments may be left out.
fn names(path: &[PathStep], written: &[ArchSegment]) -> bool {
    let (Some((step, path_rest)), Some((segment, rest))) = (path.split_first(), written.split_first()) else {
        return path.is_empty() && written.is_empty();
    };
    match (step, &segment.kind) {
        (PathStep::Name(a), ArchSegmentKind::Name(b)) => a == b && names(path_rest, rest),
        (PathStep::Optional { name, .. }, kind) => {
            matches!(kind, ArchSegmentKind::Name(b) if b == name) && names(path_rest, rest)
                || names(path_rest, written)
        }
        (PathStep::Name(a), ArchSegmentKind::Indexed { name, .. }) if *a == name.text => {
            matches!(path_rest.split_first(), Some((PathStep::Index { .. }, path)) if names(path, rest))
        }
        _ => false,
    }
}
