//! What has a name: consts, parameters, recipes, architectures, files of the library.

use icpc::base::Span;
use icpc::hir::module::{LibraryFolders, library_file};
use icpc::hir::names::{consts, join};
use icpc::hir::value::{Kind, ValueKind};
use icpc::stdlib;
use icpc::syntax::place::{Cursor, Place};
use icpc::syntax::tree;
use tower_lsp::ls_types::CompletionItemKind;

use super::{At, Choice};
use crate::convert;
use crate::state::World;

/// A const or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    /// Its name.
    name: String,
    /// Whether it is a parameter.
    parameter: bool,
    /// Its kind as declared, if it is.
    declared: Option<Kind>,
    /// Its value, or a parameter's default.
    value: Option<ValueKind>,
    /// Text of the `///` lines.
    docs: String,
}

impl Named {
    /// Whether it may stand where values of `kind` do; what is not known may.
    fn admits(&self, kind: Kind) -> bool {
        match (self.declared, &self.value) {
            (Some(declared), _) => declared == kind || (kind == Kind::Float && declared == Kind::Int),
            (None, Some(value)) => kind.admits(value),
            (None, None) => true,
        }
    }

    fn choice(&self) -> Choice {
        let kind = self.declared.map_or(String::new(), |k| format!(": {}", k.name()));
        let value = self.value.as_ref().map_or(String::new(), |v| format!(" = {v}"));
        let what = if self.parameter { "parameter" } else { "const" };
        let item = if self.parameter { CompletionItemKind::VARIABLE } else { CompletionItemKind::CONSTANT };
        Choice::new(&self.name, item).detail(format!("{what}{kind}{value}")).say(&*self.docs)
    }
}

/// Consts that a file sees, and the parameters of its recipe `recipe`, which hide them.
fn scope(world: &World, path: &str, recipe: Option<&str>) -> Vec<Named> {
    let Some(visible) = world.session.visible(path) else { return Vec::new() };
    let values = consts(&visible, &mut Vec::new()).values;
    let known = |value: &icpc::hir::Value| (!value.kind.has_broken()).then(|| value.kind.clone());
    let declared = |kind: &Option<tree::Ident>| kind.as_ref().and_then(|k| Kind::from_name(&k.text));
    let mut found = Vec::new();
    for (name, item) in &visible.items {
        match &item.tree {
            tree::Item::Recipe(r) if Some(r.name.text.as_str()) == recipe && item.file.as_ref() == path => {
                found.extend(r.params.iter().map(|p| Named {
                    name: p.name.text.clone(),
                    parameter: true,
                    declared: declared(&p.kind),
                    value: None,
                    docs: String::new(),
                }));
            }
            tree::Item::Const(c) => found.push(Named {
                name: name.clone(),
                parameter: false,
                declared: declared(&c.kind),
                value: values.get(name).and_then(known),
                docs: c.docs.clone(),
            }),
            _ => {}
        }
    }
    found.sort_by_key(|n| !n.parameter);
    let hidden: Vec<String> = found.iter().filter(|n| n.parameter).map(|n| n.name.clone()).collect();
    found.retain(|n| n.parameter || !hidden.contains(&n.name));
    found
}

/// Consts and parameters of one of `kinds`; of any kind if none is given.
pub(super) fn in_scope(at: &At<'_>, kinds: &[Kind]) -> Vec<Choice> {
    let fits = |n: &Named| kinds.is_empty() || kinds.iter().any(|k| n.admits(*k));
    let declared = match at.cursor.item {
        // A const does not see itself.
        Some(("const", name)) => Some(name),
        _ => None,
    };
    let scope = scope(at.world, at.path, at.recipe()).into_iter();
    scope.filter(|n| fits(n) && Some(n.name.as_str()) != declared).map(|n| n.choice()).collect()
}

/// Recipes that another one may extend.
pub(super) fn recipes(at: &At<'_>) -> Vec<Choice> {
    let Some(visible) = at.world.session.visible(at.path) else { return Vec::new() };
    let recipe = |(name, item): (&String, &std::sync::Arc<icpc::hir::Item>)| match &item.tree {
        tree::Item::Recipe(r) if Some(name.as_str()) != at.recipe() => {
            Some(Choice::new(name, CompletionItemKind::CLASS).detail(origin(at, &item.file)).say(&*r.docs))
        }
        _ => None,
    };
    visible.items.iter().filter_map(recipe).collect()
}

/// Where an item comes from, if it is not of this file.
fn origin(at: &At<'_>, file: &str) -> String {
    if file == at.path { String::new() } else { format!("from {}", file.rsplit('/').next().unwrap_or(file)) }
}

/// Architectures that the file sees, and those of the library, which come with their `use`.
pub(super) fn architectures(at: &At<'_>) -> Vec<Choice> {
    let mut found: Vec<Choice> = Vec::new();
    for (name, item) in at.world.session.visible(at.path).unwrap_or_default().items {
        let docs = match &item.tree {
            tree::Item::Arch(a) => &a.docs,
            tree::Item::Derive(d) => &d.docs,
            _ => continue,
        };
        let choice = Choice::new(name, CompletionItemKind::STRUCT);
        found.push(choice.detail(origin(at, &item.file)).say(&**docs));
    }
    let line = import_place(at.text);
    for (path, _) in stdlib::files() {
        let Some(name) = path.strip_prefix("std/arch/").and_then(|p| p.strip_suffix(".icp")) else {
            continue;
        };
        if found.iter().any(|c| c.label == name) {
            continue;
        }
        let mut choice =
            Choice::new(name, CompletionItemKind::STRUCT).detail(format!("use std::arch::{name}"));
        choice.also = Some((line, format!("use std::arch::{name};\n")));
        found.push(choice.say(docs_of(at.world, path)));
    }
    found
}

/// Where a `use` can be written: below the `//!` lines.
fn import_place(text: &str) -> Span {
    let docs = text.split_inclusive('\n').take_while(|l| l.starts_with("//!"));
    let at = docs.map(str::len).sum::<usize>();
    // A last line without an end cannot be followed.
    let at = if text.get(..at).is_some_and(|t| t.is_empty() || t.ends_with('\n')) { at } else { 0 };
    Span::new(at, at)
}

fn docs_of(world: &World, path: &str) -> String {
    world.session.module(path).map(|m| m.docs.clone()).unwrap_or_default()
}

/// The folder of a library whose content is asked for, if the cursor is behind `use common::`.
pub(super) fn folder(libraries: &LibraryFolders, path: &str, cursor: &Cursor<'_>) -> Option<String> {
    let Place::Import(before) = &cursor.place else { return None };
    let (first, inside) = before.split_first()?;
    let top = libraries.folders.get(*first)?;
    let folder = join(path, &[&[top.as_str()], inside].concat().join("/"));
    convert::is_on_disk(&folder).then_some(folder)
}

/// What lies in the folder that was asked for, as parts of a path: files of recipes, and folders.
fn in_folder(at: &At<'_>) -> Vec<String> {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let found = at.world.folder.iter().flat_map(|folder| folder.iter());
    let part = |(name, is_folder): &(String, bool)| match is_folder {
        true => Some(format!("{name}/")),
        false => name.strip_suffix(".icp").map(str::to_owned),
    };
    found.filter_map(part).filter(|part| is_name(part.trim_end_matches('/'))).collect()
}

/// What goes on behind `use a::`: the library that comes with the compiler, and those that the file may import from.
pub(super) fn library(at: &At<'_>, before: &[&str]) -> Vec<Choice> {
    let mut found: Vec<Choice> = Vec::new();
    let mut modules: Vec<String> =
        stdlib::files().map(|(path, _)| path.trim_end_matches(".icp").to_owned()).collect();
    modules.extend(modules_of_libraries(at));
    if !before.is_empty() {
        let below = before.join("/");
        let own = at.path.rsplit('/').next().and_then(|name| name.strip_suffix(".icp"));
        // A file does not import itself; one of its name elsewhere is in the list by itself.
        let others = in_folder(at).into_iter().filter(|part| Some(part.as_str()) != own);
        modules.extend(others.map(|part| format!("{below}/{part}")));
    }
    for path in &modules {
        let segments: Vec<&str> = path.split('/').collect();
        let Some(next) = segments.strip_prefix(before).and_then(|rest| rest.first()) else { continue };
        if next.is_empty() {
            continue;
        }
        let last = segments.len() == before.len() + 1;
        if found.iter().all(|c| c.label != *next) {
            let kind = if last { CompletionItemKind::STRUCT } else { CompletionItemKind::MODULE };
            let choice = Choice::new(*next, kind);
            found.push(if last { choice } else { choice.insert(format!("{next}::")) });
        }
    }
    found
}

/// Files of libraries that are known: those of the workspace, and imported ones. `common/tables` stands for
/// `common::tables`; a library of which no file is known stands for itself.
fn modules_of_libraries(at: &At<'_>) -> Vec<String> {
    let libraries = at.world.session.libraries(at.path);
    let mut found = Vec::new();
    for (name, folder) in &libraries.folders {
        let top = join(at.path, &format!("{folder}/"));
        let inside = |path: &&str| path.strip_prefix(&*top).is_some_and(|rest| rest.starts_with('/'));
        let files = at.world.session.texts().into_iter().map(|(path, _)| path).filter(inside);
        let own = files.filter(|path| *path != at.path);
        let before = found.len();
        found.extend(own.map(|path| {
            let below = path.get(top.len()..).unwrap_or("").trim_end_matches(".icp");
            format!("{name}{below}")
        }));
        if found.len() == before {
            found.push(format!("{name}/"));
        }
    }
    found
}

/// Items of the file that stands before the braces of a `use`.
pub(super) fn imported(at: &At<'_>, from: &str) -> Vec<Choice> {
    let path = match from.strip_prefix('"').and_then(|f| f.strip_suffix('"')) {
        Some(file) => join(at.path, file),
        None => {
            let segments: Vec<&str> = from.split("::").map(str::trim).collect();
            match library_file(&segments, &at.world.session.libraries(at.path)) {
                Some(file) => join(at.path, &file),
                None => format!("{}.icp", segments.join("/")),
            }
        }
    };
    let Some(module) = at.world.session.module(&path) else { return Vec::new() };
    let item = |item: &std::sync::Arc<icpc::hir::Item>| {
        let (kind, what, docs) = match &item.tree {
            tree::Item::Use(_) => return None,
            tree::Item::Const(c) => (CompletionItemKind::CONSTANT, "const", &c.docs),
            tree::Item::Recipe(r) => (CompletionItemKind::CLASS, "recipe", &r.docs),
            tree::Item::Arch(a) => (CompletionItemKind::STRUCT, "arch", &a.docs),
            tree::Item::Derive(d) => (CompletionItemKind::STRUCT, "derive", &d.docs),
        };
        Some(Choice::new(&item.name()?.text, kind).detail(what).say(docs.as_str()))
    };
    module.items.iter().filter_map(item).collect()
}

/// Parameters of a recipe that is extended: name, kind, default as written.
pub(in crate::features) fn parameters_of(
    world: &World,
    path: &str,
    base: &str,
) -> Vec<(String, Option<Kind>, String)> {
    let Some(item) = world.session.visible(path).and_then(|v| v.items.get(base).cloned()) else {
        return Vec::new();
    };
    let tree::Item::Recipe(recipe) = &item.tree else { return Vec::new() };
    let start = world
        .session
        .tree(&item.file)
        .and_then(|t| t.items.get(item.number as usize).map(icpc::hir::module::item_start));
    let text = world.session.text(&item.file);
    let written = |span: Span| {
        let span = span.absolute_from(start?);
        text.and_then(|t| t.get(span.range())).map(str::to_owned)
    };
    let param = |p: &tree::Param| {
        let kind = p.kind.as_ref().and_then(|k| Kind::from_name(&k.text));
        let default = p.default.as_ref().and_then(|v| written(v.span)).unwrap_or_default();
        (p.name.text.clone(), kind, default)
    };
    recipe.params.iter().map(param).collect()
}
