//! Dims from equations: each round, every equation with one unknown dim votes for a value of that dim.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::{blame, implied, unsolvable};
use super::equation::Equation;
use crate::arch::decl::ArchDecl;
use crate::arch::model::{Conflict, Origin, SettingValue};
use crate::checkpoint::{Attribute, Schema};

/// What is known of the dims; index for index as declared.
#[derive(Clone)]
pub(super) struct Solved<'d> {
    /// Whose dims they are.
    pub decl: &'d ArchDecl,
    /// Extents.
    pub values: Vec<Option<u64>>,
    /// What fixed them.
    pub origins: Vec<Option<Origin>>,
    /// Dims of which a disagreement was reported, or which come from such a dim: nothing that follows from them is
    /// reported again.
    pub doubtful: Vec<bool>,
    /// Disagreements.
    pub conflicts: Vec<Conflict>,
}

/// One equation's word on a dim.
struct Vote<'e, 'd> {
    equation: &'e Equation<'d>,
    /// `None`: no whole number.
    value: Option<u64>,
    /// Whether it was computed from a doubtful dim.
    doubtful: bool,
}

/// Solves for all dims: settings of the recipe hold, then shapes, then the configuration, then defaults.
pub(super) fn solve<'d>(
    decl: &'d ArchDecl,
    schema: &Schema,
    equations: &[Equation<'_>],
    overrides: &[(String, SettingValue)],
) -> Solved<'d> {
    let n = decl.dims.len();
    let mut solved = Solved {
        decl,
        values: vec![None; n],
        origins: vec![None; n],
        doubtful: vec![false; n],
        conflicts: Vec::new(),
    };
    for (name, value) in overrides {
        if let (Some(dim), Some(value)) = (decl.dim(name), extent(value)) {
            solved.bind(dim, value, Origin::Recipe);
        }
    }
    solved.fixpoint(equations);
    for default in &decl.defaults {
        let keys: Vec<&str> = default.config_keys.iter().map(String::as_str).collect();
        let (Some(dim), Some(fact)) = (default.dim, schema.fact(&keys)) else { continue };
        if let (Attribute::Int(n), true) = (&fact.value, solved.is_open(dim))
            && let Ok(value) = u64::try_from(*n)
        {
            solved.bind(dim, value, Origin::Config(fact.origin.clone()));
            solved.fixpoint(equations);
        }
    }
    for default in &decl.defaults {
        let (Some(dim), Some(value)) = (default.dim, extent(&default.value)) else { continue };
        if solved.is_open(dim) {
            // A default is a guess: where shapes speak against it, the dim stays unknown.
            let before = solved.checked(equations).conflicts.len();
            let mut trial = solved.clone();
            trial.bind(dim, value, Origin::Default);
            trial.fixpoint(equations);
            if trial.checked(equations).conflicts.len() <= before {
                solved = trial;
            }
        }
    }
    solved.checked(equations)
}

/// A setting as an extent.
fn extent(value: &SettingValue) -> Option<u64> {
    match value {
        SettingValue::Int(n) => u64::try_from(*n).ok(),
        SettingValue::Text(_) => None,
    }
}

impl<'s> Solved<'s> {
    fn is_open(&self, dim: usize) -> bool {
        self.values.get(dim).is_some_and(Option::is_none) && !self.is_doubtful(dim)
    }

    pub(super) fn is_doubtful(&self, dim: usize) -> bool {
        self.doubtful.get(dim).copied().unwrap_or(false)
    }

    fn bind(&mut self, dim: usize, value: u64, origin: Origin) {
        if let (Some(v), Some(o)) = (self.values.get_mut(dim), self.origins.get_mut(dim)) {
            *v = Some(value);
            *o = Some(origin);
        }
    }

    pub(super) fn doubt(&mut self, dim: usize) {
        if let Some(d) = self.doubtful.get_mut(dim) {
            *d = true;
        }
    }

    /// Rounds of votes until none tells anything new.
    fn fixpoint(&mut self, equations: &[Equation<'_>]) {
        let mut pending: Vec<&Equation<'_>> = equations.iter().collect();
        loop {
            pending.retain(|e| e.expr.dims().iter().any(|d| self.is_open(*d)));
            let mut votes: Vec<Vec<Vote<'_, '_>>> = self.values.iter().map(|_| Vec::new()).collect();
            for equation in &pending {
                if let Some((dim, vote)) = self.vote(equation)
                    && let Some(votes) = votes.get_mut(dim)
                {
                    votes.push(vote);
                }
            }
            let voted: Vec<_> = votes.into_iter().enumerate().filter(|(_, v)| !v.is_empty()).collect();
            if voted.is_empty() {
                return;
            }
            for (dim, votes) in voted {
                self.elect(dim, &votes);
            }
        }
    }

    /// The one unknown dim of an equation, and what the equation says of it.
    fn vote<'e, 'd>(&self, equation: &'e Equation<'d>) -> Option<(usize, Vote<'e, 'd>)> {
        let dims = equation.expr.dims();
        let mut unknown = dims.iter().copied().filter(|d| self.values.get(*d).is_some_and(Option::is_none));
        let (dim, None) = (unknown.next()?, unknown.next()) else { return None };
        if self.is_doubtful(dim) {
            return None;
        }
        let value = implied(&equation.expr, dim, equation.extent, &self.values)?;
        let doubtful = dims.iter().any(|d| self.is_doubtful(*d));
        Some((dim, Vote { equation, value, doubtful }))
    }

    /// Takes the value that most tensors say, of equal ones the first in order, and reports one that disagrees.
    fn elect(&mut self, dim: usize, votes: &[Vote<'_, '_>]) {
        let sure: Vec<&Vote<'_, '_>> = votes.iter().filter(|v| !v.doubtful).collect();
        let counted = if sure.is_empty() { votes.iter().collect() } else { sure };
        // By value: how many tensors say so, and the first vote.
        let mut tally: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
        for (position, vote) in counted.iter().enumerate() {
            let Some(value) = vote.value else { continue };
            let weight = &mut tally.entry(value).or_insert((0, position)).0;
            *weight = weight.saturating_add(vote.equation.weight);
        }
        let best = tally.into_iter().max_by_key(|(_, (weight, first))| (*weight, std::cmp::Reverse(*first)));
        let best = best.and_then(|(value, (_, first))| Some((value, counted.get(first)?)));
        let reported = counted.iter().any(|v| v.doubtful);
        let Some((value, winner)) = best else {
            if let Some(vote) = counted.first().filter(|_| !reported) {
                unsolvable(vote.equation, dim, self);
            }
            self.doubt(dim);
            return;
        };
        let origin = winner.equation.origin();
        if let Some(other) = counted.iter().find(|v| v.value != Some(value)) {
            self.doubt(dim);
            if !reported {
                let second = (other.value, other.equation.origin());
                self.conflicts.push(Conflict::Dim {
                    dim: self.decl.dims.get(dim).map_or_else(String::new, |d| d.name.clone()),
                    first: (value, origin.clone()),
                    second,
                });
            }
        } else if reported {
            self.doubt(dim);
        }
        self.bind(dim, value, origin);
    }

    /// Itself with the disagreements of all equations whose dims are known.
    fn checked(&self, equations: &[Equation<'_>]) -> Solved<'s> {
        let mut checked = self.clone();
        let mut constants = BTreeSet::new();
        for equation in equations {
            if equation.expr.value(&checked.values) == Some(equation.extent) {
                continue;
            }
            let dims = equation.expr.dims();
            let known = dims.iter().all(|d| checked.values.get(*d).is_some_and(Option::is_some));
            // One wrong constant is one problem, in however many layers it stands.
            if known
                && !dims.iter().any(|d| checked.is_doubtful(*d))
                && (!dims.is_empty() || constants.insert(equation.axis))
            {
                blame(equation, &mut checked);
            }
        }
        checked
    }
}
