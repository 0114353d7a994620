//! Pairs of a recipe and a listing: those that the manifest names, and by convention.
//!
//! A file that no `[[test]]` names is tested on `listings/*.txt`, and on `listings/FILE/*.txt` for `FILE.icp`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::literate::{Compiler, Expectation, Inputs};
use super::world::World;
use crate::base::list;
use crate::checkpoint::{Schema, parse_listing};
use crate::manifest::{FILE, Test};
use crate::system;

/// A recipe on a listing.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// File of the recipe, from the library's top folder.
    file: String,
    /// Its name.
    recipe: String,
    /// Listing, from the library's top folder.
    pub(super) listing: String,
    /// Parameters.
    set: Vec<String>,
    /// Expectations with their lines of the manifest.
    expect: Vec<(usize, Expectation)>,
}

/// What the compiler says of a pair.
pub(super) struct Said {
    /// As a snapshot holds it.
    pub(super) text: String,
    /// Expectations that are not met.
    pub(super) unmet: Vec<String>,
    /// Diagnostics that are errors.
    pub(super) errors: usize,
}

impl Pair {
    /// `llama.icp balanced on listings/llama-3-8b.txt`.
    pub(super) fn name(&self) -> String {
        format!("{} {} on {}", self.file, self.recipe, self.listing)
    }

    /// Path of its snapshot, from the library's top folder.
    pub(super) fn snapshot(&self) -> String {
        let folder = self.file.strip_suffix(".icp").unwrap_or(&self.file);
        let listing = self.listing.rsplit('/').next().unwrap_or(&self.listing);
        format!("snapshots/{folder}/{}@{}.snap", self.recipe, listing.strip_suffix(".txt").unwrap_or(listing))
    }

    /// What the compiler says.
    ///
    /// # Errors
    /// A sentence about a parameter that cannot be set.
    pub(super) fn run(&self, world: &World, schema: &Arc<Schema>) -> Result<Said, String> {
        let sets = self.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]);
        let inputs = Inputs {
            main: self.file.clone(),
            checkpoint: Some((self.listing.clone(), Arc::clone(schema))),
            args: ["--recipe".to_owned(), self.recipe.clone()].into_iter().chain(sets).collect(),
            ..Inputs::default()
        };
        let checked = world.check(&inputs)?;
        let unmet = self
            .expect
            .iter()
            .filter_map(|(line, e)| Some(format!("`{FILE}:{line}`: {}", e.unmet(&checked)?)));
        let unmet = unmet.collect();
        let said = if checked.full.is_empty() { "no diagnostics\n" } else { checked.full.as_str() };
        let sets: String = self.set.iter().map(|set| format!("set     {set}\n")).collect();
        let head = format!("recipe  {} {}\nlisting {}\n{sets}", self.file, self.recipe, self.listing);
        Ok(Said {
            text: format!("{head}\n{said}\n{}", checked.plan),
            unmet,
            errors: checked.found.iter().filter(|f| f.level == "error").count(),
        })
    }
}

/// All pairs in the order of their snapshots, and what is wrong with the manifest's tests.
pub(super) fn pairs(world: &World) -> (Vec<Pair>, Vec<String>) {
    let mut out: BTreeMap<String, Pair> = BTreeMap::new();
    let mut problems = Vec::new();
    for test in &world.manifest.tests {
        let at = |line: usize, problem: String| format!("`{FILE}:{line}`: {problem}");
        let mut expect = Vec::new();
        for (line, text) in &test.expect {
            match Expectation::read(text) {
                Ok(expectation) => expect.push((*line, expectation)),
                Err(problem) => problems.push(at(*line, problem)),
            }
        }
        let found = recipes(world, test).and_then(|recipes| Ok((recipes, listings(world, test)?)));
        let (recipes, listings) = match found {
            Ok(found) => found,
            Err(problem) => {
                problems.push(at(test.line, problem));
                continue;
            }
        };
        for (recipe, listing) in recipes.iter().flat_map(|r| listings.iter().map(move |l| (r, l))) {
            let pair = Pair {
                file: test.recipe.clone(),
                recipe: recipe.clone(),
                listing: listing.clone(),
                set: test.set.clone(),
                expect: expect.clone(),
            };
            match out.get_mut(&pair.snapshot()) {
                None => drop(out.insert(pair.snapshot(), pair)),
                // Expectations of some recipes beside those of all.
                Some(known) if known.listing == pair.listing && known.set == pair.set => {
                    known.expect.extend(pair.expect)
                }
                Some(known) => problems.push(at(
                    test.line,
                    format!(
                        "`{}` and `{}` share the snapshot `{}`: give one listing another name, or remove one",
                        known.name(),
                        pair.name(),
                        pair.snapshot()
                    ),
                )),
            }
        }
    }
    for pair in by_convention(world, &mut problems) {
        out.entry(pair.snapshot()).or_insert(pair);
    }
    (out.into_values().collect(), problems)
}

/// Recipes of a test's file.
fn recipes(world: &World, test: &Test) -> Result<Vec<String>, String> {
    let Some(known) = world.recipes.get(&test.recipe) else {
        return Err(format!("there is no recipe file `{}`", test.recipe));
    };
    if known.is_empty() {
        return Err(format!("`{}` holds no recipe", test.recipe));
    }
    match test.only.iter().find(|name| !known.contains(name)) {
        Some(lost) => Err(format!("`{}` holds no recipe `{lost}`; it holds {}", test.recipe, list(known))),
        None if test.only.is_empty() => Ok(known.clone()),
        None => Ok(test.only.clone()),
    }
}

fn by_convention(world: &World, problems: &mut Vec<String>) -> Vec<Pair> {
    let mut out = Vec::new();
    for (file, recipes) in &world.recipes {
        if recipes.is_empty() || world.manifest.tests.iter().any(|t| t.recipe == *file) {
            continue;
        }
        let folders = ["listings".to_owned(), format!("listings/{}", file.trim_end_matches(".icp"))];
        let listings: Vec<String> = folders
            .iter()
            .flat_map(|folder| matching(world, folder, "", ".txt").unwrap_or_default())
            .collect();
        for (recipe, listing) in recipes.iter().flat_map(|r| listings.iter().map(move |l| (r, l))) {
            out.push(Pair {
                file: file.clone(),
                recipe: recipe.clone(),
                listing: listing.clone(),
                set: Vec::new(),
                expect: Vec::new(),
            });
        }
    }
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for pair in &out {
        if let Some(first) = known.insert(pair.snapshot(), pair.name()) {
            problems.push(format!(
                "`{first}` and `{}` share the snapshot `{}`: give one listing another name",
                pair.name(),
                pair.snapshot()
            ));
        }
    }
    out
}

fn listings(world: &World, test: &Test) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for written in &test.listings {
        let (folder, last) = written.rsplit_once('/').unwrap_or(("", written.as_str()));
        let Some((head, tail)) = last.split_once('*') else {
            if !world.root.join(written).is_file() {
                return Err(format!("there is no listing `{written}`"));
            }
            out.push(written.clone());
            continue;
        };
        let found = matching(world, folder, head, tail)?;
        if found.is_empty() {
            return Err(format!("no listing is called like `{written}`"));
        }
        out.extend(found);
    }
    if out.is_empty() {
        return Err(format!(
            "no listing to test `{}` on: write `listings = [\"listings/*.txt\"]`",
            test.recipe
        ));
    }
    out.dedup();
    Ok(out)
}

/// Files of a folder by the ends of their names, sorted.
fn matching(world: &World, folder: &str, head: &str, tail: &str) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(world.root.join(folder))
        .map_err(|e| format!("cannot read `{folder}`: {}", system::plain(&e)))?;
    let files = entries.flatten().filter(|e| e.path().is_file());
    let names = files.map(|e| e.file_name().to_string_lossy().into_owned());
    let fits = |n: &String| n.len() >= head.len() + tail.len() && n.starts_with(head) && n.ends_with(tail);
    let whole = |n: String| if folder.is_empty() { n } else { format!("{folder}/{n}") };
    let mut found: Vec<String> = names.filter(fits).map(whole).collect();
    found.sort();
    Ok(found)
}

/// Reads a listing.
///
/// # Errors
/// A sentence with path and line.
pub(super) fn read_listing(world: &World, path: &str) -> Result<Arc<Schema>, String> {
    let text = system::read_text(&world.root.join(path).to_string_lossy())
        .map_err(|reason| format!("cannot read the listing `{path}`: {reason}"))?;
    match parse_listing(path, &text) {
        Ok(schema) if schema.tensors.is_empty() => Err(format!("the listing `{path}` names no tensor")),
        Ok(schema) => Ok(Arc::new(schema)),
        Err(error) => Err(error.to_string()),
    }
}
