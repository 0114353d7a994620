//! Paths of blocks and tensors: braces, optional segments, indices.

use super::Lowering;
use crate::arch::decl::{BranchRef, FamilyDecl, PathStep, SwitchDecl};
use crate::base::Span;
use crate::syntax::tree::{ArchSegment, ArchSegmentKind, Ident};

/// Optional segments in one name: each doubles the names that are accepted.
const MAX_OPTIONAL: usize = 6;
/// Names that braces of one path may stand for.
const MAX_EXPANSION: usize = 4096;

/// Where an item stands.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub path: Vec<PathStep>,
    pub within: Option<usize>,
    pub inside: Vec<BranchRef>,
    /// Index variables of the families around.
    pub variables: Vec<String>,
}

impl Lowering<'_> {
    /// Places that `path` stands for below `place`: one, or more with braces; none if the path is broken.
    pub(super) fn places(&mut self, place: &Place, path: &[ArchSegment]) -> Vec<Place> {
        let mut places = vec![place.clone()];
        for segment in path {
            let names: Vec<&str> = match &segment.kind {
                ArchSegmentKind::Name(name) => vec![name],
                ArchSegmentKind::Each(names) => names.iter().map(|n| n.text.as_str()).collect(),
                ArchSegmentKind::Indexed { name, index, dim } => {
                    if segment.optional {
                        let label = "an optional segment is a plain name";
                        self.problem(segment.span, "an indexed segment cannot be left out", label);
                    }
                    for place in &mut places {
                        self.enter_family(place, name, index, dim.as_ref());
                    }
                    continue;
                }
            };
            if names.iter().any(|n| n.is_empty()) {
                return Vec::new();
            }
            if places.len().saturating_mul(names.len()) > MAX_EXPANSION {
                let headline = format!("the braces stand for more than {MAX_EXPANSION} names");
                self.problem(segment.span, headline, "");
                return Vec::new();
            }
            let mut next = Vec::with_capacity(places.len() * names.len());
            for place in places {
                for name in &names {
                    let mut place = place.clone();
                    let name = (*name).to_owned();
                    let step = match segment.optional {
                        true => self.optional(&place, name, segment.span),
                        false => PathStep::Name(name),
                    };
                    place.path.push(step);
                    next.push(place);
                }
            }
            places = next;
        }
        places
    }

    fn optional(&mut self, place: &Place, name: String, span: Span) -> PathStep {
        if place.path.iter().filter(|s| matches!(s, PathStep::Optional { .. })).count() >= MAX_OPTIONAL {
            let headline = format!("more than {MAX_OPTIONAL} optional segments in one name");
            self.problem(span, headline, "each doubles the names that are accepted");
            return PathStep::Name(name);
        }
        // The same segment in the same place is the same choice, in whichever block it is written.
        let known =
            self.decl.tensors.iter().map(|t| &t.path).chain(self.decl.families.iter().map(|f| &f.path));
        let mut steps = known.filter_map(|path| path.strip_prefix(place.path.as_slice())?.first());
        let same = steps.find_map(|step| match step {
            PathStep::Optional { switch, name: other } if *other == name => Some(*switch),
            _ => None,
        });
        let switch = same.unwrap_or_else(|| {
            self.decl.switches.push(SwitchDecl { segment: name.clone(), within: place.within });
            self.decl.switches.len() - 1
        });
        PathStep::Optional { switch, name }
    }

    fn enter_family(&mut self, place: &mut Place, name: &Ident, index: &Ident, dim: Option<&Ident>) {
        if place.variables.contains(&index.text) {
            let headline = format!("index `{}` stands for two families", index.text);
            self.problem(index.span, headline, "the outer one has this name");
        }
        place.variables.push(index.text.clone());
        let counted = dim.unwrap_or(name);
        let Some(dim) = self.decl.dim(&counted.text) else { return };
        place.path.push(PathStep::Name(name.text.clone()));
        let known =
            self.decl.families.iter().position(
                |f| matches!(f.path.split_last(), Some((_, path)) if path == place.path.as_slice()),
            );
        let family = match known {
            Some(family) => {
                let other = self.decl.families.get_mut(family);
                let clash = other.and_then(|f| {
                    let common = f.inside.iter().zip(&place.inside).take_while(|(a, b)| a == b).count();
                    f.inside.truncate(common);
                    (f.dim != dim).then_some(f.dim)
                });
                if let Some(other) = clash.and_then(|d| self.decl.dims.get(d)) {
                    let headline =
                        format!("`{}` is counted by `{}` and `{}`", name.text, other.name, counted.text);
                    self.problem(counted.span, headline, "one family has one dim");
                }
                family
            }
            None => {
                let family = self.decl.families.len();
                let mut path = place.path.clone();
                path.push(PathStep::Index { family });
                let inside = place.inside.clone();
                self.decl.families.push(FamilyDecl { path, dim, within: place.within, inside });
                family
            }
        };
        place.path.push(PathStep::Index { family });
        place.within = Some(family);
    }
}
