//! A run from plan to renamed folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use icpc_kernels::{Backend, Cpu};

use super::activations::{self, Calibrator};
use super::ending::{self, Ended};
use super::error::{RunError, RunErrorKind};
use super::job::Surroundings;
use super::place::Place;
use super::progress::Progress;
use super::resume::{self, Identity, Opened, chosen_line};
use super::selection::choose;
use super::source::SourceFiles;
use super::stop::Stop;
use super::task::Task;
use super::weights::{Sources, Weights, needed, tensors_of};
use crate::base::count;
use crate::checkpoint::Schema;
use crate::plan::Workspace;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;
use crate::report::{JobReport, RunReport, SelectionReport, TextHash, TuneReport, Worker};

/// Where a run reads and writes, and with how much.
#[derive(Clone)]
pub struct RunOptions {
    /// File or folder whose header the schema is.
    pub checkpoint: PathBuf,
    /// Folder to write.
    pub output: PathBuf,
    /// Whether an existing output is replaced.
    pub force: bool,
    /// Worker threads; as many as the process may use if `None`.
    pub threads: Option<usize>,
    /// Elements of a chunk; chosen by [`Workspace`] if `None`. The bytes of the output do not depend on it.
    pub chunk_elements: Option<u64>,
    /// The recipe and the texts it uses, by hash, for the report.
    pub texts: Vec<TextHash>,
    /// The kernels; the best variant that this processor has if `None`.
    pub backend: Option<Arc<dyn Backend>>,
    /// Ends the run soon: within a chunk, and with journals from which the next one goes on.
    pub stop: Stop,
    /// Which of the processes that share the run this one is.
    pub task: Task,
    /// The job that this process is in, for the report.
    pub job: Option<JobReport>,
    /// The checkpoint that a `config.json` stands beside, where it is another one.
    pub config: Option<PathBuf>,
    /// What tells static scales of activations; a plan without them needs none.
    pub calibration: Option<Arc<dyn Calibrator>>,
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
            stop: Stop::default(),
            task: Task::ALONE,
            job: None,
            config: None,
            calibration: None,
        }
    }

    fn workspace(&self, plan: &Plan) -> Workspace {
        let workspace = Workspace::new(plan, super::threads(self.threads));
        self.chunk_elements.map_or(workspace, |elements| workspace.with_chunk(elements))
    }
}

/// How a run that nothing stopped ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The output is whole now.
    Wrote(Box<RunReport>),
    /// It was whole before, written by such a run.
    There(Box<RunReport>),
    /// The share of this task is done, and those of others are not.
    Share {
        /// Files of this task.
        files: usize,
        /// Names of the files that other tasks have not finished.
        missing: Vec<String>,
    },
}

/// Runs `plan` on the checkpoint whose header is `schema`. The output folder appears whole, with weights, `plan.json`,
/// `report.json` and `report.md`, or not at all. What an earlier run of the same plan finished before it was killed, asked
/// to end, or stopped by a file system, is not done again. Of several tasks the one that finds all files whole ends the run.
///
/// # Errors
/// A plan that does not fit the checkpoint, a weight that a format cannot hold, files that cannot be read or written,
/// a checkpoint that changed, an output of something else that exists, an output that another run is writing, a request
/// to end.
pub fn run(
    plan: &Plan,
    schema: &Schema,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    run_of(plan, schema, &Shown::itself(plan, schema), options, progress)
}

/// What an output says that it is of, where it was encoded from something that a checkpoint was made into first.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The recipe's plan: the layout is its.
    pub plan: &'a Plan,
    /// The header that the plan is of.
    pub schema: &'a Schema,
    /// What its selections chose.
    pub selections: &'a [SelectionReport],
    /// What was trained.
    pub tune: Option<&'a TuneReport>,
}

impl<'a> Shown<'a> {
    fn itself(plan: &'a Plan, schema: &'a Schema) -> Shown<'a> {
        Shown { plan, schema, selections: &[], tune: None }
    }

    /// Refuses an output that may not be written, before something is done that takes long.
    ///
    /// # Errors
    /// As [`run`].
    pub fn may_be_written(&self, options: &RunOptions) -> Result<(), RunError> {
        Place::new(&options.output)?.check(&[&options.checkpoint], options.force)
    }

    /// A hidden folder beside the output, for what is made on the way to it.
    ///
    /// # Errors
    /// A path that ends in no name.
    pub fn beside(options: &RunOptions, ending: &str) -> Result<PathBuf, RunError> {
        Ok(Place::new(&options.output)?.beside(ending))
    }

    /// The report of such an output, if it is there and whole.
    ///
    /// # Errors
    /// As [`run`], of the place.
    pub fn there(&self, options: &RunOptions) -> Result<Option<RunReport>, RunError> {
        let place = Place::new(&options.output)?;
        ending::recover(&place)?;
        let Ok(layout) = OutputLayout::of(self.plan) else { return Ok(None) };
        let calibration = options.calibration.as_ref().map(|calibrator| calibrator.record());
        let identity = Identity::of(self.plan, self.schema, &layout, calibration);
        Ok(if options.force { None } else { ending::there(&place, &layout, &identity) })
    }
}

/// As [`run`], with an output that says it is what `shown` says. Tensors of `plan` are those of `shown`, one for one.
///
/// # Errors
/// As [`run`].
pub fn run_of(
    plan: &Plan,
    schema: &Schema,
    shown: &Shown<'_>,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    let began = (Instant::now(), SystemTime::now());
    let output = options.output.as_path();
    let layout = OutputLayout::of(shown.plan).map_err(|refusals| {
        let first = refusals.first().map(|r| (r.name.clone(), r.reason.to_string())).unwrap_or_default();
        RunError::new(RunErrorKind::Plan, output, "laying out", first.1).tensor(&first.0)
    })?;
    let backend = kernels(options.backend.as_ref(), output)?;
    let files = SourceFiles::open(schema, &options.checkpoint)?;
    let mut inputs: Vec<&Path> = files.paths().collect();
    inputs.push(&options.checkpoint);
    let place = Place::new(output)?;
    let calibration = options.calibration.as_ref().map(|calibrator| calibrator.record());
    let identity = Identity::of(plan, schema, &layout, calibration);
    let whole = Identity::of(shown.plan, shown.schema, &layout, calibration);
    ending::recover(&place)?;
    // `--force` asks for a new output, whatever the old one is
    let there = || if options.force { None } else { ending::there(&place, &layout, &whole) };
    // in this order: another task may end the run between the two
    let checked = place.check(&inputs, options.force);
    if let Some(report) = there() {
        ending::clear(&place);
        return Ok(Outcome::There(Box::new(report)));
    }
    checked?;
    let share = options.task.share(plan, &layout);
    let workspace = options.workspace(plan);
    let worker = Worker {
        task: options.task.rank(),
        tasks: options.task.size(),
        kernels: backend.name().to_owned(),
        threads: workspace.threads,
        job: options.job.clone(),
    };
    let opened = resume::open(&place, plan, &layout, &identity, &share, &worker, progress)?;
    let Opened { mut destination, journal, past } = opened;
    // another task may have ended the run while this one opened its files
    if let Some(report) = there() {
        // what is locked here is removed before others may have it
        drop(destination);
        drop(journal);
        ending::clear(&place);
        return Ok(Outcome::There(Box::new(report)));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workspace.threads)
        .thread_name(|index| format!("icpc-{index}"))
        .build()
        .map_err(|error| RunError::internal(output, error.to_string()))?;
    let around = Surroundings {
        backend: &*backend,
        progress,
        chunk_elements: workspace.chunk_elements,
        stop: &options.stop,
    };
    let encode = || {
        let mut chosen = past.chosen.clone();
        let wanted: Vec<usize> =
            needed(plan, &layout, &share).into_iter().filter(|index| !chosen.contains_key(index)).collect();
        for (index, found) in choose(plan, &wanted, schema, &files, &pool, around)? {
            let lines = chosen_line(index, &found);
            share.iter().try_for_each(|file| journal.push(*file, &lines, false))?;
            chosen.insert(index, found);
        }
        let measure = || activations::magnitudes(plan, &place, &identity, options, progress);
        let magnitudes = pool.install(measure)?;
        let mine = tensors_of(&layout, &share);
        activations::check(plan, &magnitudes, &chosen, |index| mine.contains(&index), &options.checkpoint)?;
        let sources = Sources { chosen: &chosen, magnitudes: &magnitudes };
        let weights = Weights { plan, schema, files: &files, layout: &layout, sources };
        weights.write(&share, &destination, &journal, &past, &pool, around)?;
        files.check_unchanged()?;
        journal.flush(|| options.stop.is_asked())?;
        options.stop.check(output)
    };
    if let Err(error) = encode() {
        // where all was whole another task may have ended the run, and its files are not where they were
        if let Some(report) = there() {
            destination.keep();
            drop(journal);
            ending::clear(&place);
            return Ok(Outcome::There(Box::new(report)));
        }
        let error = ending::stopped(error, &mut destination, &journal, progress);
        drop(destination);
        return Err(error);
    }
    destination.keep();
    drop(journal);
    let of = ending::Of { plan, shown, identity: &identity, whole: &whole };
    let ended = ending::end(&place, destination, &of, &layout, options, began)?;
    Ok(match ended {
        Ended::Missing(missing) => Outcome::Share { files: share.len(), missing },
        Ended::Wrote(report) => Outcome::Wrote(report),
        Ended::There(report) => {
            // while it waited for its turn it may have made the folder of journals again
            ending::clear(&place);
            Outcome::There(report)
        }
    })
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

impl Outcome {
    /// The report of an output that is whole.
    pub fn report(self) -> Option<RunReport> {
        match self {
            Outcome::Wrote(report) | Outcome::There(report) => Some(*report),
            Outcome::Share { .. } => None,
        }
    }
}

/// For people: what became of a share.
pub fn share_sentence(task: Task, files: usize, missing: &[String]) -> String {
    let done = match files {
        0 => format!("{task} has nothing to do: there are fewer files than tasks"),
        files => format!("{task} is done with {}", count(files as u64, "file")),
    };
    let first = missing.first().map(String::as_str).unwrap_or_default();
    match missing.len() {
        0 => done,
        1 => format!("{done}; `{first}` is not whole yet, and the task that ends last writes the index"),
        more => format!(
            "{done}; {more} files are not whole yet, such as `{first}`, and the task that ends last writes the index"
        ),
    }
}
