//! Which indices of a dim stay: norms over all voters, in an order that no thread can change.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use icpc_kernels::groups::Groups;
use icpc_kernels::prune::Norms;
use icpc_kernels::{HostBuffer, Source};

use super::buffer::sized;
use super::elements::Elements;
use super::error::{RunError, RunErrorKind};
use super::job::Surroundings;
use super::rows::Rows;
use super::schedule::{Job, run_jobs};
use super::source::SourceFiles;
use crate::checkpoint::{Schema, TensorInfo};
use crate::plan::ir::{AxisSlice, Norm, Plan, Selection, Voter};

/// What a selection chose.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    /// Indices that stay, ascending.
    pub(super) kept: Vec<u64>,
    /// Score of every index.
    pub(super) scores: Vec<f64>,
}

/// Chooses for the selections of `plan` whose numbers are in `wanted`.
pub(super) fn choose(
    plan: &Plan,
    wanted: &[usize],
    schema: &Schema,
    files: &SourceFiles,
    pool: &rayon::ThreadPool,
    around: Surroundings<'_>,
) -> Result<Vec<(usize, Chosen)>, RunError> {
    let by_name = schema.by_name();
    let path = Path::new(&schema.source);
    let find = |name: &str| {
        let found = by_name.get(name).and_then(|index| schema.tensors.get(*index));
        found.ok_or_else(|| {
            RunError::new(RunErrorKind::Plan, path, "reading", "the checkpoint has no such tensor")
                .tensor(name)
        })
    };
    let wanted = || wanted.iter().filter_map(|index| Some((*index, plan.selections.get(*index)?)));
    let mut voters: Vec<(usize, &Voter, &TensorInfo)> = Vec::new();
    for (index, selection) in wanted() {
        for voter in &selection.voters {
            let (Voter::Axis { tensor, .. } | Voter::Member { tensor, .. }) = voter;
            voters.push((index, voter, find(tensor)?));
        }
    }
    if wanted().next().is_none() {
        return Ok(Vec::new());
    }
    around.progress.begin("ranking", voters.iter().map(|(_, _, info)| info.bytes).sum());
    let votes: Mutex<Vec<Vec<f64>>> = Mutex::new(vec![Vec::new(); voters.len()]);
    run_jobs(pool, voters.len(), path, around.stop, |number| {
        let (selection, voter, info) =
            voters.get(number).ok_or_else(|| RunError::internal(path, "no such voter"))?;
        let selection =
            plan.selections.get(*selection).ok_or_else(|| RunError::internal(path, "no such selection"))?;
        let source = files.tensor(info)?;
        let groups = groups(voter, selection, &info.shape.0).ok_or_else(|| {
            let message = "the slice that the plan ranks does not fit the tensor";
            RunError::new(RunErrorKind::Plan, source.path(), "ranking", message).tensor(&info.name)
        })?;
        let rows = Rows::new(&info.shape.0, &[]);
        Ok(VoterJob {
            elements: Elements::new(source, &info.name, &info.shape.0, rows, info.dtype),
            around,
            voter,
            selection,
            groups,
            pool: Mutex::default(),
            votes: &votes,
            number,
        })
    })?;
    around.progress.end();
    let votes = votes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut chosen = Vec::new();
    for (index, selection) in wanted() {
        let of = usize::try_from(selection.of).unwrap_or(0);
        let mut scores = vec![0.0; of];
        for ((owner, voter, _), vote) in voters.iter().zip(&votes) {
            match voter {
                _ if *owner != index => {}
                Voter::Axis { .. } => scores.iter_mut().zip(vote).for_each(|(score, vote)| *score += vote),
                Voter::Member { index, .. } => {
                    let slot = usize::try_from(*index).ok().and_then(|index| scores.get_mut(index));
                    if let (Some(score), Some(vote)) = (slot, vote.first()) {
                        *score += vote;
                    }
                }
            }
        }
        if selection.by == Norm::L2 {
            scores.iter_mut().for_each(|score| *score = score.sqrt());
        }
        chosen.push((index, Chosen { kept: largest(&scores, selection.keep), scores }));
    }
    Ok(chosen)
}

/// Indices of the `keep` largest scores, ascending; of equal scores the lower index stays.
fn largest(scores: &[f64], keep: u64) -> Vec<u64> {
    let mut order: Vec<(usize, f64)> = scores.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut kept: Vec<u64> = order
        .iter()
        .take(usize::try_from(keep).unwrap_or(usize::MAX))
        .map(|(index, _)| *index as u64)
        .collect();
    kept.sort_unstable();
    kept
}

/// The tensor as groups, one for each row or index that gets a norm of its own.
fn groups(voter: &Voter, selection: &Selection, shape: &[u64]) -> Option<Groups> {
    let elements = crate::base::checked_len(shape)?;
    match voter {
        Voter::Member { index, .. } => (*index < selection.of).then_some(Groups::contiguous(1, elements)),
        Voter::Axis { slice, .. } => {
            let extent = *shape.get(slice.axis)?;
            let AxisSlice { before, outer, inner, after, .. } = *slice;
            let rows = outer.checked_mul(selection.of)?.checked_mul(inner)?;
            if before.checked_add(rows)?.checked_add(after)? != extent {
                return None;
            }
            let above: u64 = shape.iter().take(slice.axis).product();
            let below: u64 = shape.iter().skip(slice.axis + 1).product();
            Some(match (before, after) {
                (0, 0) => Groups { outer: above * outer, axis: selection.of, inner: inner * below },
                // rows that belong to no index stand between: a norm for each row
                _ => Groups { outer: above, axis: extent, inner: below },
            })
        }
    }
}

struct VoterJob<'a> {
    elements: Elements<'a>,
    around: Surroundings<'a>,
    voter: &'a Voter,
    selection: &'a Selection,
    groups: Groups,
    pool: Mutex<Vec<Norms>>,
    votes: &'a Mutex<Vec<Vec<f64>>>,
    number: usize,
}

impl VoterJob<'_> {
    fn chunk(&self) -> u64 {
        self.around.chunk_elements.max(1)
    }

    fn norms(&self) -> std::sync::MutexGuard<'_, Vec<Norms>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job for VoterJob<'_> {
    type Buffers = (HostBuffer, Vec<u8>);

    fn chunks(&self) -> u64 {
        self.elements.len().div_ceil(self.chunk())
    }

    fn run_chunk(&self, chunk: u64, (bytes, window): &mut Self::Buffers) -> Result<(), RunError> {
        let start = chunk * self.chunk();
        let length = self.chunk().min(self.elements.len() - start) * self.elements.dtype().width();
        let length = usize::try_from(length)
            .map_err(|_| RunError::internal(self.elements.path(), "a chunk does not fit in memory"))?;
        let backend = self.around.backend;
        let bytes = sized(backend, bytes, length)
            .ok_or_else(|| RunError::internal(self.elements.path(), "a chunk is out of bounds"))?;
        self.elements.read(backend, start, bytes, window, None)?;
        let taken = self.norms().pop();
        let mut norms = taken.unwrap_or_else(|| Norms::new(self.groups));
        let failed = |error| self.elements.kernel_error(&error);
        let source = Source::new(self.elements.dtype(), bytes).map_err(failed)?;
        norms.scan(backend, source, start).map_err(failed)?;
        self.norms().push(norms);
        self.around.progress.advance(length as u64);
        Ok(())
    }

    fn advance(&self) -> Result<bool, RunError> {
        let mut sum = Norms::new(self.groups);
        self.norms().iter().for_each(|norms| sum.merge(norms));
        let rows = match self.selection.by {
            Norm::L1 => sum.l1(),
            Norm::L2 => sum.squares(),
        };
        let vote = match self.voter {
            Voter::Axis { slice, .. } if slice.before > 0 || slice.after > 0 => {
                let mut vote = vec![0.0; usize::try_from(self.selection.of).unwrap_or(0)];
                let from = usize::try_from(slice.before).unwrap_or(usize::MAX);
                let count = slice.outer * self.selection.of * slice.inner;
                for (row, norm) in (0..count).zip(rows.iter().skip(from)) {
                    let index = usize::try_from(row / slice.inner.max(1) % self.selection.of.max(1)).ok();
                    if let Some(sum) = index.and_then(|index| vote.get_mut(index)) {
                        *sum += norm;
                    }
                }
                vote
            }
            _ => rows,
        };
        if let Some(slot) = self.votes.lock().unwrap_or_else(PoisonError::into_inner).get_mut(self.number) {
            *slot = vote;
        }
        Ok(false)
    }
}
