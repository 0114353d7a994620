//! `icpc test`.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Exit, complain, print};
use crate::base::count;
use crate::diag::clean;
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

/// What to do with something that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Take,
    Leave,
    /// Leave this and all that follows.
    LeaveRest,
}

pub(crate) fn main(args: &Args) -> Exit {
    if args.review && !std::io::stdin().is_terminal() {
        complain("error: `--review` asks on a terminal, and there is none: use `--accept`");
        return Exit::Usage;
    }
    match test(args) {
        Ok(exit) => exit,
        Err(reason) => {
            complain(&clean(&format!("error: {reason}")));
            Exit::Files
        }
    }
}

fn test(args: &Args) -> Result<Exit, String> {
    let start = Instant::now();
    let mut world = World::read(&args.folder)?;
    let mut all = outcomes(&world)?;
    let mut strays = stray(&world)?;
    let mut asking = Answer::Leave;
    if settle(args, &mut all, &mut asking)? {
        // What was accepted may not be all that was wrong.
        world = World::read(&args.folder)?;
        let before = std::mem::replace(&mut all, outcomes(&world)?);
        for now in all.iter_mut().filter(|now| now.state == State::Passed) {
            if let Some(was) = before.iter().find(|b| b.name == now.name && b.state == State::New) {
                (now.state, now.problems) = (State::New, was.problems.clone());
            }
        }
    }
    let mut left = Vec::new();
    for path in strays.drain(..) {
        let remove = args.accept
            || (args.review
                && ask(&mut asking, &format!("{path}\n  no test has it\n"), "remove it?")? == Answer::Take);
        if remove {
            let file = args.folder.join(&path);
            std::fs::remove_file(&file)
                .map_err(|e| format!("cannot remove `{}`: {}", file.display(), system::plain(&e)))?;
            // The folder of a recipe file that is gone; one that holds something stays.
            let _ = file.parent().map(std::fs::remove_dir);
        } else {
            left.push(format!("no test has `{path}`: remove it, or `icpc test --accept` does"));
        }
    }
    if !left.is_empty() {
        let name = "snapshots".to_owned();
        all.push(Outcome { name, state: State::Failed, problems: left, proposed: None });
    }
    if let Some(file) = &args.junit {
        write(file, &junit(&world.manifest.name, &all, args.ci))?;
    }
    Ok(summarise(args, &all, start))
}

/// Writes what may be written. Returns whether anything was that failed.
fn settle(args: &Args, all: &mut [Outcome], asking: &mut Answer) -> Result<bool, String> {
    let mut any = false;
    for outcome in all {
        let Some((file, text)) = &outcome.proposed else { continue };
        let take = match outcome.state {
            _ if args.ci => false,
            _ if args.review => {
                let what = match outcome.state {
                    // Nothing to compare it with: all of it is shown.
                    State::New => text.as_str(),
                    _ => &outcome.problems.join("\n"),
                };
                ask(asking, &format!("{}\n{}\n", outcome.name, indented(what)), "take it?")? == Answer::Take
            }
            State::New => true,
            _ => args.accept,
        };
        if take {
            write(file, text)?;
            any |= outcome.state == State::Failed;
            if args.review && outcome.state == State::New {
                outcome.state = State::Passed;
            }
        }
    }
    Ok(any)
}

fn ask(asking: &mut Answer, what: &str, question: &str) -> Result<Answer, String> {
    if *asking == Answer::LeaveRest {
        return Ok(Answer::LeaveRest);
    }
    print(&clean(what));
    *asking = answer(&mut std::io::stdin().lock(), question)?;
    Ok(*asking)
}

/// Asks until the answer is one. The end of the input leaves the rest.
fn answer(input: &mut impl BufRead, question: &str) -> Result<Answer, String> {
    loop {
        complain(&format!("{question} [y]es, [n]o, [s]kip the rest"));
        let mut line = String::new();
        let read = input.read_line(&mut line).map_err(|e| format!("no answer: {}", system::plain(&e)))?;
        match line.trim().to_ascii_lowercase().as_str() {
            _ if read == 0 => return Ok(Answer::LeaveRest),
            "y" | "yes" => return Ok(Answer::Take),
            "n" | "no" => return Ok(Answer::Leave),
            "s" | "skip" => return Ok(Answer::LeaveRest),
            _ => {}
        }
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("cannot write `{}`: {}", file.display(), system::plain(&e));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::write(file, text).map_err(wrong)
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("{}\n", format!("  {l}").trim_end())).collect()
}

fn summarise(args: &Args, all: &[Outcome], start: Instant) -> Exit {
    let (mut new, mut failed) = (0u64, 0u64);
    for outcome in all {
        let (name, problems) = (clean(&outcome.name), clean(&indented(&outcome.problems.join("\n"))));
        match outcome.state {
            State::Passed => continue,
            State::New if args.ci || args.review => {
                failed += 1;
                print(&format!(
                    "FAILED {name}\n  a new snapshot: write it with `icpc test`, read it, and commit it\n{problems}"
                ));
            }
            State::New => {
                new += 1;
                print(&format!("new    {name}\n{problems}"));
            }
            State::Failed => {
                failed += 1;
                print(&format!("FAILED {name}\n{problems}"));
            }
        }
    }
    let total = all.len() as u64;
    let passed = total.saturating_sub(new).saturating_sub(failed);
    let seconds = start.elapsed().as_secs_f64();
    print(&format!(
        "{}: {passed} passed, {new} new, {failed} failed in {seconds:.2} s\n",
        count(total, "test")
    ));
    if total == 0 {
        complain("no test was found: `tests/*.md`, and recipes on `listings/*.txt`");
    }
    if failed > 0 {
        if !args.ci && all.iter().any(|o| o.state == State::Failed && o.proposed.is_some()) {
            complain("what is right now is taken with `icpc test --accept`, or one by one with `--review`");
        }
        return Exit::Diagnostics;
    }
    if new > 0 {
        complain("read what is new in `snapshots/`, and commit it");
    }
    Exit::Success
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let said = |text: &str| answer(&mut text.as_bytes(), "?").unwrap();
        assert_eq!(said("y\n"), Answer::Take);
        assert_eq!(said("what\nNo\n"), Answer::Leave);
        assert_eq!(said("s\n"), Answer::LeaveRest);
        assert_eq!(said(""), Answer::LeaveRest, "the end of the input asks for nothing");
    }
}
