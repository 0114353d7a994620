//! `icpc slurm RECIPE`: the script, what speaks against it, and its submission.

use std::path::Path;
use std::time::{Duration, Instant};

use super::arguments::Generate;
use super::others::others;
use crate::checkpoint::{Container, Schema};
use crate::cli::args::Planned;
use crate::cli::{Exit, complain, print};
use crate::hir::names::join;
use crate::slurm::check::Subject;
use crate::slurm::{self, Answer, Finding, Level, Paths, Resources, Work, estimate, submit};

pub(super) fn main(args: &Generate) -> Exit {
    let begin = Instant::now();
    let Some(recipe) = args.recipe() else { return Exit::Usage };
    let planned = match recipe.planned(args.locked, "a job") {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let file = &recipe.file;
    let Planned { session, name, recipe, checkpoint, plan, layout } = planned;
    let Some(schema) = session.schema(&checkpoint) else { return Exit::Files };
    let emitted = recipe.output();
    let Some(output) = args.out.clone().or_else(|| emitted.clone()) else {
        complain(&format!("error: `{name}` says no output: add `emit \"out/{name}\";`, or give `--out`"));
        return Exit::Diagnostics;
    };
    let request = args.request(&name);
    let paths = match paths(args, file, &name, &checkpoint, &output) {
        Ok(paths) => paths,
        Err(why) => {
            complain(&format!("error: {why}"));
            return Exit::Files;
        }
    };
    let target = recipe.target();
    let work = Work { plan: &plan, layout: &layout, target, listing: schema.container == Container::Listing };
    let planned = begin.elapsed();

    // A report may lie where the recipe says, and where it is written this time.
    let outputs: Vec<&str> = [Some(output.as_str()), emitted.as_deref()].into_iter().flatten().collect();
    let sources = source_files(&schema, Path::new(&checkpoint));
    let (answer, rates) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| timed(|| if args.offline { Answer::Absent } else { slurm::look() }));
        let rates = timed(|| estimate::rates(&work, &outputs, &sources));
        let silent = |_| (Answer::Silent("internal error: Slurm could not be asked".into()), Duration::ZERO);
        (asked.join().unwrap_or_else(silent), rates)
    });
    let ((answer, asked), (rates, measured)) = (answer, rates);
    let cluster = answer.cluster();
    let resources = Resources::choose(&work, &request, &rates, cluster);
    let script = match slurm::script(&work, &request, &paths, &resources) {
        Ok(script) => script,
        Err(why) => {
            complain(&format!("error: {why}: give it another name"));
            return Exit::Usage;
        }
    };
    let others = others(&session, file, &name, &paths.folder);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let subject = Subject {
        work,
        request: &request,
        paths: &paths,
        resources: &resources,
        others: &others,
        host: host.trim(),
        cluster,
    };
    let (findings, checked) = timed(|| slurm::check(&subject));
    for finding in &findings {
        complain(&finding.to_string());
    }
    let exit = hand_over(args, &Made { script, answer: &answer, findings: &findings, subject: &subject });
    if args.messages.verbose {
        complain(&format!(
            "note: {} ms: plan {}, Slurm's answers {} beside measurement {}, checks {}",
            begin.elapsed().as_millis(),
            planned.as_millis(),
            asked.as_millis(),
            measured.as_millis(),
            checked.as_millis()
        ));
    }
    exit
}

/// A script, and what was found about it.
struct Made<'a> {
    script: String,
    answer: &'a Answer,
    findings: &'a [Finding],
    subject: &'a Subject<'a>,
}

/// Prints, writes or submits.
fn hand_over(args: &Generate, made: &Made<'_>) -> Exit {
    let errors = made.findings.iter().filter(|finding| finding.level == Level::Error).count() as u64;
    if let Some(path) = &args.output {
        if let Err(why) = submit::write_script(Path::new(path), &made.script) {
            complain(&format!("error: {why}"));
            return Exit::Files;
        }
        complain(&format!("wrote `{path}`"));
    } else if !args.submit {
        print(&made.script);
    }
    match made.answer {
        Answer::Here(cluster) => {
            let partition = cluster.partition(made.subject.request.partition.as_deref());
            let which = partition.map_or_else(String::new, |partition| {
                let limit = |limit: Option<slurm::Limit>| limit.map_or("none".to_owned(), |l| l.to_string());
                format!(
                    ", partition `{}` (MaxTime {}, DefaultTime {})",
                    partition.name,
                    limit(partition.max_time),
                    limit(partition.default_time)
                )
            });
            let version = cluster.version.as_deref().unwrap_or("of an unknown version");
            let told = crate::base::count(errors, "error");
            complain(&format!("checked against Slurm {version}{which}: {told}"));
        }
        Answer::Absent if args.offline => {
            complain("note: not checked against a cluster, as `--offline` asks for")
        }
        Answer::Absent if !args.submit => {
            complain("note: not checked against a cluster: Slurm's client is not in PATH");
        }
        Answer::Absent => {
            complain(
                "error: Slurm's client is not in PATH: submit on a node of the cluster, or load its module",
            );
            return Exit::Files;
        }
        Answer::Silent(why) if args.submit => {
            complain(&format!(
                "error: not checked against the cluster, and not submitted: {why}: try again later"
            ));
            return Exit::Files;
        }
        Answer::Silent(why) => complain(&format!("warning: not checked against the cluster: {why}")),
    }
    if errors > 0 {
        if args.submit {
            complain("not submitted");
        }
        return Exit::Files;
    }
    if args.submit { send(args, made) } else { Exit::Success }
}

fn send(args: &Generate, made: &Made<'_>) -> Exit {
    let Subject { request, paths, resources, work, .. } = made.subject;
    let path = args.output.as_ref().map_or_else(|| submit::script_path(request, paths), Into::into);
    let written = if args.output.is_some() { Ok(()) } else { submit::write_script(&path, &made.script) };
    let sent =
        written.and_then(|()| submit::submit(&path, &work.plan.recipe, request, paths, resources.array));
    match sent {
        Ok(job) => {
            print(&format!("{}\n", job.job));
            complain(&format!(
                "submitted `{}` as job {}\n  script  {}\n  log     {}\n  follow  tail -F {}\n          icpc slurm status {}",
                request.name,
                job.job,
                job.script,
                job.log,
                follow(&job.log),
                slurm::quote::shell(&paths.file),
            ));
            Exit::Success
        }
        Err(why) => {
            complain(&format!("error: {why}"));
            Exit::Files
        }
    }
}

/// The log for `tail`, with the star of an array's logs left to the shell.
fn follow(log: &str) -> String {
    let parts: Vec<String> = log.split('*').map(slurm::quote::shell).collect();
    parts.join("*")
}

fn paths(args: &Generate, file: &str, name: &str, checkpoint: &str, output: &str) -> Result<Paths, String> {
    let text = |path: std::path::PathBuf| {
        path.into_os_string().into_string().map_err(|path| format!("`{}` is not UTF-8", path.display()))
    };
    let plain = |error: std::io::Error| crate::system::plain(&error);
    let folder =
        std::env::current_dir().map_err(|error| format!("the current folder is gone: {}", plain(error)))?;
    let folder = text(folder)?;
    let icpc =
        std::env::current_exe().map_err(|error| format!("icpc does not find itself: {}", plain(error)))?;
    let absolute = |path: &str| join(&format!("{folder}/."), path);
    Ok(Paths {
        icpc: text(icpc)?,
        file: absolute(file),
        recipe: args.recipe_arguments(file, name),
        checkpoint: absolute(checkpoint),
        output: absolute(output),
        logs: absolute(&args.log_dir),
        folder,
    })
}

/// The files with the checkpoint's weights, the largest first.
fn source_files(schema: &Schema, checkpoint: &Path) -> Vec<String> {
    let folder = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
    let folder = folder.unwrap_or(Path::new(""));
    let mut files: Vec<_> = schema.files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    files.into_iter().map(|file| folder.join(&file.name).display().to_string()).collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = work();
    (done, begin.elapsed())
}
