//! `icpc slurm status`.

use std::path::Path;

use crate::cli::{Exit, complain, print};
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
    if jobs.is_empty() {
        let of = args.what.as_ref().map_or_else(String::new, |what| format!(" of `{what}`"));
        complain(&format!(
            "error: no job{of} was submitted with logs in `{}`: name the folder with `--log-dir`",
            args.log_dir
        ));
        return Exit::Files;
    }
    for job in &jobs {
        print(&text(job));
    }
    Exit::Success
}

fn text(job: &Submitted) -> String {
    let mut out = format!("job {} `{}` → {}\n", job.job, job.recipe, job.output);
    match states(&job.job) {
        Ok(states) if states.is_empty() => out += "  not in the queue any more\n",
        Ok(states) => states.iter().for_each(|state| out += &format!("  {}\n", line(state))),
        Err(why) => out += &format!("  state unknown: {why}\n"),
    }
    out += &format!("  {}\n", progress(Path::new(&job.output)));
    out + &format!("  log {}\n", job.log)
}

fn line(state: &State) -> String {
    let mut out = state.state.clone();
    if let Some(nodes) = &state.nodes {
        out += &format!(" on {nodes}");
    }
    if let (Some(time), Some(limit)) = (&state.time, &state.limit) {
        out += &format!(", {time} of {limit}");
    }
    if state.restarts > 0 {
        out += &format!(", {}", crate::base::count(state.restarts.into(), "restart"));
    }
    if let Some(reason) = &state.reason {
        out += &format!(" ({reason})");
    }
    out
}

/// How far the output is.
fn progress(output: &Path) -> String {
    if output.exists() { "the output is whole".to_owned() } else { "the output is not whole yet".to_owned() }
}
