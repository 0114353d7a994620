//! What a run tells of itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::RunError;
use super::job::Finished;
use super::mask::zeroed;
use super::resume::Past;
use super::run::{RunOptions, Shown};
use super::selection::Chosen;
use super::weights::source_name;
use crate::base::checked_bytes;
use crate::checkpoint::Schema;
use crate::plan::ir::Plan;
use crate::plan::json::{container_name, norm_name};
use crate::plan::layout::OutputLayout;
use crate::plan::metadata::FormatRecord;
use crate::plan::plan_hash;
use crate::report::{
    FileReport, PartReport, Provenance, REPORT_SCHEMA, RunReport, RunTime, SelectionReport,
    SelectionReport as Selected, SourceFileReport, TensorReport, Totals, Worker,
};

fn tensor_reports(
    plan: &Plan,
    layout: &OutputLayout,
    chosen: &BTreeMap<usize, Chosen>,
    mut finished: BTreeMap<usize, Finished>,
) -> Result<Vec<TensorReport>, RunError> {
    let placed = layout.by_tensor();
    let mut reports = Vec::with_capacity(plan.tensors.len());
    for (((index, tensor), bytes), parts) in
        plan.tensors.iter().enumerate().zip(&layout.tensor_bytes).zip(&placed)
    {
        let finished = finished.remove(&index).ok_or_else(|| {
            RunError::internal(Path::new(&tensor.name), "a tensor was not written").tensor(&tensor.name)
        })?;
        let figures = finished.figures.as_ref();
        let elements = crate::base::checked_len(&tensor.shape).unwrap_or(0);
        reports.push(TensorReport {
            name: tensor.name.clone(),
            aliases: tensor.aliases.clone(),
            source: source_name(tensor, chosen).unwrap_or_default().to_owned(),
            dtype: tensor.dtype.name().to_owned(),
            shape: tensor.shape.clone(),
            format: tensor.format.to_string(),
            arguments: FormatRecord::of(&tensor.format),
            arm: tensor.arm.number,
            pattern: tensor.arm.pattern.to_string(),
            source_bytes: checked_bytes(&tensor.source_shape, tensor.dtype).unwrap_or(0),
            bytes: *bytes,
            masked: tensor.mask.map(|mask| zeroed(elements, mask)),
            mse: figures.and_then(|f| f.mse),
            sqnr_db: figures.and_then(|f| f.sqnr_db),
            cosine: figures.and_then(|f| f.cosine),
            largest_error: figures.map(|f| f.largest_error),
            clipped: figures.map(|f| f.clipped),
            parts: parts
                .iter()
                .zip(finished.hashes)
                .map(|((_, part), hash)| PartReport { key: part.key.clone(), bytes: part.bytes, hash })
                .collect(),
        });
    }
    Ok(reports)
}

fn provenance(plan: &Plan, schema: &Schema, options: &RunOptions, workers: Vec<Worker>) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plan_hash: plan_hash(plan),
        texts: options.texts.clone(),
        header_hash: schema.header_hash.clone(),
        source_files: schema
            .files
            .iter()
            .map(|file| SourceFileReport {
                name: file.name.clone(),
                bytes: file.bytes,
                modified: file.modified,
            })
            .collect(),
        workers,
        calibration: options.calibration.as_ref().map(|calibrator| calibrator.record().clone()),
    }
}

/// The report of a run of which everything is in `past`.
pub(super) fn report(
    shown: &Shown<'_>,
    layout: &OutputLayout,
    past: Past,
    options: &RunOptions,
    time: RunTime,
) -> Result<RunReport, RunError> {
    let Past { mut chosen, finished, workers } = past;
    let Shown { plan, schema, selections, tune } = *shown;
    for (index, selection) in selections.iter().enumerate() {
        let Selected { kept, scores, .. } = selection.clone();
        chosen.entry(index).or_insert(Chosen { kept, scores });
    }
    let tensors = tensor_reports(plan, layout, &chosen, finished)?;
    let totals = Totals {
        source_tensors: plan.source.tensors,
        source_bytes: plan.source.tensor_bytes,
        tensors: plan.tensors.len() as u64,
        stored_bytes: layout.stored_bytes,
        file_bytes: layout.file_bytes,
        ratio: layout.ratio(plan),
        clipped: tensors.iter().filter_map(|t| t.clipped).sum(),
    };
    Ok(RunReport {
        schema: REPORT_SCHEMA,
        recipe: plan.recipe.clone(),
        container: container_name(plan.container).to_owned(),
        totals,
        selections: plan
            .selections
            .iter()
            .enumerate()
            .filter_map(|(index, selection)| Some((selection, chosen.get(&index)?)))
            .map(|(selection, chosen)| SelectionReport {
                dim: selection.dim.clone(),
                scope: selection.scope.clone(),
                by: norm_name(selection.by).to_owned(),
                of: selection.of,
                kept: chosen.kept.clone(),
                scores: chosen.scores.clone(),
            })
            .collect(),
        tensors,
        files: layout.files.iter().map(|f| FileReport { name: f.name.clone(), bytes: f.bytes }).collect(),
        others: Vec::new(),
        tune: tune.cloned(),
        evaluation: None,
        provenance: provenance(plan, schema, options, workers),
        time,
    })
}
