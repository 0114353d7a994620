//! What a run does between a checkpoint and its formats: it makes a smaller shape, prunes, and trains.
//!
//! ```text
//!  checkpoint ─ derived (a smaller shape) ─ pruned (a run that keeps everything) ─ tuned ─ output (a run, as planned)
//!                                                        ▲                          │
//!                                              teacher ──┴─ train ─ state ──────────┘
//! ```
//!
//! All of it lies in `.NAME.tune` beside the output until that is whole. Each stage is a file or a folder that appears whole, so a
//! run that was killed goes on with the stage that it was in; training goes on from its last state. The output says that it is
//! of the recipe's plan and of its checkpoint: [`Shown`].

#[cfg(feature = "torch")]
mod crowd;
mod derived;
#[cfg(feature = "torch")]
mod faults;
#[cfg(feature = "torch")]
mod held_out;
#[cfg(feature = "torch")]
mod inputs;
#[cfg(feature = "torch")]
mod order;
#[cfg(feature = "torch")]
mod rate;
mod stages;
#[cfg(feature = "torch")]
mod state;
#[cfg(feature = "torch")]
mod student;
#[cfg(feature = "torch")]
mod train;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use icpc_kernels::Unavailable;
use icpc_kernels::format::Percentile;

use crate::arch::derive::Shape;
use crate::backend::place::{Place, honours_seed};
use crate::checkpoint::{Schema, open};
use crate::eval::{Protocol, Tokens};
use crate::exec::{
    Calibrator, Magnitudes, Outcome, Progress, RunError, RunErrorKind, RunOptions, Shown, Stop, Task, lock,
    run, run_of,
};
use crate::plan::ir::Plan;
use crate::report::{CalibrationReport, RunReport, SelectionReport, TuneReport};
use crate::session::Session;

/// What is to be run.
pub struct Request<'a> {
    /// The recipe's plan.
    pub plan: &'a Plan,
    /// The header that it is of: that of the checkpoint, or of the smaller shape.
    pub schema: &'a Schema,
    /// The header of the checkpoint.
    pub checkpoint: &'a Schema,
    /// The smaller shape, where the recipe derives one.
    pub shape: Option<&'a Shape>,
    /// The recipe's file and name.
    pub recipe: (&'a str, &'a str),
    /// Text and windows of `tune`.
    pub data: Protocol,
    /// Those of `evaluate`, where there are any.
    pub held_out: Option<Protocol>,
    /// Those of `calibrate`, which static scales of activations are measured on, where there are any.
    pub calibration: Option<Protocol>,
    /// Where the model is trained, or why it cannot be.
    pub place: Result<Place, Unavailable>,
    /// As of a run without training.
    pub options: &'a RunOptions,
}

/// Whether a plan needs more than [`run`].
pub fn is_needed(plan: &Plan) -> bool {
    plan.tune.is_some() || plan.derive.is_some()
}

/// Runs a plan that trains, or that makes a smaller shape. `session` holds the recipe; its checkpoint is replaced on the way.
///
/// # Errors
/// As [`run`]; a build or a device that cannot train, a text that is too short or another one than before, a loss that is NaN,
/// a request to end.
pub fn tune(
    request: &Request<'_>,
    session: &mut Session,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    match all_stages(request, session, progress) {
        // another task may have ended the run, and taken away what this one was reading
        Err(error) => {
            let shown = Shown { plan: request.plan, schema: request.schema, selections: &[], tune: None };
            match there(request, &shown) {
                Ok(Some(report)) => Ok(Outcome::There(Box::new(report))),
                _ => Err(error),
            }
        }
        done => done,
    }
}

fn all_stages(
    request: &Request<'_>,
    session: &mut Session,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    let Request { plan, schema, options, .. } = request;
    let shown = Shown { plan, schema, selections: &[], tune: None };
    let work = Work(Shown::beside(options, ".tune")?);
    if let Some(report) = there(request, &shown)? {
        work.clear();
        return Ok(Outcome::There(Box::new(report)));
    }
    shown.may_be_written(options)?;
    if plan.tune.is_some() {
        place(request)?;
    }
    work.make()?;
    // Of several tasks one does all this, and the others wait for it.
    let (selections, tuned) = {
        let _lock = work.lock(options)?;
        if let Some(report) = there(request, &shown)? {
            return Ok(Outcome::There(Box::new(report)));
        }
        let source = derived::make(request, &work)?;
        let pruned = prune(request, &work, &source, progress)?;
        let tuned = match &plan.tune {
            Some(_) => Some(train_once(request, session, &work, progress)?),
            None => None,
        };
        (pruned, tuned)
    };
    let from = if tuned.is_some() { work.at("tuned") } else { work.at("pruned") };
    let between = open(&from).map_err(|e| unread(&from, &e))?;
    let stored = stages::stored(plan, &between);
    let report = tuned.as_ref().map(|tuned| &tuned.report);
    let shown = Shown { plan, schema, selections: &selections, tune: report };
    let last = RunOptions {
        checkpoint: from,
        config: Some(options.checkpoint.clone()),
        calibration: tuned.as_ref().and_then(|tuned| scales(tuned, options)),
        ..RunOptions::clone(options)
    };
    let outcome = run_of(&stored, &between, &shown, &last, progress)?;
    if matches!(outcome, Outcome::Wrote(_) | Outcome::There(_)) {
        // not while another task looks for what is done
        let _lock = work.lock(options);
        work.clear();
    }
    Ok(outcome)
}

/// The report of the output, if it is there, whole and of this recipe. The plan does not name the content of the text.
///
/// # Errors
/// It was trained on another text, or with another tokenizer.
fn there(request: &Request<'_>, shown: &Shown<'_>) -> Result<Option<RunReport>, RunError> {
    let Some(report) = shown.there(request.options)? else { return Ok(None) };
    let Some(TuneReport { data: Some(data), tokenizer: Some(tokenizer), .. }) = &report.tune else {
        return Ok(Some(report));
    };
    let text = request.data.data.as_deref().unwrap_or_default();
    let now = Tokens::sources(text, request.data.tokenizer.as_deref());
    let now = now.map_err(|e| unread(Path::new(&e.path), &e.message))?;
    for (what, known, now) in
        [("on another text", data, &now.0), ("with another tokenizer", tokenizer, &now.1)]
    {
        if known.content() != now.content() {
            let message = format!("it was trained {what}: `{}` changed", now.name);
            let error =
                RunError::new(RunErrorKind::OutputRefused, &request.options.output, "going on", message);
            return Err(error.remedy("`--force` replaces it"));
        }
    }
    Ok(Some(report))
}

/// The weights behind cuts and masks, in f32 where they are trained; what the selections chose.
fn prune(
    request: &Request<'_>,
    work: &Work,
    source: &derived::Source<'_>,
    progress: &dyn Progress,
) -> Result<Vec<SelectionReport>, RunError> {
    let plan = stages::pruned(request.plan);
    let output = work.at("pruned");
    let options = RunOptions {
        checkpoint: source.path.clone(),
        output: output.clone(),
        force: false,
        calibration: None,
        task: Task::ALONE,
        ..RunOptions::clone(request.options)
    };
    let shown = Shown { plan: &plan, schema: &source.schema, selections: &[], tune: None };
    if shown.there(&options)?.is_none() && output.exists() {
        // of another plan or checkpoint
        whole::remove(&output)?;
    }
    let outcome = run(&plan, &source.schema, &options, progress)?;
    outcome.report().map(|report| report.selections).ok_or_else(|| {
        RunError::new(RunErrorKind::Internal, &output, "pruning", "one task did not do all of it")
    })
}

/// What a training leaves beside its weights.
struct Tuned {
    report: TuneReport,
    /// What goes into products with the trained weights.
    magnitudes: Magnitudes,
}

/// Scales of activations that were measured on the trained model.
struct Measured {
    record: CalibrationReport,
    magnitudes: Magnitudes,
}

impl Calibrator for Measured {
    fn record(&self) -> &CalibrationReport {
        &self.record
    }

    fn magnitudes(
        &self,
        _wanted: &BTreeMap<String, Percentile>,
        _progress: &dyn Progress,
        _stop: &Stop,
    ) -> Result<Magnitudes, RunError> {
        Ok(self.magnitudes.clone())
    }
}

/// In the place of what would measure the checkpoint, with the same record.
fn scales(tuned: &Tuned, options: &RunOptions) -> Option<Arc<dyn Calibrator>> {
    let record = options.calibration.as_ref()?.record().clone();
    Some(Arc::new(Measured { record, magnitudes: tuned.magnitudes.clone() }))
}

/// Where the model is trained.
fn place(request: &Request<'_>) -> Result<Place, RunError> {
    let refused = |message: &str, remedy: &str| {
        let output = &request.options.output;
        RunError::new(RunErrorKind::Environment, output, "training", message).remedy(remedy)
    };
    let seeded = request.plan.tune.as_ref().is_some_and(|t| t.numbers.seed.is_some());
    let place = request.place.clone().and_then(|place| honours_seed(place, seeded));
    place.map_err(|e| refused(&e.what, &e.remedy))
}

#[cfg(feature = "torch")]
fn train_once(
    request: &Request<'_>,
    session: &mut Session,
    work: &Work,
    progress: &dyn Progress,
) -> Result<Tuned, RunError> {
    train::once(request, session, work, progress)
}

#[cfg(not(feature = "torch"))]
fn train_once(
    request: &Request<'_>,
    _session: &mut Session,
    _work: &Work,
    _progress: &dyn Progress,
) -> Result<Tuned, RunError> {
    let output = &request.options.output;
    Err(RunError::new(RunErrorKind::Internal, output, "training", "there is no libtorch"))
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> RunError {
    RunError::new(RunErrorKind::Source, path, "reading", error.to_string())
}

/// The folder of what is made on the way.
struct Work(PathBuf);

impl Work {
    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn make(&self) -> Result<(), RunError> {
        std::fs::create_dir_all(&self.0)
            .map_err(|e| RunError::io(RunErrorKind::Output, &self.0, "creating", &e))
    }

    fn lock(&self, options: &RunOptions) -> Result<lock::Lock, RunError> {
        let path = self.at("lock");
        loop {
            let taken =
                lock::take(&path).map_err(|e| RunError::io(RunErrorKind::Output, &path, "opening", &e))?;
            match taken {
                Some(lock) => return Ok(lock),
                None if options.task.size() == 1 => {
                    let error = RunError::new(
                        RunErrorKind::OutputRefused,
                        &options.output,
                        "training",
                        "another run trains it",
                    );
                    return Err(error.remedy("wait until it ends"));
                }
                None => {
                    options.stop.check(&options.output)?;
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }

    /// What cannot be removed is in nobody's way.
    fn clear(&self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A shared header.
type Header = Arc<Schema>;
