//! All tests of a library, in parallel. Nothing is written here.

use std::path::PathBuf;

use rayon::prelude::*;

use super::literate::{Document, Rules, difference, run, same};
use super::pairs::{Pair, pairs};
use super::world::World;
use crate::system;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All is as expected.
    Passed,
    /// There is no snapshot yet, and nothing else is wrong.
    New,
    /// Something differs or is not met.
    Failed,
}

/// One test that ran.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `tests/first.md`, or `small.icp on listings/tiny.txt`.
    pub name: String,
    /// How it ended.
    pub state: State,
    /// What is wrong, differences included.
    pub problems: Vec<String>,
    /// The file that holds what is expected and its text as of now, where they differ.
    pub proposed: Option<(PathBuf, String)>,
}

/// Runs all tests, in the order of their names: files of `tests/` first.
pub fn outcomes(world: &World) -> Vec<Outcome> {
    let (pairs, problems) = pairs(world);
    let mut out: Vec<Outcome> = documents(world).par_iter().map(|path| literate(world, path)).collect();
    out.par_extend(pairs.par_iter().map(|pair| snapshot(world, pair)));
    if !problems.is_empty() {
        let name = crate::manifest::FILE.to_owned();
        out.push(Outcome { name, state: State::Failed, problems, proposed: None });
    }
    out
}

/// Snapshots that no pair has, as paths from the library's top folder.
pub fn stray(world: &World) -> Vec<String> {
    let wanted: Vec<String> = pairs(world).0.iter().map(Pair::snapshot).collect();
    let found = names(world, "snapshots").into_iter().map(|name| format!("snapshots/{name}"));
    found.filter(|path| !wanted.contains(path)).collect()
}

fn documents(world: &World) -> Vec<String> {
    let found = names(world, "tests").into_iter().filter(|n| n.ends_with(".md"));
    found.map(|name| format!("tests/{name}")).collect()
}

/// Files of a folder, sorted; none if there is no such folder.
fn names(world: &World, folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(world.root.join(folder)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn failed(name: &str, problem: String) -> Outcome {
    Outcome { name: name.to_owned(), state: State::Failed, problems: vec![problem], proposed: None }
}

fn literate(world: &World, path: &str) -> Outcome {
    let file = world.root.join(path);
    let document = system::read_text(&file.to_string_lossy()).and_then(|text| Document::parse(path, &text));
    let document = match document {
        Ok(document) => document,
        Err(problem) => return failed(path, problem),
    };
    let (text, problems) = run(&document, world, Rules::default());
    let state = if problems.is_empty() { State::Passed } else { State::Failed };
    let proposed = (!problems.is_empty() && text != document.text).then_some((file, text));
    Outcome { name: path.to_owned(), state, problems, proposed }
}

fn snapshot(world: &World, pair: &Pair) -> Outcome {
    let name = format!("{} on {}", pair.recipe, pair.listing);
    let (text, mut problems) = match pair.run(world) {
        Ok(said) => said,
        Err(problem) => return failed(&name, problem),
    };
    let file = world.root.join(pair.snapshot());
    if !file.exists() {
        let state = if problems.is_empty() { State::New } else { State::Failed };
        return Outcome { name, state, problems, proposed: Some((file, text)) };
    }
    let proposed = match system::read_text(&file.to_string_lossy()) {
        Ok(expected) if same(&expected, &text) => None,
        Ok(expected) => {
            problems.push(format!("`{}` differs:\n{}", pair.snapshot(), difference(&expected, &text)));
            Some((file, text))
        }
        Err(reason) => {
            problems.push(format!("cannot read `{}`: {reason}", pair.snapshot()));
            None
        }
    };
    let state = if problems.is_empty() { State::Passed } else { State::Failed };
    Outcome { name, state, problems, proposed }
}
