//! `derive`: smaller shapes of an architecture.

use super::eval::{Scope, eval};
use super::items::arch_name;
use super::module::{Item, Module};
use super::names::{Names, See};
use super::problems;
use super::recipe::{Derived, Recipe};
use super::value::ValueKind;
use crate::diag::{Diagnostic, Place};
use crate::syntax::tree;

/// What is wrong with the derived shapes of a file by themselves.
pub(super) fn problems(module: &Module, names: &Names, scope: &Scope) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for item in &module.items {
        let tree::Item::Derive(derive) = &item.tree else { continue };
        lower(derive, item, scope, &mut found);
        let Some(base) = &derive.base else { continue };
        let before = found.len();
        arch_name(base, item, names, &mut found);
        let name = base.segments.last().map_or("", |s| s.text.as_str());
        let is_derived = names.items.get(name).is_some_and(|i| matches!(i.tree, tree::Item::Derive(_)));
        if found.len() == before && is_derived {
            let headline = format!("`{name}` is derived itself");
            found.push(
                problems::unknown_name(item.loc(base.span), "architecture", name, &[])
                    .label(headline)
                    .help("derive from the architecture"),
            );
        }
    }
    found
}

/// Puts the architecture in the place of the derived shape that `for` names, and its dims beside it.
pub(super) fn apply(recipe: &mut Recipe, names: &Names, see: See<'_>) {
    let Some((name, _)) = &recipe.arch else { return };
    let Some(item) = names.items.get(name) else { return };
    let tree::Item::Derive(derive) = &item.tree else { return };
    let Some(base) = derive.base.as_ref() else {
        recipe.arch = None;
        return;
    };
    let base_name = base.segments.last().map_or_else(String::new, |s| s.text.clone());
    let Some(home) = see(&item.file) else { return };
    // What is wrong with it is said of its file.
    recipe.derive = Some(lower(derive, item, &home.consts, &mut Vec::new()));
    recipe.arch = Some((base_name, item.loc(base.span)));
}

fn lower(derive: &tree::Derive, item: &Item, scope: &Scope, found: &mut Vec<Diagnostic>) -> Derived {
    let mut dims: Vec<(String, u64, crate::diag::Loc)> = Vec::new();
    for field in &derive.fields {
        let value = eval(&field.value, item, scope, found);
        let Some(name) = &field.name else {
            if !value.kind.has_broken() {
                found.push(problems::unnamed_value(&value, "derive", &[]).help("write the dim before it"));
            }
            continue;
        };
        let at = item.loc(name.span);
        if let Some((_, _, first)) = dims.iter().find(|(n, ..)| *n == name.text) {
            found.push(
                Diagnostic::new(&problems::DUPLICATE_NAME, at, format!("`{}` is given twice", name.text))
                    .also(Place::Source(first.clone()), "first here"),
            );
            continue;
        }
        match value.kind {
            ValueKind::Int(n) if n >= 1 => dims.push((name.text.clone(), n.unsigned_abs(), at)),
            ValueKind::Int(n) => found.push(problems::out_of_range(
                value.loc,
                format!("`{}` cannot be {n}", name.text),
                "1 or more",
            )),
            ValueKind::Broken => {}
            _ => found.push(problems::wrong_kind(&value, &name.text, "an int", "64")),
        }
    }
    Derived { name: derive.name.text.clone(), loc: item.loc(derive.name.span), dims }
}
