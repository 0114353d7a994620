//! A run from plan to renamed folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use icpc_kernels::{Backend, Cpu};

use super::destination::Destination;
use super::elements::Elements;
use super::error::{RunError, RunErrorKind};
use super::job::{Finished, Surroundings, TensorJob};
use super::journal::Journal;
use super::mask::zeroed;
use super::progress::Progress;
use super::record::{Identity, chosen_line, tensor_line};
use super::resume;
use super::rows::Rows;
use super::schedule::run_jobs;
use super::selection::{Chosen, choose};
use super::source::SourceFiles;
use super::target::TensorTarget;
use crate::base::checked_bytes;
use crate::checkpoint::Schema;
use crate::plan::bitsandbytes::config_json;
use crate::plan::hash::hex_digest;
use crate::plan::ir::{OutputContainer, Plan, TensorPlan, TensorSource};
use crate::plan::json::{PlanDocument, container_name, norm_name};
use crate::plan::layout::{OutputLayout, PlacedPart};
use crate::plan::metadata::FormatRecord;
use crate::plan::{Workspace, plan_hash};
use crate::report::{
    FileReport, PartReport, Provenance, REPORT_SCHEMA, RunReport, RunTime, SelectionReport, SourceFileReport,
    TensorReport, TextHash, Totals, to_json, to_markdown,
};

/// Where a run reads and writes, and with how much.
#[derive(Clone)]
pub struct RunOptions {
    /// File or folder whose header the schema is.
    pub checkpoint: PathBuf,
    /// Folder to write.
    pub output: PathBuf,
    /// Whether an existing output is replaced.
    pub force: bool,
    /// Worker threads; as many as the machine has if `None`.
    pub threads: Option<usize>,
    /// Elements of a chunk; chosen by [`Workspace`] if `None`. The bytes of the output do not depend on it.
    pub chunk_elements: Option<u64>,
    /// The recipe and the texts it uses, by hash, for the report.
    pub texts: Vec<TextHash>,
    /// The kernels; the best variant that this processor has if `None`.
    pub backend: Option<Arc<dyn Backend>>,
    /// Set from outside, it ends the run soon: within a chunk, and with a journal from which the next one goes on.
    pub stop: Arc<AtomicBool>,
}

impl RunOptions {
    /// Defaults for a checkpoint and an output.
    pub fn new(checkpoint: impl Into<PathBuf>, output: impl Into<PathBuf>) -> RunOptions {
        RunOptions {
            checkpoint: checkpoint.into(),
            output: output.into(),
            force: false,
            threads: None,
            chunk_elements: None,
            texts: Vec::new(),
            backend: None,
            stop: Arc::default(),
        }
    }

    fn workspace(&self, plan: &Plan) -> Workspace {
        let threads =
            self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let workspace = Workspace::new(plan, threads);
        self.chunk_elements.map_or(workspace, |elements| workspace.with_chunk(elements))
    }
}

/// Runs `plan` on the checkpoint whose header is `schema`. The output folder appears whole, with weights, `plan.json`,
/// `report.json` and `report.md`, or not at all. What an earlier run of the same plan finished before it was killed, asked
/// to end, or stopped by a file system, is not done again.
///
/// # Errors
/// A plan that does not fit the checkpoint, a weight that a format cannot hold, files that cannot be read or written,
/// a checkpoint that changed, an output that exists, an output that another run is writing, a request to end.
pub fn run(
    plan: &Plan,
    schema: &Schema,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<RunReport, RunError> {
    let began = (Instant::now(), SystemTime::now());
    let output = options.output.as_path();
    let layout = OutputLayout::of(plan).map_err(|refusals| {
        let first = refusals.first().map(|r| (r.name.clone(), r.reason.to_string())).unwrap_or_default();
        RunError::new(RunErrorKind::Plan, output, "laying out", first.1).tensor(&first.0)
    })?;
    let backend = kernels(options.backend.as_ref(), output)?;
    let files = SourceFiles::open(schema, &options.checkpoint)?;
    let mut inputs: Vec<&Path> = files.paths().collect();
    inputs.push(&options.checkpoint);
    let mut destination = Destination::prepare(output, &inputs, options.force)?;
    if !destination.is_locked() {
        progress.note("this file system has no locks: let no other run write the same output");
    }
    let workspace = options.workspace(plan);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workspace.threads)
        .thread_name(|index| format!("icpc-{index}"))
        .build()
        .map_err(|error| RunError::internal(output, error.to_string()))?;
    let identity = Identity::of(plan, schema, &layout);
    let (journal, mut past) = resume::open(&mut destination, &layout, &identity, plan, progress)?;
    let around = Surroundings {
        backend: &*backend,
        progress,
        chunk_elements: workspace.chunk_elements,
        stop: &options.stop,
    };
    let past_chosen = past.chosen.take();
    let encode = || {
        let chosen = match past_chosen {
            Some(chosen) => chosen,
            None => {
                let chosen = choose(plan, schema, &files, &pool, around)?;
                journal.push(&chosen_line(&chosen), false)?;
                chosen
            }
        };
        let run = Run { plan, schema, files: &files, layout: &layout, chosen: &chosen };
        let finished = run.write(&destination, &journal, past.finished, &pool, around)?;
        files.check_unchanged()?;
        resume::flush(&journal, output, &options.stop)?;
        Ok((chosen, finished))
    };
    let written = encode();
    let (chosen, finished) = match written {
        Ok(written) => written,
        Err(error) => {
            return Err(resume::stopped(error, &mut destination, &journal, plan.tensors.len(), progress));
        }
    };
    drop(journal);
    let tensors = tensor_reports(plan, &layout, &chosen, finished)?;
    let seconds = began.0.elapsed().as_secs_f64();
    let time = RunTime {
        began: began.1.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        seconds,
        peak_memory: peak_memory(),
    };
    let provenance = provenance(plan, schema, options, backend.name(), workspace.threads);
    let mut report = report(plan, &layout, &chosen, tensors, provenance, time);
    let config = source_config(plan, &options.checkpoint)?;
    destination.keep(true);
    for sidecar in &layout.sidecars {
        destination.write_whole(&sidecar.name, &sidecar.bytes)?;
    }
    if let Some(config) = config {
        destination.write_whole(CONFIG, &config)?;
        report.others.push(TextHash { name: CONFIG.to_owned(), sha256: hex_digest(&config) });
    }
    destination.write_whole("plan.json", PlanDocument::of(plan, &layout).to_json().as_bytes())?;
    destination.write_whole("report.json", to_json(&report).as_bytes())?;
    destination.write_whole("report.md", to_markdown(&report).as_bytes())?;
    destination.commit()?;
    Ok(report)
}

/// What the caller chose, or the best variant of this processor.
pub(super) fn kernels(given: Option<&Arc<dyn Backend>>, path: &Path) -> Result<Arc<dyn Backend>, RunError> {
    match given {
        Some(backend) => Ok(backend.clone()),
        None => match Cpu::detect() {
            Ok(cpu) => Ok(Arc::new(*cpu)),
            Err(error) => {
                Err(RunError::new(RunErrorKind::Environment, path, "choosing kernels", error.to_string()))
            }
        },
    }
}

struct Run<'a> {
    plan: &'a Plan,
    schema: &'a Schema,
    files: &'a SourceFiles,
    layout: &'a OutputLayout,
    chosen: &'a [Chosen],
}

type DoneFn<'a> = Box<dyn Fn(Finished) -> Result<(), RunError> + Sync + Send + 'a>;

impl<'a> Run<'a> {
    /// Encodes and writes every tensor that is not in `finished`.
    fn write(
        &'a self,
        destination: &'a Destination,
        journal: &'a Journal,
        finished: Vec<Option<Finished>>,
        pool: &rayon::ThreadPool,
        around: Surroundings<'a>,
    ) -> Result<Vec<Option<Finished>>, RunError> {
        let path = Path::new(&self.schema.source);
        let by_name = self.schema.by_name();
        let parts = self.layout.by_tensor();
        let bytes = |tensor: &TensorPlan| checked_bytes(&tensor.shape, tensor.dtype).unwrap_or(0);
        around.progress.begin("encoding", self.plan.tensors.iter().map(bytes).sum());
        let mut left = Vec::new();
        for (index, (tensor, done)) in self.plan.tensors.iter().zip(&finished).enumerate() {
            match done {
                Some(_) => around.progress.advance(bytes(tensor)),
                None => left.push(index),
            }
        }
        let finished = Mutex::new(finished);
        let done: Vec<DoneFn<'_>> = (0..self.plan.tensors.len())
            .map(|index| {
                let finished = &finished;
                let note = move |result: Finished| {
                    journal.push(&tensor_line(index, &result), true)?;
                    let mut finished = finished.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(slot) = finished.get_mut(index) {
                        *slot = Some(result);
                    }
                    Ok(())
                };
                Box::new(note) as DoneFn<'_>
            })
            .collect();
        let result = run_jobs(pool, left.len(), path, around.stop, |number| {
            let index = left.get(number).copied().unwrap_or(usize::MAX);
            let (Some(tensor), Some(parts), Some(done)) =
                (self.plan.tensors.get(index), parts.get(index), done.get(index))
            else {
                return Err(RunError::internal(path, "no such tensor"));
            };
            let elements = self.elements(tensor, &by_name)?;
            let places: Vec<(usize, &PlacedPart)> = parts.clone();
            let target = TensorTarget::new(tensor, destination, &places);
            TensorJob::new(tensor, around, elements, target, &**done)
        });
        around.progress.end();
        result?;
        drop(done);
        Ok(finished.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn elements(
        &self,
        tensor: &'a TensorPlan,
        by_name: &std::collections::BTreeMap<&str, usize>,
    ) -> Result<Elements<'a>, RunError> {
        let name = source_name(tensor, self.chosen);
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
            let selection = self.plan.selections.get(cut.selection).zip(self.chosen.get(cut.selection));
            let (selection, chosen) = selection.ok_or_else(|| refused("a cut names no selection"))?;
            cuts.push((cut.slice, selection.of, chosen.kept.as_slice()));
        }
        let rows = Rows::new(&tensor.source_shape, &cuts);
        Ok(Elements::new(self.files.tensor(info)?, name, &tensor.source_shape, rows, tensor.dtype))
    }
}

/// The source tensor, once selections are made.
fn source_name<'a>(tensor: &'a TensorPlan, chosen: &[Chosen]) -> Option<&'a str> {
    match &tensor.source {
        TensorSource::Tensor(name) => Some(name),
        TensorSource::Kept { selection, position, family } => {
            let index = chosen.get(*selection)?.kept.get(usize::try_from(*position).ok()?)?;
            family.get(usize::try_from(*index).ok()?).map(String::as_str)
        }
    }
}

fn tensor_reports(
    plan: &Plan,
    layout: &OutputLayout,
    chosen: &[Chosen],
    finished: Vec<Option<Finished>>,
) -> Result<Vec<TensorReport>, RunError> {
    let placed = layout.by_tensor();
    let mut reports = Vec::with_capacity(plan.tensors.len());
    for (((tensor, bytes), parts), finished) in
        plan.tensors.iter().zip(&layout.tensor_bytes).zip(&placed).zip(finished)
    {
        let finished = finished.ok_or_else(|| {
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
            pattern: tensor.arm.pattern.clone(),
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

fn provenance(
    plan: &Plan,
    schema: &Schema,
    options: &RunOptions,
    kernels: &str,
    threads: usize,
) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plan_hash: plan_hash(plan),
        texts: options.texts.clone(),
        header_hash: schema.header_hash.clone(),
        source_files: schema
            .files
            .iter()
            .map(|file| SourceFileReport { name: file.name.clone(), bytes: file.bytes })
            .collect(),
        kernels: kernels.to_owned(),
        threads,
    }
}

fn report(
    plan: &Plan,
    layout: &OutputLayout,
    chosen: &[Chosen],
    tensors: Vec<TensorReport>,
    provenance: Provenance,
    time: RunTime,
) -> RunReport {
    let totals = Totals {
        source_tensors: plan.source.tensors,
        source_bytes: plan.source.tensor_bytes,
        tensors: plan.tensors.len() as u64,
        stored_bytes: layout.stored_bytes,
        file_bytes: layout.file_bytes,
        ratio: layout.ratio(plan),
        clipped: tensors.iter().filter_map(|t| t.clipped).sum(),
    };
    RunReport {
        schema: REPORT_SCHEMA,
        recipe: plan.recipe.clone(),
        container: container_name(plan.container).to_owned(),
        totals,
        selections: plan
            .selections
            .iter()
            .zip(chosen)
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
        provenance,
        time,
    }
}

/// The file that loaders of models read first.
const CONFIG: &str = "config.json";

/// `config.json` for containers that need one, from the one beside the checkpoint.
fn source_config(plan: &Plan, checkpoint: &Path) -> Result<Option<Vec<u8>>, RunError> {
    if plan.container != OutputContainer::Bitsandbytes {
        return Ok(None);
    }
    let folder = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
    let path = folder.unwrap_or(Path::new("")).join(CONFIG);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(RunError::io(RunErrorKind::Source, &path, "reading", &error)),
    };
    config_json(plan, text.as_deref())
        .map_err(|message| RunError::new(RunErrorKind::Source, &path, "reading", message))
}

/// Peak of resident memory, where the system tells it in a file.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
