//! A library and everything that it depends on, read once for all of its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::literate::{Checked, Compiler, Inputs, Session};
use crate::hir::module::Libraries;
use crate::hir::names::join;
use crate::manifest::{self, FILE, Manifest};
use crate::session;
use crate::syntax::{self, tree};
use crate::system;

/// Recipe files by path from the library's top folder: what they say does not depend on where the library lies.
#[derive(Debug)]
pub struct World {
    /// Top folder of the library that is tested.
    pub root: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Texts of all `.icp` files, those of dependencies included.
    pub files: BTreeMap<String, String>,
    /// Names of the recipes in each file of the library itself.
    pub recipes: BTreeMap<String, Vec<String>>,
    libraries: BTreeMap<String, Libraries>,
}

impl World {
    /// Reads the library at `root`.
    ///
    /// # Errors
    /// A sentence: no manifest, one that is wrong, a file that cannot be read.
    pub fn read(root: &Path) -> Result<World, String> {
        let real = |key: &str| root.join(key).to_string_lossy().into_owned();
        let top = real(FILE);
        if !Path::new(&top).is_file() {
            return Err(format!(
                "there is no `{top}`: name a library's folder, or write one with `icpc new --library`"
            ));
        }
        // For its errors: it holds all libraries against each other.
        manifest::closure(&top)?;
        let (mut files, mut libraries) = (BTreeMap::new(), BTreeMap::new());
        let mut own = BTreeMap::new();
        let mut pending = vec![FILE.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(key) = pending.pop() {
            if !seen.insert(key.clone()) {
                continue;
            }
            let found = manifest::read(&real(&key))?;
            let folder = key.strip_suffix(FILE).unwrap_or("").trim_end_matches('/').to_owned();
            for below in recipes(&root.join(&folder))? {
                let path = if folder.is_empty() { below.clone() } else { format!("{folder}/{below}") };
                let text = system::read_source(&real(&path))?;
                if folder.is_empty() {
                    own.insert(path.clone(), recipe_names(&text));
                }
                files.insert(path.clone(), text);
                libraries.insert(path, manifest::seen(&found, below.matches('/').count()));
            }
            let needs = found.dependencies.values();
            pending.extend(needs.map(|d| join(&key, &format!("{}/{FILE}", d.path.trim_end_matches('/')))));
        }
        let manifest = manifest::read(&top)?;
        Ok(World { root: root.to_path_buf(), manifest, files, recipes: own, libraries })
    }

    /// A session with all files, and no checkpoint.
    pub fn session(&self) -> session::Session {
        let mut session = session::Session::new();
        session.set_files(self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        for (path, libraries) in &self.libraries {
            session.set_libraries(path, Arc::clone(libraries));
        }
        session
    }

    /// `inputs` with the library's files beside them; files of the same path are the inputs'.
    pub fn around(&self, inputs: &Inputs) -> Inputs {
        let mut all = inputs.clone();
        for path in inputs.files.keys() {
            let libraries = manifest::seen(&self.manifest, path.matches('/').count());
            all.libraries.insert(path.clone(), libraries);
        }
        for (path, text) in &self.files {
            all.files.entry(path.clone()).or_insert_with(|| text.clone());
        }
        for (path, libraries) in &self.libraries {
            all.libraries.entry(path.clone()).or_insert_with(|| Arc::clone(libraries));
        }
        all
    }
}

impl Compiler for World {
    fn check(&self, inputs: &Inputs) -> Result<Checked, String> {
        let mut checked = Session.check(&self.around(inputs))?;
        // How messages are worded is the compiler's affair, not the library's.
        checked.found.iter_mut().for_each(|found| found.wording.clear());
        Ok(checked)
    }

    fn parse(&self, text: &str) -> Vec<String> {
        Session.parse(text)
    }
}

fn recipe_names(text: &str) -> Vec<String> {
    let items = syntax::parse(text).items.into_iter();
    let names = items.filter_map(|item| match item {
        tree::Item::Recipe(recipe) => Some(recipe.name.text),
        _ => None,
    });
    names.collect()
}

/// Recipe files below a folder, sorted; a folder with a manifest of its own is another library.
fn recipes(top: &Path) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(below) = pending.pop() {
        let folder = top.join(&below);
        let read = |e: std::io::Error| format!("cannot read `{}`: {}", folder.display(), system::plain(&e));
        for entry in std::fs::read_dir(&folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            if name.starts_with('.') || name == "target" {
                continue;
            }
            let kind = entry.file_type().map_err(read)?;
            if kind.is_dir() && !entry.path().join(FILE).is_file() {
                pending.push(path);
            } else if name.ends_with(".icp") && entry.path().is_file() {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}
