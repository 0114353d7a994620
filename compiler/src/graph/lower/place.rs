//! Paths of a forward as places of the declaration.

use super::problem::{Problem, ProblemKind};
use super::{Lowering, Step};
use crate::arch::decl::PathStep;
use crate::diag::suggest;
use crate::syntax::tree::Ident;

/// A prefix of declared names, with the members it has passed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub steps: Vec<PathStep>,
    /// For each index on the way its number; `None` for any member.
    pub members: Vec<Option<u64>>,
}

impl Place {
    pub(super) const ROOT: Place = Place { steps: Vec::new(), members: Vec::new() };
}

impl Lowering<'_> {
    /// `place` and the segments behind it; a segment that may be missing is written as if it were there.
    pub(super) fn extend(&mut self, place: &Place, path: &[Ident]) -> Step<Place> {
        let mut at = place.clone();
        for segment in path {
            match self.next_step(&at, &segment.text) {
                Some(step) => at.steps.push(step),
                None => return Err(self.undeclared(&at, segment)),
            }
        }
        Ok(at)
    }

    /// Whether a path can begin with `name`.
    pub(super) fn begins(&self, name: &str) -> bool {
        self.next_step(&Place::ROOT, name).is_some()
    }

    fn next_step(&self, place: &Place, segment: &str) -> Option<PathStep> {
        let mut next =
            self.decl.tensors.iter().filter_map(|t| t.path.strip_prefix(place.steps.as_slice())?.first());
        let named = |step: &&PathStep| match step {
            PathStep::Name(name) | PathStep::Optional { name, .. } => name == segment,
            PathStep::Index { .. } => false,
        };
        next.find(named).cloned()
    }

    fn undeclared(&mut self, place: &Place, segment: &Ident) -> super::Reported {
        let next =
            self.decl.tensors.iter().filter_map(|t| t.path.strip_prefix(place.steps.as_slice())?.first());
        let mut names: Vec<&str> = next
            .filter_map(|step| match step {
                PathStep::Name(name) | PathStep::Optional { name, .. } => Some(name.as_str()),
                PathStep::Index { .. } => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        let nearest = suggest::closest(&segment.text, names.iter().copied());
        let mut steps = place.steps.clone();
        steps.push(PathStep::Name(segment.text.clone()));
        let headline = format!("`{}` declares no `{}`", self.decl.name, self.decl.pattern(&steps));
        let mut problem =
            Problem::new(ProblemKind::UndeclaredTensor, segment.span, headline, "declared nowhere");
        problem.help = nearest.map(|n| format!("did you mean `{n}`?"));
        self.report(problem)
    }

    /// The declared tensor at a place; of several, which stand in different branches, the one that is there.
    pub(super) fn tensor_at(&self, place: &Place) -> Option<usize> {
        let mut here = (0..self.decl.tensors.len())
            .filter(|n| self.decl.tensors.get(*n).is_some_and(|t| t.path == place.steps));
        let first = here.next()?;
        let Some(checkpoint) = &self.checkpoint else { return Some(first) };
        let there = |n: &usize| {
            let Some(tensor) = self.find(*n, &place.members) else { return false };
            let facts = checkpoint.model.tensors.get(tensor).and_then(Option::as_ref);
            facts.is_some_and(|f| self.decl.tensors.get(*n).is_some_and(|t| t.span == f.span))
        };
        let mut all: Vec<usize> = vec![first];
        all.extend(here);
        // One that is there under the other name of its tie comes second.
        let found = all.iter().find(|n| there(n));
        let found = found.or_else(|| all.iter().find(|n| self.find(**n, &place.members).is_some()));
        Some(found.copied().unwrap_or(first))
    }

    /// Declared tensors at or below a place.
    pub(super) fn below(&self, place: &Place) -> Vec<usize> {
        let numbers = 0..self.decl.tensors.len();
        numbers
            .filter(|n| self.decl.tensors.get(*n).is_some_and(|t| t.path.starts_with(&place.steps)))
            .collect()
    }

    /// Whether the checkpoint has a tensor at or below a place.
    pub(super) fn is_there(&self, place: &Place) -> bool {
        self.below(place).into_iter().any(|number| self.find(number, &place.members).is_some())
    }

    /// The family whose members stand behind a place.
    pub(super) fn family_at(&self, place: &Place) -> Option<usize> {
        self.decl.tensors.iter().find_map(|t| match t.path.strip_prefix(place.steps.as_slice())?.first()? {
            PathStep::Index { family } => Some(*family),
            _ => None,
        })
    }

    /// Number of members of the family behind a place, in the checkpoint.
    pub(super) fn members(&self, place: &Place, family: usize) -> u64 {
        let mut count = 0;
        let mut member = place.clone();
        member.steps.push(PathStep::Index { family });
        loop {
            member.members.truncate(place.members.len());
            member.members.push(Some(count));
            if !self.is_there(&member) {
                return count;
            }
            count += 1;
        }
    }

    /// Position in the schema of declaration `number` in these members; further indices are 0. An optional segment is
    /// looked for with and without, and of a tie either name.
    pub(super) fn find(&self, number: usize, members: &[Option<u64>]) -> Option<usize> {
        let own = self.find_own(number, members);
        own.or_else(|| {
            let of = self.decl.tensors.get(number)?.alias_of;
            let other = match of {
                Some(of) => Some(of),
                None => self.decl.tensors.iter().position(|t| t.alias_of == Some(number)),
            };
            self.find_own(other?, members)
        })
    }

    fn find_own(&self, number: usize, members: &[Option<u64>]) -> Option<usize> {
        let checkpoint = self.checkpoint.as_ref()?;
        let path = &self.decl.tensors.get(number)?.path;
        let optional = path.iter().filter(|s| matches!(s, PathStep::Optional { .. })).count();
        (0..1usize << optional.min(8))
            .find_map(|without| checkpoint.by_name.get(name(path, members, without).as_str()).copied())
    }
}

/// The name of a path; bit n of `without` leaves out its optional segment n.
pub(super) fn name(path: &[PathStep], members: &[Option<u64>], without: usize) -> String {
    let (mut name, mut members, mut optional) = (String::new(), members.iter(), 0);
    for step in path {
        let number;
        let segment = match step {
            PathStep::Name(segment) => segment,
            PathStep::Optional { name, .. } => {
                optional += 1;
                if without >> (optional - 1) & 1 == 1 {
                    continue;
                }
                name
            }
            PathStep::Index { .. } => {
                number = members.next().copied().flatten().unwrap_or(0).to_string();
                &number
            }
        };
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(segment);
    }
    name
}
