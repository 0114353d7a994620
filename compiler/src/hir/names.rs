//! What a file can see: its own items and what it imports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::eval::{Scope, eval};
use super::module::{Item, Module};
use super::problems::{self, CIRCULAR_DEFINITION, DUPLICATE_NAME, UNKNOWN_IMPORT};
use super::value::{Kind, Value, ValueKind};
use crate::base::Span;
use crate::diag::suggest::closest;
use crate::diag::{Certainty, Diagnostic, Loc, Place};
use crate::syntax::tree;

/// Finds a loaded module by its resolved path; the loader has read it before, a query never does. The error says why a
/// file that is there could not be read.
pub type Load<'a> = &'a dyn Fn(&str) -> Result<Arc<Module>, Option<String>>;

/// Items by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// Own items and imported ones.
    pub items: BTreeMap<String, Arc<Item>>,
}

/// Path of the file that `use` names, relative to the importing file; `std::a::b` is `std/a/b.icp`.
pub fn import_path(importer: &str, from: &tree::UseFrom) -> String {
    match from {
        tree::UseFrom::Path(path) => {
            format!("{}.icp", path.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("/"))
        }
        tree::UseFrom::File { path, .. } => join(importer, path),
    }
}

/// `path` as seen from the folder of `file`, with `.` and `..` removed lexically.
pub fn join(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| !p.is_empty() && *p != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Names that `module` sees, and what is wrong with its imports and definitions.
pub fn names(module: &Module, load: Load<'_>) -> (Names, Vec<Diagnostic>) {
    let mut names = Names::default();
    let mut problems = Vec::new();
    for item in &module.items {
        match &item.tree {
            tree::Item::Use(u) => import(module, item, u, load, &mut names, &mut problems),
            _ => {
                if let Some(name) = item.name() {
                    define(&mut names, &name.text, item, item.loc(name.span), &mut problems);
                }
            }
        }
    }
    (names, problems)
}

fn define(names: &mut Names, name: &str, item: &Arc<Item>, at: Loc, problems: &mut Vec<Diagnostic>) {
    if let Some(first) = names.items.get(name) {
        let at_first = first.name().map_or_else(|| first.loc(Span::default()), |n| first.loc(n.span));
        problems.push(
            Diagnostic::new(&DUPLICATE_NAME, at, format!("`{name}` is defined twice"))
                .also(Place::Source(at_first), "first here"),
        );
        return;
    }
    names.items.insert(name.to_owned(), Arc::clone(item));
}

fn import(
    module: &Module,
    item: &Item,
    u: &tree::Use,
    load: Load<'_>,
    names: &mut Names,
    problems: &mut Vec<Diagnostic>,
) {
    let path = import_path(&module.path, &u.from);
    let at = match &u.from {
        tree::UseFrom::Path(path) => item.loc(path.span),
        tree::UseFrom::File { span, .. } => item.loc(*span),
    };
    if path == *module.path {
        problems.push(
            Diagnostic::new(&CIRCULAR_DEFINITION, at, format!("`{path}` imports itself"))
                .help("remove the `use`: a file sees its own items"),
        );
        return;
    }
    let from = match load(&path) {
        Ok(from) => from,
        Err(reason) => return problems.push(not_loaded(&path, u, at, reason)),
    };
    if u.names.is_empty() {
        let single = match &u.from {
            // `use std::arch::itera_lite` imports the item of that name.
            tree::UseFrom::Path(p) => p.segments.last().map(|s| s.text.as_str()),
            tree::UseFrom::File { .. } => None,
        };
        for other in &from.items {
            if let Some(name) = other.name()
                && single.is_none_or(|s| s == name.text)
            {
                define(names, &name.text, other, at.clone(), problems);
            }
        }
        return;
    }
    let known: Vec<&str> = from.items.iter().filter_map(|i| i.name()).map(|n| n.text.as_str()).collect();
    for wanted in &u.names {
        match from.items.iter().find(|i| i.name().is_some_and(|n| n.text == wanted.text)) {
            Some(found) => define(names, &wanted.text, found, item.loc(wanted.span), problems),
            None => {
                let mut d = problems::unknown_name(item.loc(wanted.span), "item", &wanted.text, &known);
                d.kind = &UNKNOWN_IMPORT;
                d.headline = format!("`{path}` defines no `{}`", wanted.text);
                problems.push(d);
            }
        }
    }
}

fn not_loaded(path: &str, u: &tree::Use, at: Loc, reason: Option<String>) -> Diagnostic {
    let unknown = |headline: String| Diagnostic::new(&UNKNOWN_IMPORT, at.clone(), headline);
    match (&u.from, reason) {
        (tree::UseFrom::Path(_), _) => {
            let d = unknown(format!("the library has no `{}`", module_name(path)));
            let known = crate::stdlib::FILES.iter().map(|(path, _)| module_name(path));
            let known: Vec<String> = known.collect();
            match closest(&module_name(path), known.iter().map(String::as_str)) {
                Some(near) => d.help(format!("did you mean `{near}`?")).fix(
                    Certainty::Unsafe,
                    format!("replace with `{near}`"),
                    at,
                    near,
                ),
                None => d.help(format!("it has: {}", known.join(", "))),
            }
        }
        (tree::UseFrom::File { .. }, None) => {
            unknown(format!("there is no file `{path}`")).help("paths are relative to the importing file")
        }
        (tree::UseFrom::File { .. }, Some(reason)) => {
            unknown(format!("`{path}` cannot be read")).label(reason)
        }
    }
}

fn module_name(path: &str) -> String {
    path.trim_end_matches(".icp").replace('/', "::")
}

/// Evaluates the consts that `names` can see. A const may use others, not itself.
pub fn consts(names: &Names, problems: &mut Vec<Diagnostic>) -> Scope {
    let mut scope = Scope::default();
    let mut under_way = Vec::new();
    for name in names.items.keys() {
        evaluate_const(name, names, &mut scope, &mut under_way, problems);
    }
    scope
}

fn evaluate_const(
    name: &str,
    names: &Names,
    scope: &mut Scope,
    under_way: &mut Vec<String>,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(item) = names.items.get(name) else { return };
    let tree::Item::Const(c) = &item.tree else { return };
    if scope.values.contains_key(name) {
        return;
    }
    if under_way.iter().any(|n| n == name) {
        problems.push(
            Diagnostic::new(
                &CIRCULAR_DEFINITION,
                item.loc(c.name.span),
                format!("the const `{name}` is defined by itself"),
            )
            .because(format!("{} → {name}", under_way.join(" → "))),
        );
        let value = Value { kind: ValueKind::Broken, loc: item.loc(c.value.span) };
        scope.values.insert(name.to_owned(), value);
        return;
    }
    under_way.push(name.to_owned());
    for used in names_in(&c.value) {
        evaluate_const(&used, names, scope, under_way, problems);
    }
    under_way.pop();
    if scope.values.contains_key(name) {
        return; // closed a circle, reported there
    }
    let value = eval(&c.value, item, scope, problems);
    let value = check_kind(&c.name.text, c.kind.as_ref(), item, value, problems);
    scope.values.insert(name.to_owned(), value);
}

/// Holds `value` against a declared kind.
pub fn check_kind(
    name: &str,
    declared: Option<&tree::Ident>,
    item: &Item,
    value: Value,
    problems: &mut Vec<Diagnostic>,
) -> Value {
    let Some(declared) = declared else { return value };
    let Some(kind) = Kind::from_name(&declared.text) else {
        problems.push(problems::unknown_kind(item.loc(declared.span), &declared.text));
        return value;
    };
    if kind.admits(&value.kind) {
        return value;
    }
    let wanted = format!("the kind `{}`", kind.name());
    problems.push(
        problems::wrong_kind(&value, name, &wanted, kind.example())
            .also(Place::Source(item.loc(declared.span)), "declared here"),
    );
    Value { kind: ValueKind::Broken, ..value }
}

fn names_in(value: &tree::Value) -> Vec<String> {
    match &value.kind {
        tree::ValueKind::Name(path) => path.segments.iter().map(|s| s.text.clone()).collect(),
        tree::ValueKind::Call { args, .. } => args.iter().flat_map(|a| names_in(&a.value)).collect(),
        tree::ValueKind::Of(a, b) => names_in(a).into_iter().chain(names_in(b)).collect(),
        tree::ValueKind::Worded(_, v) => names_in(v),
        tree::ValueKind::List(items) => items.iter().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}
