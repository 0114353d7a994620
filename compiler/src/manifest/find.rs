//! Which library a file belongs to, and what it may import from.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use super::{Manifest, parse};
use crate::hir::module::{Libraries, LibraryFolders};
use crate::hir::names::join;

/// Name of a manifest, in the top folder of its library.
pub const FILE: &str = "icp.toml";
/// Largest manifest that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// Most libraries that need each other in a row.
const DEEPEST: usize = 64;

/// Finds manifests above files, and reads each once.
#[derive(Debug, Default)]
pub struct Finder {
    /// Manifests by path, whose dependencies are right.
    checked: BTreeMap<String, Arc<Manifest>>,
}

impl Finder {
    /// Libraries that the file at `path` may import from: its own, and those that its own depends on. None for a file that
    /// is in no library.
    ///
    /// # Errors
    /// A sentence about the manifest, or one of a library that it depends on.
    pub fn libraries(&mut self, path: &str) -> Result<Libraries, String> {
        let Some((up, manifest)) = self.above(path)? else { return Ok(Libraries::default()) };
        Ok(seen(&manifest, up))
    }

    /// The manifest of the library that a file is in, and how many folders it is above the file's.
    fn above(&mut self, path: &str) -> Result<Option<(usize, Arc<Manifest>)>, String> {
        let Some((up, candidate)) = nearest(path) else { return Ok(None) };
        if !self.checked.contains_key(&candidate) {
            let all = closure(&candidate)?;
            self.checked.extend(all);
        }
        Ok(self.checked.get(&candidate).map(|m| (up, Arc::clone(m))))
    }
}

/// Paths of all manifests, there or not, that decide what the file at `path` may import from: in the folders above it, and
/// those of the libraries that its own needs.
pub fn deciding(path: &str) -> Vec<String> {
    let mut all: Vec<String> = above(path).map(|(_, candidate)| candidate).collect();
    if let Some((_, own)) = nearest(path) {
        let (mut found, mut way) = (BTreeMap::new(), Vec::new());
        // What is wrong is said by `Finder::libraries`; up to there all is found.
        let _ = visit(&own, &mut way, &mut found);
        let unfinished = way.into_iter().filter_map(|(path, _)| Some((read(&path).ok()?, path)));
        let read: Vec<(String, Arc<Manifest>)> =
            found.into_iter().chain(unfinished.map(|(m, path)| (path, Arc::new(m)))).collect();
        for (path, manifest) in read {
            all.extend(manifest.dependencies.values().map(|d| of_dependency(&path, &d.path)));
            all.push(path);
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Places of manifests above a file, with how many folders above the file's they lie.
fn above(path: &str) -> impl Iterator<Item = (usize, String)> {
    (0..=depth(path)).map(move |up| (up, join(path, &format!("{}{FILE}", "../".repeat(up)))))
}

/// The manifest of a library that the one at `path` names.
fn of_dependency(path: &str, folder: &str) -> String {
    join(path, &format!("{}/{FILE}", folder.trim_end_matches('/')))
}

/// The manifest nearest above a file, and how many folders above the file's it lies.
fn nearest(path: &str) -> Option<(usize, String)> {
    above(path).find(|(_, candidate)| Path::new(candidate).is_file())
}

/// What a file may import from that lies `up` folders below the manifest of its library.
pub fn seen(manifest: &Manifest, up: usize) -> Libraries {
    let top = if up == 0 { ".".to_owned() } else { vec![".."; up].join("/") };
    let within = |folder: &str| match folder.starts_with('/') {
        true => folder.trim_end_matches('/').to_owned(),
        false => format!("{top}/{}", folder.trim_end_matches('/')),
    };
    let dependencies = manifest.dependencies.iter().map(|(n, d)| (n.clone(), within(&d.path)));
    let own = (manifest.name.clone(), top.clone());
    Arc::new(LibraryFolders { folders: dependencies.chain([own]).collect(), problem: None })
}

/// Folders above a file.
fn depth(path: &str) -> usize {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_path_buf());
    let depth = absolute.components().fold(0usize, |n, part| match part {
        Component::ParentDir => n.saturating_sub(1),
        Component::Normal(_) => n.saturating_add(1),
        _ => n,
    });
    depth.saturating_sub(1)
}

/// The manifest at `path` and those of all libraries that it needs, by path.
///
/// # Errors
/// A manifest that cannot be read or is wrong, a library that is not there or has another name, libraries that need each
/// other: a sentence with path, line and what to do.
pub fn closure(path: &str) -> Result<BTreeMap<String, Arc<Manifest>>, String> {
    let mut found = BTreeMap::new();
    visit(path, &mut Vec::new(), &mut found)?;
    Ok(found)
}

fn visit(
    path: &str,
    under_way: &mut Vec<(String, String)>,
    found: &mut BTreeMap<String, Arc<Manifest>>,
) -> Result<(), String> {
    if found.contains_key(path) {
        return Ok(());
    }
    // A link to a folder above can name one library by ever longer paths.
    if under_way.len() > DEEPEST {
        return Err(format!(
            "`{path}`: libraries need each other more than {DEEPEST} deep: is there a link in a circle?"
        ));
    }
    let manifest = read(path)?;
    under_way.push((path.to_owned(), manifest.name.clone()));
    for (name, dependency) in &manifest.dependencies {
        let at = format!("`{path}:{}`", dependency.line);
        let next = of_dependency(path, &dependency.path);
        if let Some(start) = under_way.iter().position(|(p, _)| *p == next) {
            let names = under_way.iter().skip(start).map(|(_, name)| name.as_str()).chain([name.as_str()]);
            let circle = names.collect::<Vec<_>>().join(" → ");
            return Err(format!(
                "{at}: libraries need each other: {circle}: move what they share to a third"
            ));
        }
        if !Path::new(&next).is_file() {
            return Err(format!(
                "{at}: there is no library `{name}`, since `{next}` is no file: correct the path, or write the \
                 library with `icpc new --library {name}`"
            ));
        }
        visit(&next, under_way, found)?;
        if let Some(there) = found.get(&next).filter(|m| m.name != *name) {
            return Err(format!("{at}: `{next}` is the library `{}`: call it so here, too", there.name));
        }
    }
    under_way.pop();
    found.insert(path.to_owned(), Arc::new(manifest));
    Ok(())
}

/// Reads one manifest.
///
/// # Errors
/// A sentence with the path.
pub fn read(path: &str) -> Result<Manifest, String> {
    let bytes = std::fs::metadata(path).map(|m| m.len());
    match bytes {
        Ok(n) if n > LARGEST => return Err(format!("`{path}`: {n} bytes are more than {LARGEST}")),
        Ok(_) => {}
        Err(e) => return Err(format!("cannot read `{path}`: {e}")),
    }
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read `{path}`: {e}"))?;
    parse(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(folder: &Path, name: &str, needs: &[&str]) {
        let needs: String = needs.iter().map(|n| format!("{n} = {{ path = \"../{n}\" }}\n")).collect();
        let text = format!("name = \"{name}\"\nversion = \"0.1.0\"\nlanguage = 1\n[dependencies]\n{needs}");
        std::fs::create_dir_all(folder.join(name).join("deep")).unwrap();
        std::fs::write(folder.join(name).join(FILE), text).unwrap();
    }

    #[test]
    fn libraries_are_seen_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        library(folder.path(), "mine", &["common"]);
        library(folder.path(), "common", &[]);
        let seen = |path: &str| {
            let path = folder.path().join(path).to_string_lossy().into_owned();
            Finder::default().libraries(&path).unwrap()
        };
        assert_eq!(format!("{:?}", seen("mine/a.icp").folders), r#"{"common": "./../common", "mine": "."}"#);
        assert_eq!(
            format!("{:?}", seen("mine/deep/a.icp").folders),
            r#"{"common": "../../common", "mine": ".."}"#
        );
        assert!(seen("other.icp").folders.is_empty());
    }

    #[test]
    fn what_is_wrong_between_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let said = || {
            let path = folder.path().join("a").join(FILE).to_string_lossy().into_owned();
            closure(&path).unwrap_err().replace(&*folder.path().to_string_lossy(), "")
        };
        library(folder.path(), "a", &["b"]);
        insta::assert_snapshot!(said(), @"`/a/icp.toml:5`: there is no library `b`, since `/b/icp.toml` is no file: correct the path, or write the library with `icpc new --library b`");
        library(folder.path(), "b", &["a"]);
        insta::assert_snapshot!(said(), @"`/b/icp.toml:5`: libraries need each other: a → b → a: move what they share to a third");
        library(folder.path(), "b", &[]);
        std::fs::write(
            folder.path().join("b").join(FILE),
            "name = \"c\"\nversion = \"0.1.0\"\nlanguage = 1\n",
        )
        .unwrap();
        insta::assert_snapshot!(said(), @"`/a/icp.toml:5`: `/b/icp.toml` is the library `c`: call it so here, too");
    }
}
