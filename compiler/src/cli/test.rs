//! `icpc test`.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Exit, complain, print};
use crate::base::count;
use crate::library::{Outcome, State, World, junit, outcomes, stray};
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the library
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Takes what is said now as what is expected; removes snapshots that no test has
    #[arg(long)]
    accept: bool,
    /// Shows each difference and asks whether to take it
    #[arg(long, conflicts_with = "accept")]
    review: bool,
    /// Writes no snapshot; a new one is a failure
    #[arg(long, conflicts_with_all = ["accept", "review"])]
    ci: bool,
    /// Writes the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Exit {
    if args.review && !std::io::stdin().is_terminal() {
        complain("error: `--review` asks on a terminal, and there is none: use `--accept`");
        return Exit::Usage;
    }
    match test(args) {
        Ok(exit) => exit,
        Err(reason) => {
            complain(&format!("error: {reason}"));
            Exit::Files
        }
    }
}

fn test(args: &Args) -> Result<Exit, String> {
    let start = Instant::now();
    let mut world = World::read(&args.folder)?;
    let mut all = outcomes(&world);
    let mut strays = stray(&world);
    if !args.ci && settle(args, &all)? {
        // What was written may not be all that was wrong.
        world = World::read(&args.folder)?;
        let before = std::mem::replace(&mut all, outcomes(&world));
        for (now, before) in all.iter_mut().zip(before) {
            if now.state == State::Passed && before.state == State::New {
                now.state = State::New;
            }
        }
    }
    if args.accept {
        for path in strays.drain(..) {
            let file = args.folder.join(&path);
            std::fs::remove_file(&file)
                .map_err(|e| format!("cannot remove `{}`: {}", file.display(), system::plain(&e)))?;
        }
    }
    if !strays.is_empty() {
        let problem = |s: &String| format!("no test has `{s}`: remove it, or `icpc test --accept` does");
        let problems = strays.iter().map(problem).collect();
        all.push(Outcome { name: "snapshots".to_owned(), state: State::Failed, problems, proposed: None });
    }
    if let Some(file) = &args.junit {
        write(file, &junit(&world.manifest.name, &all, args.ci))?;
    }
    Ok(summarise(args, &all, start))
}

/// Writes what may be written. Returns whether anything was.
fn settle(args: &Args, all: &[Outcome]) -> Result<bool, String> {
    let mut any = false;
    for outcome in all {
        let Some((file, text)) = &outcome.proposed else { continue };
        let take = match outcome.state {
            State::New => true,
            _ if args.review => ask(outcome)?,
            _ => args.accept,
        };
        if take {
            write(file, text)?;
            any = true;
        }
    }
    Ok(any)
}

fn ask(outcome: &Outcome) -> Result<bool, String> {
    print(&format!("{}\n{}\n", outcome.name, outcome.problems.join("\n")));
    complain("take it? [y/n]");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|e| format!("no answer: {}", system::plain(&e)))?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("cannot write `{}`: {}", file.display(), system::plain(&e));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::write(file, text).map_err(wrong)
}

fn summarise(args: &Args, all: &[Outcome], start: Instant) -> Exit {
    let (mut new, mut failed) = (0u64, 0u64);
    for outcome in all {
        match outcome.state {
            State::Passed => continue,
            State::New if args.ci => {
                failed += 1;
                print(&format!(
                    "FAILED {}\n  a new snapshot: write it with `icpc test`, and commit it\n",
                    outcome.name
                ));
            }
            State::New => {
                new += 1;
                print(&format!("new    {}\n", outcome.name));
            }
            State::Failed => {
                failed += 1;
                let lines = outcome.problems.iter().flat_map(|p| p.lines());
                let lines: String = lines.map(|l| format!("  {l}\n")).collect();
                print(&format!("FAILED {}\n{lines}", outcome.name));
            }
        }
    }
    let total = all.len() as u64;
    let passed = total.saturating_sub(new).saturating_sub(failed);
    print(&format!(
        "{}: {passed} passed, {new} new, {failed} failed in {:.2} s\n",
        count(total, "test"),
        start.elapsed().as_secs_f64()
    ));
    if failed > 0 {
        complain("what is right now is taken with `icpc test --accept`, or one by one with `--review`");
        return Exit::Diagnostics;
    }
    Exit::Success
}
