//! All diagnostics of a file, and whose they are.

use super::inputs::{Db, SourceText, Workspace};
use super::problems;
use super::queries::{
    analysis, checked, file_problems, imports, item_starts, module, parse, recipe_names, resolved, seen_names,
};
use crate::diag::Diagnostic;
use crate::hir::resolve;
use crate::hir::unused::unused;

/// Diagnostics of one recipe of a file, or of the file itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The recipe: labels that point into a listing point into that of its checkpoint.
    pub recipe: Option<String>,
    /// Absolute and sorted.
    pub diagnostics: Vec<Diagnostic>,
}

/// All diagnostics of a file, first its own and those of what it imports, then those of each recipe.
pub fn groups(db: &dyn Db, workspace: Workspace, file: SourceText) -> Vec<Group> {
    let group =
        |recipe, found| Group { recipe, diagnostics: problems::absolute_and_sorted(db, workspace, found) };
    let recipes = recipe_names(db, file).iter();
    let recipes = recipes.map(|name| group(Some(name.clone()), recipe_problems(db, workspace, file, name)));
    std::iter::once(group(None, whole_file_problems(db, workspace, file))).chain(recipes).collect()
}

fn whole_file_problems(db: &dyn Db, workspace: Workspace, file: SourceText) -> Vec<Diagnostic> {
    let mut found = file_problems(db, workspace, file);
    // Of a file that does not parse nobody knows what it uses; and what another one does not use is nothing to say here.
    if parse(db, file).errors.is_empty() {
        let (module, seen) = (module(db, file), seen_names(db, workspace, file));
        found.extend(unused(module, seen, file.text(db), item_starts(db, file)));
    }
    // What a file imports is part of it: an error there means that this file cannot be run.
    for import in imports(db, workspace, file) {
        found.extend(file_problems(db, workspace, *import));
    }
    found
}

fn recipe_problems(db: &dyn Db, workspace: Workspace, file: SourceText, name: &str) -> Vec<Diagnostic> {
    let resolved = resolved(db, workspace, file, name.to_owned());
    let mut found = resolved.problems.clone();
    let Some(recipe) = &resolved.recipe else { return found };
    let Some(checked) = checked(db, workspace, file, name.to_owned()) else {
        found.extend(problems::no_checkpoint(db, workspace, recipe));
        return found;
    };
    match &checked.foreseen {
        None if checked.plannable => {
            let analysis = analysis(db, workspace, file, name.to_owned()).as_ref();
            found.extend(analysis.iter().flat_map(|a| a.problems.iter().cloned()));
        }
        foreseen => {
            found.extend(checked.problems.iter().chain(foreseen.iter().flat_map(|f| &f.problems)).cloned())
        }
    }
    found.extend(problems::outdated(db, workspace, recipe));
    found
}

/// All diagnostics of a file, absolute and sorted; of the recipe `only`, or of all its recipes.
#[salsa::tracked]
pub fn diagnostics(
    db: &dyn Db,
    workspace: Workspace,
    file: SourceText,
    only: Option<String>,
) -> Vec<Diagnostic> {
    let mut found = whole_file_problems(db, workspace, file);
    let names = recipe_names(db, file).iter();
    for name in names.filter(|n| only.as_ref().is_none_or(|o| o == *n)) {
        found.extend(recipe_problems(db, workspace, file, name));
    }
    if let Some(only) = &only
        && !recipe_names(db, file).contains(only)
    {
        found.push(resolve::no_such_recipe(module(db, file), only));
    }
    problems::absolute_and_sorted(db, workspace, found)
}
