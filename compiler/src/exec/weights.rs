//! All tensors of a task's files: from the checkpoint to their places.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::activations::{self, Magnitudes};
use super::destination::Destination;
use super::elements::Elements;
use super::error::{RunError, RunErrorKind};
use super::job::{Finished, Surroundings, TensorJob};
use super::resume::{Journal, Past, tensor_line};
use super::rows::Rows;
use super::schedule::run_jobs;
use super::selection::Chosen;
use super::source::SourceFiles;
use super::target::TensorTarget;
use crate::base::checked_bytes;
use crate::checkpoint::Schema;
use crate::plan::ir::{Plan, TensorPlan, TensorSource};
use crate::plan::layout::{OutputLayout, PlacedPart};

/// What there is to write from.
pub(super) struct Weights<'a> {
    pub(super) plan: &'a Plan,
    pub(super) schema: &'a Schema,
    pub(super) files: &'a SourceFiles,
    pub(super) layout: &'a OutputLayout,
    /// What was decided before.
    pub(super) sources: Sources<'a>,
}

/// What a run decides before it encodes.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    /// What the selections chose that the files at hand need.
    pub(super) chosen: &'a BTreeMap<usize, Chosen>,
    /// What static scales are made of.
    pub(super) magnitudes: &'a Magnitudes,
}

type DoneFn<'a> = Box<dyn Fn(Finished) -> Result<(), RunError> + Sync + Send + 'a>;

impl<'a> Weights<'a> {
    /// Encodes and writes every tensor of the files of `share` that is not in `past`, and notes it in the journal.
    pub(super) fn write(
        &'a self,
        share: &[usize],
        destination: &'a Destination,
        journal: &'a Journal,
        past: &Past,
        pool: &rayon::ThreadPool,
        around: Surroundings<'a>,
    ) -> Result<(), RunError> {
        let path = Path::new(&self.schema.source);
        let by_name = self.schema.by_name();
        let parts = self.layout.by_tensor();
        let bytes = |tensor: &TensorPlan| checked_bytes(&tensor.shape, tensor.dtype).unwrap_or(0);
        let (mut left, mut done_bytes, mut total) = (Vec::new(), 0u64, 0u64);
        for (index, (tensor, parts)) in self.plan.tensors.iter().zip(&parts).enumerate() {
            let Some((file, _)) = parts.first().filter(|(file, _)| share.contains(file)) else { continue };
            total = total.saturating_add(bytes(tensor));
            if past.finished.contains_key(&index) {
                done_bytes = done_bytes.saturating_add(bytes(tensor));
            } else {
                left.push((index, *file));
            }
        }
        around.progress.begin("encoding", total);
        around.progress.advance(done_bytes);
        let done: Vec<DoneFn<'_>> = left
            .iter()
            .map(|(index, file)| {
                let stored = self.layout.tensor_bytes.get(*index).copied().unwrap_or(0);
                let note =
                    move |result: Finished| journal.push(*file, &tensor_line(*index, stored, &result), true);
                Box::new(note) as DoneFn<'_>
            })
            .collect();
        let result = run_jobs(pool, left.len(), path, around.stop, |number| {
            let index = left.get(number).map_or(usize::MAX, |(index, _)| *index);
            let (Some(tensor), Some(parts), Some(done)) =
                (self.plan.tensors.get(index), parts.get(index), done.get(number))
            else {
                return Err(RunError::internal(path, "no such tensor"));
            };
            let elements = self.elements(tensor, &by_name)?;
            let places: Vec<(usize, &PlacedPart)> = parts.clone();
            let target = TensorTarget::new(tensor, destination, &places);
            let scale = activations::scale(tensor, self.sources.magnitudes, self.sources.chosen, path)?;
            TensorJob::new(tensor, around, elements, target, scale, &**done)
        });
        around.progress.end();
        result
    }

    fn elements(
        &self,
        tensor: &'a TensorPlan,
        by_name: &BTreeMap<&str, usize>,
    ) -> Result<Elements<'a>, RunError> {
        let name = source_name(tensor, self.sources.chosen);
        let refused = |message: &str| {
            let path = Path::new(&self.schema.source);
            RunError::new(RunErrorKind::Plan, path, "reading", message).tensor(name.unwrap_or(&tensor.name))
        };
        let name = name.ok_or_else(|| refused("the plan names no source"))?;
        let info = by_name.get(name).and_then(|index| self.schema.tensors.get(*index));
        let info = info.ok_or_else(|| refused("the checkpoint has no such tensor"))?;
        if info.dtype != tensor.dtype || *info.shape.0 != *tensor.source_shape {
            return Err(refused("its shape or dtype is not the one that was planned for"));
        }
        let mut cuts = Vec::with_capacity(tensor.cuts.len());
        for cut in &tensor.cuts {
            let selection =
                self.plan.selections.get(cut.selection).zip(self.sources.chosen.get(&cut.selection));
            let (selection, chosen) = selection.ok_or_else(|| refused("a cut names no selection"))?;
            cuts.push((cut.slice, selection.of, chosen.kept.as_slice()));
        }
        let rows = Rows::new(&tensor.source_shape, &cuts);
        Ok(Elements::new(self.files.tensor(info)?, name, &tensor.source_shape, rows, tensor.dtype))
    }
}

/// The source tensor, once selections are made.
pub(super) fn source_name<'a>(tensor: &'a TensorPlan, chosen: &BTreeMap<usize, Chosen>) -> Option<&'a str> {
    match &tensor.source {
        TensorSource::Tensor(name) => Some(name),
        TensorSource::Kept { selection, position, family } => {
            let index = chosen.get(selection)?.kept.get(usize::try_from(*position).ok()?)?;
            family.get(usize::try_from(*index).ok()?).map(String::as_str)
        }
    }
}

/// Tensors of these files.
pub(super) fn tensors_of(layout: &OutputLayout, share: &[usize]) -> BTreeSet<usize> {
    let files = share.iter().filter_map(|number| layout.files.get(*number));
    files.flat_map(|file| file.parts.iter().map(|part| part.tensor)).collect()
}

/// Selections that the tensors of these files need; those that no tensor needs go with the first file.
pub(super) fn needed(plan: &Plan, layout: &OutputLayout, share: &[usize]) -> Vec<usize> {
    let file_of: Vec<Option<usize>> =
        layout.by_tensor().iter().map(|parts| parts.first().map(|(file, _)| *file)).collect();
    let mut users: Vec<Vec<Option<usize>>> = vec![Vec::new(); plan.selections.len()];
    for (tensor, file) in plan.tensors.iter().zip(file_of) {
        let kept = match &tensor.source {
            TensorSource::Kept { selection, .. } => Some(*selection),
            TensorSource::Tensor(_) => None,
        };
        for selection in tensor.cuts.iter().map(|cut| cut.selection).chain(kept) {
            if let Some(users) = users.get_mut(selection) {
                users.push(file);
            }
        }
    }
    let is_needed = |users: &Vec<Option<usize>>| match users.as_slice() {
        [] => share.contains(&0),
        users => users.iter().flatten().any(|file| share.contains(file)),
    };
    users.iter().enumerate().filter(|(_, users)| is_needed(users)).map(|(index, _)| index).collect()
}
