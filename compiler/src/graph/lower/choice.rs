//! `match`: which of the alternatives a checkpoint has.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::Value;
use super::place::Place;
use super::problem::{Problem, ProblemKind};
use super::{Lowering, Reported, Step};
use crate::arch::decl::BranchRef;
use crate::base::Span;
use crate::graph::extent::shape_text;
use crate::syntax::forward::{Arm, Expr, ExprKind};

impl Lowering<'_> {
    pub(super) fn choice(&mut self, head: &Expr, arms: &[Arm], span: Span) -> Step<Value> {
        let place = match &head.kind {
            ExprKind::Path(path) => match self.path_value(path, head.span)? {
                Value::Place(place) => Some(place),
                _ => None,
            },
            _ => None,
        };
        let Some(place) = place else {
            let headline = "a `match` looks below a block of the checkpoint";
            return Err(self.problem(ProblemKind::WrongArgument, head.span, headline, "no block"));
        };
        let mut places = Vec::new();
        for arm in arms {
            places.push(match arm.path.as_slice() {
                [] => None,
                path => Some(self.extend(&place, path)?),
            });
        }
        self.covered(&place, &places, head.span)?;
        match self.checkpoint {
            None => self.every(arms, &places),
            Some(_) => {
                let chosen = places.iter().position(|p| p.as_ref().is_none_or(|p| self.is_there(p)));
                match chosen.and_then(|n| arms.get(n).zip(places.get(n))) {
                    Some((arm, place)) => self.arm(arm, place.as_ref()),
                    None => {
                        let label = "the checkpoint has none of the arms";
                        Err(self.problem(
                            ProblemKind::UncoveredAlternative,
                            span,
                            "no arm fits the checkpoint",
                            label,
                        ))
                    }
                }
            }
        }
    }

    fn arm(&mut self, arm: &Arm, place: Option<&Place>) -> Step<Value> {
        self.assured.extend(place.map(|p| p.steps.clone()));
        let value = self.value(&arm.value);
        if place.is_some() {
            self.assured.pop();
        }
        value
    }

    /// All arms, which yield one shape.
    fn every(&mut self, arms: &[Arm], places: &[Option<Place>]) -> Step<Value> {
        let mut first: Option<(Value, Span)> = None;
        let mut failed = false;
        for (arm, place) in arms.iter().zip(places) {
            let Ok(value) = self.arm(arm, place.as_ref()) else {
                failed = true;
                continue;
            };
            match &first {
                None => first = Some((value, arm.value.span)),
                Some((Value::Tensor(a), at)) => {
                    if let Value::Tensor(b) = &value
                        && a.shape != b.shape
                    {
                        let headline = format!("the arms yield {} and another shape", shape_text(&a.shape));
                        let mut problem = Problem::new(
                            ProblemKind::ShapesDiffer,
                            arm.value.span,
                            headline,
                            shape_text(&b.shape),
                        );
                        problem.also = Some((*at, shape_text(&a.shape)));
                        self.report(problem);
                        failed = true;
                    }
                }
                Some(_) => {}
            }
        }
        match first {
            Some((value, _)) if !failed => Ok(value),
            _ => Err(Reported),
        }
    }

    /// Every branch of an `either` that an arm stands for needs one, unless the head stands in a branch itself.
    fn covered(&mut self, head: &Place, places: &[Option<Place>], span: Span) -> Step<()> {
        if places.iter().any(Option::is_none) {
            return Ok(());
        }
        let below_head = self.branches(head);
        let mut covered: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for place in places.iter().flatten() {
            for (either, branches) in self.branches(place) {
                covered.entry(either).or_default().extend(branches);
            }
        }
        for (either, branches) in covered {
            let all = self.decl.eithers.get(either).map_or(0, |e| e.branches);
            let is_choice = below_head.get(&either).is_some_and(|below| below.len() > 1);
            let Some(missing) = (0..all).find(|b| is_choice && !branches.contains(b)) else { continue };
            let of_it = |b: &BranchRef| b.either == either && b.branch == missing;
            let example = self.decl.tensors.iter().find(|t| t.inside.iter().any(of_it));
            let name =
                example.map_or_else(String::new, |t| format!(" with `{}`", self.decl.pattern(&t.path)));
            let headline = format!("no arm stands for the branch{name}");
            let mut problem = Problem::new(ProblemKind::UncoveredAlternative, span, headline, "");
            problem.help = Some("add an arm for it, or `_ => ...`".to_owned());
            return Err(self.report(problem));
        }
        Ok(())
    }

    /// Branches in which the tensors below a place stand.
    fn branches(&self, place: &Place) -> BTreeMap<usize, BTreeSet<usize>> {
        let mut found: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for tensor in self.below(place).into_iter().filter_map(|n| self.decl.tensors.get(n)) {
            for branch in &tensor.inside {
                found.entry(branch.either).or_default().insert(branch.branch);
            }
        }
        found
    }
}
