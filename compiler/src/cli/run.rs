//! `icpc run`.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::Planned;
use super::require::Decision;
use super::{BackendArg, Exit, Recipe, complain, print};
use crate::backend::place::Place;
use crate::base::{count, human_bytes};
use crate::eval::Protocol;
use crate::eval::{EvalError, Reopen, Scales};
use crate::exec::{
    self, Calibrator, NotesOnly, Outcome, Placement, Progress, RunError, RunErrorKind, RunOptions, Stop,
    Task, terminal_progress,
};
use crate::hir::{self, Metric};
use crate::plan::ir::Plan;
use crate::plan::memory::{LIBTORCH, Stage, Workspace, this_program};
use crate::plan::print_plan;
use crate::plan::requirement::memory;
use crate::report::{RunReport, TextHash};
use crate::session::Session;
use crate::tune;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    recipe: Recipe,
    /// Writes to this folder instead of the one that the recipe names
    #[arg(long, value_name = "FOLDER")]
    out: Option<String>,
    /// Replaces an output that exists
    #[arg(long)]
    force: bool,
    /// Worker threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Kernels that do the work; the output is the same
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendArg,
    /// Does the share of task R of N, counted from 0, in one file after another of the output; `srun` says it by itself
    #[arg(long, value_name = "R/N", value_parser = task)]
    task: Option<Task>,
    /// Refuses what differs from the recipe's lock
    #[arg(long)]
    locked: bool,
    /// Prints neither plan nor progress
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let planned = match args.recipe.planned(args.locked, "a run") {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let Planned { session, name, recipe, checkpoint, plan, layout } = planned;
    let (file, checkpoint, plan, layout) = (&args.recipe.file, &checkpoint, &*plan, &*layout);
    let Some(schema) = session.schema(checkpoint) else { return Exit::Files };
    let Some(output) = args.out.clone().or_else(|| recipe.output()) else {
        complain(&format!("error: `{name}` says no output: add `emit \"out/{name}\";`, or run with `--out`"));
        return Exit::Diagnostics;
    };
    let selected = match args.backend.open(recipe.target()) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let place = if recipe.requirements.iter().any(|r| r.metric == Metric::Perplexity) {
        args.backend.place_beside_plan(recipe.target())
    } else {
        Ok(Place::Native)
    };
    let place = match place {
        Ok(place) => place,
        Err(exit) => return exit,
    };
    let placement = Placement::here();
    let task = args.task.unwrap_or(placement.task);
    // once for all tasks
    if !args.quiet && task.rank() == 0 {
        print(&print_plan(plan, layout));
    }
    // The checker knows the least that a run needs; how many threads there are is known here.
    let threads = exec::threads(args.threads.map(usize::from));
    let workspace = Workspace::new(plan, threads);
    if workspace.threads < threads {
        complain(&format!(
            "note: {} of {threads} threads run, so that what this plan counts in a pass fits in memory",
            workspace.threads
        ));
    }
    let peak = this_program(plan, layout, threads);
    let too_much = recipe.requirements.iter().filter(|r| r.metric == Metric::Memory);
    if let Some(problem) = too_much.filter_map(|r| memory(r, peak, workspace.threads)).next() {
        let help = problem.help.as_deref().unwrap_or_default();
        let torch = match peak.stage {
            Stage::Training => String::new(),
            _ if LIBTORCH == 0 => String::new(),
            _ => format!(" ({} of it for libtorch, which a plain build has not)", human_bytes(LIBTORCH)),
        };
        complain(&format!("error: {}{torch}: {help}", problem.headline));
        return Exit::Diagnostics;
    }
    let calibration = match calibration(args, &session, &name, checkpoint, plan, &recipe) {
        Ok(calibration) => calibration,
        Err(exit) => return exit,
    };
    let options = RunOptions {
        force: args.force,
        threads: args.threads.map(usize::from),
        texts: texts(&session),
        backend: Some(selected.backend),
        stop: Stop::on_signals(),
        task,
        job: placement.job.clone(),
        calibration,
        ..RunOptions::new(PathBuf::from(checkpoint), PathBuf::from(&output))
    };
    let progress: Box<dyn Progress> =
        if args.quiet { Box::new(NotesOnly) } else { terminal_progress(&placement, task) };
    let decision = Decision {
        recipe: &args.recipe,
        name: &name,
        resolved: &recipe,
        checkpoint,
        output: &output,
        threads,
        place,
        progress: progress.as_ref(),
        stop: &options.stop,
    };
    if let Err(exit) = decision.foresee(&session) {
        return exit;
    }
    let done = if tune::is_needed(plan) {
        let mut session = match args.recipe.load() {
            Ok(session) => session,
            Err(exit) => return exit,
        };
        let shape = session.shape(file, &name);
        let request = tune::Request {
            plan,
            schema: shape.as_ref().map_or(&schema, |shape| &shape.schema),
            checkpoint: &schema,
            shape: shape.as_deref(),
            recipe: (file, &name),
            data: recipe.tune.as_ref().map(Protocol::of).unwrap_or_default(),
            held_out: recipe.evaluate.as_ref().map(Protocol::of),
            calibration: recipe.calibrate.as_ref().filter(|_| plan.has_static_scales()).map(Protocol::of),
            place: args.backend.training_place(recipe.target()),
            options: &options,
        };
        tune::tune(&request, &mut session, progress.as_ref())
    } else {
        exec::run(plan, &schema, &options, progress.as_ref())
    };
    match done {
        Ok(Outcome::Wrote(report)) => {
            finish(&report, &output);
            decision.make(*report, true)
        }
        Ok(Outcome::There(report)) => {
            complain(&format!("`{output}` is there already, whole, from this recipe and this checkpoint"));
            decision.make(*report, task.rank() == 0)
        }
        Ok(Outcome::Share { files, missing }) => {
            complain(&exec::share_sentence(task, files, &missing));
            Exit::Success
        }
        Err(error) => {
            // the lines of tasks come together in one log
            let said_by = if task.size() > 1 { format!("{task}: ") } else { String::new() };
            failed_by(&said_by, &error)
        }
    }
}

/// What tells the static scales of the plan, if it has any.
fn calibration(
    args: &Args,
    session: &Session,
    name: &str,
    checkpoint: &str,
    plan: &Plan,
    recipe: &hir::Recipe,
) -> Result<Option<Arc<dyn Calibrator>>, Exit> {
    let Some(settings) = recipe.calibrate.as_ref().filter(|_| plan.has_static_scales()) else {
        return Ok(None);
    };
    let file = args.recipe.file.clone();
    let again = Recipe::of(&file, args.recipe.which.clone());
    let reopen: Reopen = Box::new(move || {
        let gone = |_| EvalError::new(&again.file, "reading", "the recipe is gone");
        again.load().map_err(gone)
    });
    let scales = Scales::new(session, (&file, name, checkpoint), settings, reopen);
    let scales = scales.map_err(|error| super::measuring::failed(&error, &Stop::default()))?;
    Ok(Some(Arc::new(scales)))
}

fn task(text: &str) -> Result<Task, String> {
    let numbers =
        text.split_once('/').and_then(|(rank, size)| Some((rank.parse().ok()?, size.parse().ok()?)));
    match numbers {
        Some((rank, size)) => Task::new(rank, size)
            .ok_or_else(|| format!("there is no task {rank} of {size}: they are counted from 0")),
        None => Err("a task is written R/N, such as 0/8".to_owned()),
    }
}

/// Hashes of the recipe and all it imports, for the provenance.
fn texts(session: &Session) -> Vec<TextHash> {
    session
        .texts()
        .into_iter()
        .map(|(path, text)| TextHash {
            name: path.to_owned(),
            sha256: crate::plan::hash::hex_digest(text.as_bytes()),
        })
        .collect()
}

/// Says what a failed run means for the exit code: weights that a format cannot hold are the recipe's affair.
pub(super) fn failed(error: &RunError) -> Exit {
    failed_by("", error)
}

/// The same, behind the name of the task that says it.
fn failed_by(said_by: &str, error: &RunError) -> Exit {
    let word = if error.kind == RunErrorKind::Interrupted { "interrupted" } else { "error" };
    complain(&format!("{said_by}{word}: {error}"));
    match error.kind {
        RunErrorKind::Interrupted => Exit::Interrupted,
        RunErrorKind::Value | RunErrorKind::Plan => Exit::Diagnostics,
        _ => Exit::Files,
    }
}

fn finish(report: &RunReport, output: &str) {
    let totals = &report.totals;
    let ratio = totals.ratio.map_or_else(String::new, |r| format!(", {r:.3}x"));
    complain(&format!(
        "wrote `{output}`: {} → {}{ratio}, {} in {:.2} s",
        human_bytes(totals.source_bytes),
        human_bytes(totals.stored_bytes),
        count(totals.tensors, "tensor"),
        report.time.seconds
    ));
}
