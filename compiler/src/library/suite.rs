//! All tests of a library, in parallel. Nothing is written here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::literate::{Document, Rules, difference, run, same};
use super::pairs::{Pair, pairs, read_listing};
use super::world::World;
use crate::base::count;
use crate::checkpoint::Schema;
use crate::system;

/// Stack of a thread that checks: what the main thread of a program has.
const STACK: usize = 8 << 20;

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
    /// `tests/first.md`, or `first.icp first on listings/tiny.txt`.
    pub name: String,
    /// How it ended.
    pub state: State,
    /// What is wrong, differences included; of a new snapshot, what it holds that may not be meant.
    pub problems: Vec<String>,
    /// The file that holds what is expected and its text as of now, where they differ.
    pub proposed: Option<(PathBuf, String)>,
}

/// Runs all tests, in the order of their names: files of `tests/` first.
///
/// # Errors
/// The system gives no threads.
pub fn outcomes(world: &World) -> Result<Vec<Outcome>, String> {
    let (pairs, problems) = pairs(world);
    let listings: BTreeSet<&String> = pairs.iter().map(|p| &p.listing).collect();
    let threads = rayon::ThreadPoolBuilder::new().stack_size(STACK).build();
    let threads = threads.map_err(|e| format!("the system gives no threads: {e}"))?;
    let mut out = threads.install(|| {
        let mut out: Vec<Outcome> = documents(world).par_iter().map(|path| literate(world, path)).collect();
        let schemas: BTreeMap<&String, Result<Arc<Schema>, String>> =
            listings.par_iter().map(|path| (*path, read_listing(world, path))).collect();
        out.par_extend(pairs.par_iter().map(|pair| match schemas.get(&pair.listing) {
            Some(Ok(schema)) => snapshot(world, pair, schema),
            Some(Err(problem)) => failed(&pair.name(), problem.clone()),
            None => failed(&pair.name(), "internal error: its listing was not read".to_owned()),
        }));
        out
    });
    if !problems.is_empty() {
        let name = crate::manifest::FILE.to_owned();
        out.push(Outcome { name, state: State::Failed, problems, proposed: None });
    }
    Ok(out)
}

/// Snapshots that no pair has, as paths from the library's top folder, sorted. None where the manifest's tests are wrong,
/// since then it is not known which pairs there are.
///
/// # Errors
/// A sentence about a folder that cannot be read.
pub fn stray(world: &World) -> Result<Vec<String>, String> {
    let (pairs, problems) = pairs(world);
    if !problems.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: BTreeSet<String> = pairs.iter().map(Pair::snapshot).collect();
    let found = below(&world.root, "snapshots", ".snap")?;
    Ok(found.into_iter().filter(|path| !wanted.contains(path)).collect())
}

fn documents(world: &World) -> Vec<String> {
    below(&world.root, "tests", ".md").unwrap_or_default()
}

/// Files below a folder by the end of their names, sorted; none if there is no such folder.
fn below(root: &Path, folder: &str, end: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let entries = match std::fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(format!("cannot read `{folder}`: {}", system::plain(&e))),
        };
        for entry in entries.flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(path),
                Ok(_) if path.ends_with(end) => out.push(path),
                _ => {}
            }
        }
    }
    out.sort();
    Ok(out)
}

fn failed(name: &str, problem: String) -> Outcome {
    Outcome { name: name.to_owned(), state: State::Failed, problems: vec![problem], proposed: None }
}

fn literate(world: &World, path: &str) -> Outcome {
    let file = world.root.join(path);
    let text = system::read_text(&file.to_string_lossy()).map_err(|e| format!("cannot read `{path}`: {e}"));
    let document = match text.and_then(|text| Document::parse(path, &text)) {
        Ok(document) => document,
        Err(problem) => return failed(path, problem),
    };
    let rules = Rules { fill: "run `icpc test --accept`", ..Rules::default() };
    let (text, problems) = run(&document, world, rules);
    let state = if problems.is_empty() { State::Passed } else { State::Failed };
    let proposed = (!problems.is_empty() && text != document.text).then_some((file, text));
    Outcome { name: path.to_owned(), state, problems, proposed }
}

fn snapshot(world: &World, pair: &Pair, schema: &Arc<Schema>) -> Outcome {
    let name = pair.name();
    let said = match pair.run(world, schema) {
        Ok(said) => said,
        Err(problem) => return failed(&name, problem),
    };
    let (text, mut problems) = (said.text, said.unmet);
    let file = world.root.join(pair.snapshot());
    if !file.exists() {
        let state = if problems.is_empty() { State::New } else { State::Failed };
        if said.errors > 0 && state == State::New {
            problems.push(format!("it holds {}", count(said.errors as u64, "error")));
        }
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
