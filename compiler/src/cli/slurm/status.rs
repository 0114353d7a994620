//! `icpc slurm status`.

use std::fmt::Write;
use std::path::Path;

use crate::base::{count, human_bytes};
use crate::cli::{Exit, Recipe, complain, print};
use crate::exec::{self, FileStatus};
use crate::hir::names::join;
use crate::slurm::status::{State, states};
use crate::slurm::submit::{Submitted, submitted};

#[derive(clap::Args)]
pub(super) struct Args {
    /// A recipe's file or an output's folder; every job that was submitted from here when it is left out
    #[arg(value_name = "RECIPE|OUTPUT")]
    what: Option<String>,
    /// Folder of logs that the jobs were submitted with
    #[arg(long, value_name = "FOLDER", default_value = "logs")]
    log_dir: String,
}

pub(super) fn main(args: &Args) -> Exit {
    let folder = std::env::current_dir().unwrap_or_default().display().to_string();
    let absolute = |path: &str| join(&format!("{folder}/."), path.trim_end_matches('/'));
    let wanted = args.what.as_deref().map(absolute);
    let mut jobs = submitted(Path::new(&args.log_dir));
    if let Some(wanted) = &wanted {
        jobs.retain(|job| job.file == *wanted || job.output == *wanted);
    }
    // Of an output only the job that was submitted last says how far it is.
    let mut seen: Vec<String> = Vec::new();
    jobs.retain(|job| {
        let first = !seen.contains(&job.output);
        seen.push(job.output.clone());
        first
    });
    match (&args.what, jobs.as_slice()) {
        (Some(what), []) => unsubmitted(what, &args.log_dir),
        (None, []) => {
            complain(&format!(
                "error: no job was submitted with logs in `{}`: name a recipe, an output, or the folder with `--log-dir`",
                args.log_dir
            ));
            Exit::Files
        }
        (_, jobs) => jobs.iter().fold(Exit::Success, |exit, job| match text(job) {
            Ok(text) => {
                print(&text);
                exit
            }
            Err(why) => {
                complain(&format!("error: {why}"));
                Exit::Files
            }
        }),
    }
}

/// A run of which no record of a job is here: its journals tell all the same.
fn unsubmitted(what: &str, logs: &str) -> Exit {
    let outputs = if what.ends_with(".icp") {
        match outputs(what) {
            Ok(outputs) => outputs,
            Err(exit) => return exit,
        }
    } else {
        vec![what.trim_end_matches('/').to_owned()]
    };
    complain(&format!("note: no job of `{what}` has a record in `{logs}`; `--log-dir` names another folder"));
    for output in outputs {
        match progress(Path::new(&output)) {
            Ok(text) => print(&format!("{output}\n{text}")),
            Err(why) => {
                complain(&format!("error: {why}"));
                return Exit::Files;
            }
        }
    }
    Exit::Success
}

/// The folders that the recipes of a file write.
fn outputs(file: &str) -> Result<Vec<String>, Exit> {
    let session = Recipe::of_file(file, None, None).load()?;
    let recipes = session.recipe_names(file).into_iter().filter_map(|name| session.recipe(file, &name));
    Ok(recipes.filter_map(|recipe| recipe.output()).collect())
}

fn text(job: &Submitted) -> Result<String, String> {
    let mut out = format!("job {} `{}` → {}\n", job.job, job.recipe, job.output);
    match states(&job.job) {
        Ok(states) if states.is_empty() => out += "  not in the queue any more\n",
        Ok(states) => states.iter().for_each(|state| out += &format!("  {}\n", line(state))),
        Err(why) => out += &format!("  state unknown: {why}\n"),
    }
    out += &progress(Path::new(&job.output))?;
    Ok(out + &format!("  log {}\n", job.log))
}

fn line(state: &State) -> String {
    let mut out = state.state.clone();
    if let Some(task) = &state.task {
        out = format!("task {task} {out}");
    }
    if let Some(nodes) = &state.nodes {
        out += &format!(" on {nodes}");
    }
    if let (Some(time), Some(limit)) = (&state.time, &state.limit) {
        out += &format!(", {time} of {limit}");
    }
    if state.restarts > 0 {
        out += &format!(", {}", count(state.restarts.into(), "restart"));
    }
    if let Some(reason) = &state.reason {
        out += &format!(" ({reason})");
    }
    out
}

/// How far an output is, by its journals.
fn progress(output: &Path) -> Result<String, String> {
    let status = exec::status(output).map_err(|error| error.to_string())?;
    // A journal's folder may be there for a moment before the first line, or after the last.
    let Some(status) = status.filter(|status| !status.begun.is_empty()) else {
        let whole = output.join("report.json").is_file();
        return Ok(format!("  {}\n", if whole { "the output is whole" } else { "nothing is written yet" }));
    };
    let mut out = String::new();
    let whole = status.begun.iter().filter(|file| file.tensors > 0 && file.done == file.tensors).count();
    let sum = |bytes: fn(&FileStatus) -> u64| status.begun.iter().map(bytes).fold(0, u64::saturating_add);
    let _ = writeln!(
        out,
        "  {whole} of {} whole, {} of {} in {} that were begun",
        count(status.files as u64, "file"),
        human_bytes(sum(|file| file.done_bytes)),
        human_bytes(sum(|file| file.bytes)),
        count(status.begun.len() as u64, "file"),
    );
    // A task takes all its files at its beginning; of most there is nothing to say yet.
    for file in status.begun.iter().filter(|file| file.done > 0 && file.done < file.tensors) {
        let _ = writeln!(out, "  {}", of_file(file));
    }
    let running = status.begun.iter().any(|file| file.running == Some(true));
    if !running && status.begun.iter().all(|file| file.running.is_some()) {
        out += "  no run is at it: the same command goes on\n";
    }
    Ok(out)
}

fn of_file(file: &FileStatus) -> String {
    let mut out = format!(
        "{}: {} of {}, {} of {}",
        file.name,
        file.done,
        count(file.tensors as u64, "tensor"),
        human_bytes(file.done_bytes),
        human_bytes(file.bytes)
    );
    if let Some(worker) = file.workers.last()
        && let Some(job) = &worker.job
    {
        out += &format!(", last job {} on {}", job.id, job.node);
    }
    out
}
