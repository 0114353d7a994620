//! Recipes beside one, and what they write.

use std::path::Path;

use crate::hir::names::join;
use crate::session::Session;
use crate::slurm::check::Other;
use crate::system;

/// Files of a folder that are looked into.
const FILES: usize = 64;

/// Outputs of the other recipes of `file` and of its folder. A file that cannot be read writes nothing.
pub(super) fn others(session: &Session, file: &str, name: &str, folder: &str) -> Vec<Other> {
    let mut found: Vec<Other> = session
        .recipe_names(file)
        .iter()
        .filter(|other| *other != name)
        .filter_map(|other| output(session, file, other, folder))
        .collect();
    let beside = beside(file);
    let mut siblings = Session::new();
    let texts: Vec<(String, String)> = beside
        .into_iter()
        .filter_map(|path| system::read_text(&path).ok().map(|text| (path, text)))
        .collect();
    siblings.set_files(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    for (path, _) in &texts {
        let recipes = siblings.recipe_names(path);
        found.extend(recipes.iter().filter_map(|recipe| output(&siblings, path, recipe, folder)));
    }
    found
}

fn output(session: &Session, file: &str, name: &str, folder: &str) -> Option<Other> {
    let recipe = session.recipe(file, name)?;
    let output = join(&format!("{folder}/."), &recipe.output()?);
    Some(Other { file: file.to_owned(), recipe: name.to_owned(), output })
}

/// Other recipe files of the same folder, sorted.
fn beside(file: &str) -> Vec<String> {
    let path = Path::new(file);
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut others: Vec<String> = names
        .filter(|name| name.ends_with(".icp") && path.file_name().is_none_or(|own| own != name.as_str()))
        .map(|name| join(file, &name))
        .collect();
    others.sort_unstable();
    others.truncate(FILES);
    others
}
