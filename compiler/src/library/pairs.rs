//! Pairs of a recipe file and a listing, as the manifest names them.

use super::literate::{Compiler, Inputs, unmet};
use super::world::World;
use crate::manifest::{FILE, Test};
use crate::system;

/// A recipe file on a listing.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// File of the recipes.
    pub(super) recipe: String,
    /// Listing, from the library's top folder.
    pub(super) listing: String,
    /// Expectations.
    pub(super) expect: Vec<String>,
}

impl Pair {
    /// Path of its snapshot, from the library's top folder.
    pub(super) fn snapshot(&self) -> String {
        let recipe = self.recipe.trim_end_matches(".icp").replace('/', "-");
        let listing = self.listing.rsplit('/').next().unwrap_or(&self.listing);
        format!("snapshots/{recipe}@{}.snap", listing.trim_end_matches(".txt"))
    }

    /// What the compiler says, as a snapshot holds it, and which expectations are not met.
    pub(super) fn run(&self, world: &World) -> Result<(String, Vec<String>), String> {
        let text = system::read_text(&world.root.join(&self.listing).to_string_lossy())
            .map_err(|reason| format!("cannot read `{}`: {reason}", self.listing))?;
        let inputs = Inputs {
            main: self.recipe.clone(),
            listings: [(self.listing.clone(), text)].into(),
            checkpoint: Some(self.listing.clone()),
            ..Inputs::default()
        };
        let checked = world.check(&inputs)?;
        let unmet = self.expect.iter().filter_map(|e| unmet(e, &checked).err()).collect();
        let said = if checked.full.is_empty() { "no diagnostics\n" } else { checked.full.as_str() };
        let text = format!("recipe  {}\nlisting {}\n\n{said}\n{}", self.recipe, self.listing, checked.plan);
        Ok((text, unmet))
    }
}

/// All pairs, and what is wrong with the manifest's tests.
pub(super) fn pairs(world: &World) -> (Vec<Pair>, Vec<String>) {
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    for test in &world.manifest.tests {
        if !world.files.contains_key(&test.recipe) {
            problems.push(format!("`{FILE}:{}`: there is no recipe file `{}`", test.line, test.recipe));
            continue;
        }
        match listings(world, test) {
            Ok(found) => out.extend(found.into_iter().map(|listing| Pair {
                recipe: test.recipe.clone(),
                listing,
                expect: test.expect.clone(),
            })),
            Err(problem) => problems.push(format!("`{FILE}:{}`: {problem}", test.line)),
        }
    }
    let mut names: Vec<String> = out.iter().map(Pair::snapshot).collect();
    names.sort();
    for same in names.windows(2) {
        if let [a, b] = same
            && a == b
        {
            problems.push(format!("two pairs share the snapshot `{a}`: give one listing another name"));
        }
    }
    (out, problems)
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
        let entries = std::fs::read_dir(world.root.join(folder))
            .map_err(|e| format!("cannot read `{folder}`: {}", system::plain(&e)))?;
        let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        let fits =
            |n: &String| n.len() >= head.len() + tail.len() && n.starts_with(head) && n.ends_with(tail);
        let mut names: Vec<String> = names.filter(fits).collect();
        if names.is_empty() {
            return Err(format!("no listing is called like `{written}`"));
        }
        names.sort();
        let whole = |n: String| if folder.is_empty() { n } else { format!("{folder}/{n}") };
        out.extend(names.into_iter().map(whole));
    }
    Ok(out)
}
