//! Consts and imports that nothing in their file uses.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::module::{Item, Module};
use super::names::{Seen, import_path, names_in};
use super::problems::UNUSED_NAME;
use crate::base::Span;
use crate::diag::{Certainty, Diagnostic, Loc, Place};
use crate::syntax::tree::{self, Filter, RecipeItem};

/// What could be removed from a file without errors of its own. `text` is the file's, `starts` has the starts of its items.
///
/// A const counts only where nobody else would import it: in a file with recipes that belongs to no library. What an imported
/// const needs counts as used, since it is evaluated here.
pub fn unused(module: &Module, seen: &Seen, text: &str, starts: &[u32]) -> Vec<Diagnostic> {
    let used = used(module, seen);
    let recipe = |item: &Arc<Item>| matches!(item.tree, tree::Item::Recipe(_));
    let libraries = &module.libraries;
    let is_library = module.path.starts_with("std/")
        || !libraries.folders.is_empty()
        || libraries.problem.is_some()
        || !module.items.iter().any(recipe);
    let files: BTreeSet<&str> =
        used.iter().filter_map(|name| seen.names.items.get(name)).map(|item| item.file.as_ref()).collect();
    let wrong: BTreeSet<u32> = seen.problems.iter().filter_map(|d| place_in(d, module)).collect();
    let mut found = Vec::new();
    for item in module.items.iter().filter(|item| !wrong.contains(&item.number)) {
        let start = starts.get(item.number as usize).copied().unwrap_or(0);
        let place = Around { item, text, start };
        match &item.tree {
            tree::Item::Const(c) if !is_library && !used.contains(&c.name.text) => {
                let headline = format!("the const `{}` is not used", c.name.text);
                found.push(Diagnostic::new(&UNUSED_NAME, item.loc(c.name.span), headline).fix(
                    Certainty::Unsafe,
                    "remove it",
                    place.lines(c.span),
                    "",
                ));
            }
            tree::Item::Use(u) if u.names.is_empty() => {
                let (name, span, is_used) = match &u.from {
                    tree::UseFrom::Path(path) => {
                        let name = path.segments.last().map_or("", |s| s.text.as_str());
                        (name, path.span, used.contains(name))
                    }
                    tree::UseFrom::File { path, span } => {
                        let is_used = files.contains(import_path(&module.path, &u.from).as_str());
                        (path.as_str(), *span, is_used)
                    }
                };
                if !is_used {
                    let headline = match &u.from {
                        tree::UseFrom::Path(_) => format!("`{name}` is imported and not used"),
                        tree::UseFrom::File { .. } => format!("nothing of `{name}` is used"),
                    };
                    found.push(Diagnostic::new(&UNUSED_NAME, item.loc(span), headline).fix(
                        Certainty::Safe,
                        "remove it",
                        place.lines(u.span),
                        "",
                    ));
                }
            }
            tree::Item::Use(u) => found.extend(unused_names(u, &used, &place)),
            _ => {}
        }
    }
    found
}

/// Of `use ...::{a, b}` those that nothing uses.
fn unused_names(u: &tree::Use, used: &BTreeSet<String>, place: &Around<'_>) -> Vec<Diagnostic> {
    let is_used = |name: &tree::Ident| used.contains(&name.text);
    let all = !u.names.iter().any(is_used);
    let first_used = u.names.iter().position(is_used).unwrap_or(u.names.len());
    let mut found = Vec::new();
    for (number, name) in u.names.iter().enumerate().filter(|(_, name)| !is_used(name)) {
        let headline = format!("`{}` is imported and not used", name.text);
        let before = number.checked_sub(1).and_then(|n| u.names.get(n));
        let span = match (before, u.names.get(number + 1)) {
            _ if all => place.lines(u.span).span,
            // With the comma on the side where a used name is.
            (_, Some(next)) if number < first_used => {
                place.at(Span { end: next.span.start, ..name.span }).span
            }
            (Some(before), _) => place.at(Span { start: before.span.end, ..name.span }).span,
            _ => place.at(name.span).span,
        };
        let at = Loc { span, ..place.at(name.span) };
        let d = Diagnostic::new(&UNUSED_NAME, place.item.loc(name.span), headline);
        found.push(d.fix(Certainty::Safe, "remove it", at, ""));
    }
    found
}

/// Number of the item of `module` that a diagnostic is about.
fn place_in(d: &Diagnostic, module: &Module) -> Option<u32> {
    match &d.primary.place {
        Place::Source(loc) if loc.file == module.path => loc.item,
        _ => None,
    }
}

/// All names that the items of a file mention, and those that imported consts among them need.
fn used(module: &Module, seen: &Seen) -> BTreeSet<String> {
    let mut pending: Vec<String> = Vec::new();
    module.items.iter().for_each(|item| mentioned(&item.tree, &mut pending));
    let mut used = BTreeSet::new();
    while let Some(name) = pending.pop() {
        if let Some(item) = seen.names.items.get(&name)
            && item.file != module.path
            && let tree::Item::Const(c) = &item.tree
            && !used.contains(&name)
        {
            pending.extend(names_in(&c.value));
        }
        used.insert(name);
    }
    used
}

fn mentioned(item: &tree::Item, found: &mut Vec<String>) {
    let last = |path: &tree::Path| path.segments.last().map(|s| s.text.clone());
    match item {
        tree::Item::Use(_) | tree::Item::Arch(_) => {}
        tree::Item::Const(c) => found.extend(names_in(&c.value)),
        tree::Item::Derive(d) => {
            found.extend(d.base.as_ref().and_then(last));
            arguments(&d.fields, found);
        }
        tree::Item::Recipe(r) => {
            r.params.iter().filter_map(|p| p.default.as_ref()).for_each(|v| found.extend(names_in(v)));
            if let Some(extends) = &r.extends {
                found.extend(last(&extends.base));
                arguments(&extends.args, found);
            }
            found.extend(r.arch.as_ref().and_then(last));
            r.items.iter().for_each(|item| in_recipe(item, found));
        }
    }
}

fn in_recipe(item: &RecipeItem, found: &mut Vec<String>) {
    match item {
        RecipeItem::Checkpoint { value, .. }
        | RecipeItem::Target { value, .. }
        | RecipeItem::Casts { value, .. }
        | RecipeItem::Set { value, .. } => found.extend(names_in(value)),
        RecipeItem::Prune(prune) => {
            in_pattern(&prune.pattern, found);
            arguments(&prune.fields, found);
        }
        RecipeItem::Assign { arms, .. } => {
            for arm in arms {
                in_pattern(&arm.pattern, found);
                found.extend(names_in(&arm.format));
            }
        }
        RecipeItem::Settings { fields, .. } => arguments(fields, found),
        RecipeItem::Require { requirements, .. } => {
            requirements.iter().for_each(|r| found.extend(names_in(&r.bound)));
        }
        RecipeItem::Emit { path, container, .. } => {
            found.extend(names_in(path));
            container.iter().for_each(|v| found.extend(names_in(v)));
        }
    }
}

fn arguments(list: &[tree::Arg], found: &mut Vec<String>) {
    list.iter().for_each(|arg| found.extend(names_in(&arg.value)));
}

fn in_pattern(pattern: &tree::Pattern, found: &mut Vec<String>) {
    if let Some(filter) = &pattern.filter {
        in_filter(filter, found);
    }
    if let Some(except) = &pattern.except {
        in_pattern(except, found);
    }
}

fn in_filter(filter: &Filter, found: &mut Vec<String>) {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => {
            in_filter(a, found);
            in_filter(b, found);
        }
        Filter::Not(inner, _) => in_filter(inner, found),
        Filter::Compare { arg, value, .. } => {
            arg.iter().for_each(|v| found.extend(names_in(v)));
            found.extend(names_in(value));
        }
    }
}

/// An item in its text.
struct Around<'a> {
    item: &'a Arc<Item>,
    text: &'a str,
    start: u32,
}

impl Around<'_> {
    /// A place by its bytes in the file.
    fn at(&self, span: Span) -> Loc {
        Loc { file: Arc::clone(&self.item.file), item: None, span: span.absolute_from(self.start) }
    }

    /// The lines of `span` with the docs above, if nothing else stands on them.
    fn lines(&self, span: Span) -> Loc {
        let mut at = self.at(span);
        let rest = self.text.get(at.span.range().end..).unwrap_or("");
        // Spans of items end before their `;`.
        let blank = rest.len() - rest.trim_start().len();
        if rest.trim_start().starts_with(';') {
            at.span = Span::new(at.span.range().start, at.span.range().end + blank + 1);
        }
        let (before, behind) = (
            self.text.get(..at.span.range().start).unwrap_or(""),
            self.text.get(at.span.range().end..).unwrap_or(""),
        );
        let line = before.rfind('\n').map_or(0, |i| i + 1);
        let rest = behind.find('\n').map_or(behind.len(), |i| i + 1);
        let blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
        if !blank(before.get(line..)) || !blank(behind.get(..rest)) {
            return at;
        }
        let mut start = line;
        while let Some(above) = start.checked_sub(1).and_then(|end| before.get(..end)) {
            let from = above.rfind('\n').map_or(0, |i| i + 1);
            if !above.get(from..).is_some_and(|line| line.trim_start().starts_with("///")) {
                break;
            }
            start = from;
        }
        Loc { span: Span::new(start, at.span.range().end + rest), ..at }
    }
}
