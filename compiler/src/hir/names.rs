//! What a file can see: its own items and what it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::eval::{Scope, eval};
use super::module::{Item, Module};
use super::problems::{self, CIRCULAR_DEFINITION, DUPLICATE_NAME, UNKNOWN_IMPORT, VALUE_OUT_OF_RANGE};
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

/// What a file can see and what is wrong there: made once for all of its recipes.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Own items and imported ones.
    pub names: Names,
    /// What is wrong with imports and definitions.
    pub problems: Vec<Diagnostic>,
    /// Values of the consts.
    pub consts: Arc<Scope>,
    /// What is wrong with them.
    pub const_problems: Vec<Diagnostic>,
}

/// Finds what a file that is known can see, by its path.
pub type See<'a> = &'a dyn Fn(&str) -> Option<Arc<Seen>>;

/// What `module` can see.
pub fn seen(module: &Module, load: Load<'_>) -> Seen {
    let (names, problems) = names(module, load);
    let mut const_problems = Vec::new();
    let consts = Arc::new(consts(&names, &mut const_problems));
    Seen { names, problems, consts, const_problems }
}

/// Path of the file that `use` names, relative to the importing file; `std::a::b` is `std/a/b.icp`. A path of any other
/// library has been replaced by its file, where the library is known; the rest name no file.
pub fn import_path(importer: &str, from: &tree::UseFrom) -> String {
    match from {
        tree::UseFrom::Path(path) if path.segments.first().is_none_or(|s| s.text != "std") => {
            path.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("::")
        }
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
            // above the folder that `.` is
            ".." if parts.last() == Some(&".") => {
                parts.pop();
                parts.push("..");
            }
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
    // Files that are imported as a whole.
    let mut wholes = BTreeMap::new();
    for item in &module.items {
        match &item.tree {
            tree::Item::Use(u) => import(module, item, u, load, &mut names, &mut wholes, &mut problems),
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
    wholes: &mut BTreeMap<String, Loc>,
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
        Err(reason) => return problems.push(not_loaded(module, &path, u, at, reason)),
    };
    let known =
        || from.items.iter().filter_map(|item| item.name()).map(|n| n.text.as_str()).collect::<Vec<_>>();
    if !u.names.is_empty() {
        for wanted in &u.names {
            match from.item(&wanted.text) {
                Some(found) => define(names, &wanted.text, found, item.loc(wanted.span), problems),
                None => {
                    let mut d = problems::unknown_name(item.loc(wanted.span), "item", &wanted.text, &known());
                    d.kind = &UNKNOWN_IMPORT;
                    d.headline = format!("`{path}` defines no `{}`", wanted.text);
                    problems.push(d);
                }
            }
        }
        return;
    }
    match &u.from {
        // `use std::arch::itera_lite` imports the item of that name.
        tree::UseFrom::Path(written) => {
            let Some(single) = written.segments.last().map(|s| s.text.as_str()) else { return };
            let all = from.items.iter().filter(|i| i.name().is_some_and(|n| n.text == single));
            all.for_each(|other| define(names, single, other, at.clone(), problems));
            if from.item(single).is_none() {
                let module = module_name(&path);
                problems.push(
                    Diagnostic::new(&UNKNOWN_IMPORT, at, format!("`{module}` defines no `{single}`"))
                        .help(format!("name what it has: `use {module}::{{{}}};`", known().join(", "))),
                );
            }
        }
        // All of a file twice would be one problem for each of its items.
        tree::UseFrom::File { .. } => match wholes.insert(path.clone(), at.clone()) {
            Some(first) => problems.push(
                Diagnostic::new(&DUPLICATE_NAME, at, format!("`{path}` is imported twice"))
                    .also(Place::Source(first), "first here"),
            ),
            None => {
                for other in &from.items {
                    if let Some(name) = other.name() {
                        define(names, &name.text, other, at.clone(), problems);
                    }
                }
            }
        },
    }
}

fn not_loaded(module: &Module, path: &str, u: &tree::Use, at: Loc, reason: Option<String>) -> Diagnostic {
    let unknown = |headline: String| Diagnostic::new(&UNKNOWN_IMPORT, at.clone(), headline);
    match (&u.from, reason) {
        (tree::UseFrom::Path(p), _) if p.segments.first().is_some_and(|s| s.text != "std") => {
            unknown_library(module, path, p, at)
        }
        (tree::UseFrom::Path(_), _) => {
            let d = unknown(format!("the library has no `{}`", module_name(path)));
            let known = crate::stdlib::files().map(|(path, _)| module_name(path));
            let known: Vec<String> = known.collect();
            match closest(&module_name(path), known.iter().map(String::as_str)) {
                Some(near) => d.help(format!("did you mean `{near}`?")).fix(
                    Certainty::Unsafe,
                    format!("replace with `{near}`"),
                    at,
                    near,
                ),
                None => d.help(format!("it has: {}", beside(path, &known).join(", "))),
            }
        }
        (tree::UseFrom::File { path: written, .. }, None) => {
            let within =
                |folder: &str| written.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            let library = module.libraries.folders.iter().filter(|(_, folder)| within(folder));
            // A library's own folder may hold the others'.
            let library = library.max_by_key(|(_, folder)| folder.len());
            if let Some((name, folder)) = library {
                return unknown(format!("there is no file `{path}`"))
                    .help(format!("the library `{name}` lies in `{}`", join(&module.path, folder)));
            }
            unknown(format!("there is no file `{path}`")).help("paths are relative to the importing file")
        }
        (tree::UseFrom::File { .. }, Some(reason)) => {
            unknown(format!("`{path}` cannot be read")).label(reason)
        }
    }
}

/// A `use` whose first segment names no library, or names nothing in one.
fn unknown_library(module: &Module, path: &str, written: &tree::Path, at: Loc) -> Diagnostic {
    let name = written.segments.first().map_or("", |s| s.text.as_str());
    if module.libraries.folders.contains_key(name) {
        return Diagnostic::new(&UNKNOWN_IMPORT, at, format!("`{path}` names a library, not a file of it"))
            .help(format!("name the file, too: `use {name}::file;`"));
    }
    if let Some(problem) = &module.libraries.problem {
        let headline = format!("which library `{name}` is cannot be told");
        return Diagnostic::new(&UNKNOWN_IMPORT, at, headline)
            .label("its manifest is wrong")
            .because(problem);
    }
    let d = Diagnostic::new(&UNKNOWN_IMPORT, at.clone(), format!("no library is called `{name}`"));
    let known = module.libraries.folders.keys().map(String::as_str).chain(["std"]);
    match closest(name, known) {
        Some(near) => {
            let first = written.segments.first().map_or(at.span, |s| s.span);
            d.help(format!("did you mean `{near}`?")).fix(
                Certainty::Unsafe,
                format!("replace with `{near}`"),
                Loc { span: first, ..at },
                near,
            )
        }
        None => d.help(format!("add `{name} = {{ path = \"...\" }}` to `[dependencies]` of `icp.toml`")),
    }
}

/// Of `known` what stands in the same module as `path`; the modules, if nothing does.
fn beside(path: &str, known: &[String]) -> Vec<String> {
    let module = |name: &str| name.rsplit_once("::").map_or(String::new(), |(module, _)| module.to_owned());
    let wanted = module(&module_name(path));
    let same: Vec<String> = known.iter().filter(|name| module(name) == wanted).cloned().collect();
    if !same.is_empty() {
        return same;
    }
    known.iter().map(|name| module(name)).collect::<BTreeSet<String>>().into_iter().collect()
}

fn module_name(path: &str) -> String {
    path.trim_end_matches(".icp").replace('/', "::")
}

/// Values that a const may hold, those of the consts in it counted: they can double with each line.
const MOST_VALUES: usize = 4096;

/// Evaluates the consts that `names` can see. A const may use others, not itself.
pub fn consts(names: &Names, problems: &mut Vec<Diagnostic>) -> Scope {
    let mut scope = Scope::default();
    for name in names.items.keys() {
        evaluate_const(name, names, &mut scope, problems);
    }
    scope
}

fn const_of<'n>(name: &str, names: &'n Names) -> Option<(&'n Item, &'n tree::Const)> {
    let item = names.items.get(name)?;
    match &item.tree {
        tree::Item::Const(c) => Some((item, c)),
        _ => None,
    }
}

/// Evaluates a const after those that it uses. On a list, not by calls: a chain of consts may be longer than the stack.
fn evaluate_const(name: &str, names: &Names, scope: &mut Scope, problems: &mut Vec<Diagnostic>) {
    let mut under_way: Vec<(String, std::vec::IntoIter<String>)> = Vec::new();
    let mut on_the_way = BTreeSet::new();
    let mut next = Some(name.to_owned());
    loop {
        if let Some(name) = next.take()
            && let Some((item, c)) = const_of(&name, names)
            && !scope.values.contains_key(&name)
        {
            if on_the_way.insert(name.clone()) {
                under_way.push((name, names_in(&c.value).into_iter()));
            } else {
                let circle = under_way.iter().skip_while(|(first, _)| *first != name);
                let way: Vec<&str> = circle.map(|(name, _)| name.as_str()).collect();
                let headline = format!("the const `{name}` is defined by itself");
                problems.push(
                    Diagnostic::new(&CIRCULAR_DEFINITION, item.loc(c.name.span), headline)
                        .because(format!("{} → {name}", problems::way(&way))),
                );
                scope.values.insert(name, Value { kind: ValueKind::Broken, loc: item.loc(c.value.span) });
            }
        }
        let Some((_, uses)) = under_way.last_mut() else { return };
        next = uses.next();
        if next.is_some() {
            continue;
        }
        let Some((name, _)) = under_way.pop() else { return };
        on_the_way.remove(&name);
        // one that closed a circle was reported there
        if let Some((item, c)) = const_of(&name, names)
            && !scope.values.contains_key(&name)
        {
            let value = bounded(eval(&c.value, item, scope, problems), c, item, problems);
            let value = check_kind(&c.name.text, c.kind.as_ref(), item, value, problems);
            scope.values.insert(name, value);
        }
    }
}

/// The value, unless it holds more than anyone writes.
fn bounded(value: Value, c: &tree::Const, item: &Item, problems: &mut Vec<Diagnostic>) -> Value {
    if value.holds_at_most(MOST_VALUES) {
        return value;
    }
    let headline = format!("the const `{}` holds more than {MOST_VALUES} values", c.name.text);
    let at = item.loc(c.name.span);
    problems.push(
        Diagnostic::new(&VALUE_OUT_OF_RANGE, at, headline).because("those of the consts in it are counted"),
    );
    Value { kind: ValueKind::Broken, loc: value.loc }
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

/// Names that may stand for values in `value`.
pub(super) fn names_in(value: &tree::Value) -> Vec<String> {
    match &value.kind {
        tree::ValueKind::Name(path) => path.segments.iter().map(|s| s.text.clone()).collect(),
        tree::ValueKind::Call { args, .. } => args.iter().flat_map(|a| names_in(&a.value)).collect(),
        tree::ValueKind::Of(a, b) => names_in(a).into_iter().chain(names_in(b)).collect(),
        tree::ValueKind::Worded(_, v) => names_in(v),
        tree::ValueKind::List(items) => items.iter().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{consts, names};
    use crate::diag::Diagnostic;
    use crate::hir::module::{Libraries, lower};
    use crate::hir::value::ValueKind;

    /// What the consts of a file are, and what is wrong with them.
    fn evaluated(text: &str) -> (super::Scope, Vec<Diagnostic>) {
        let module = lower(&Arc::from("a.icp"), &crate::syntax::parse(text), &Libraries::default());
        let (names, mut problems) = names(&module, &|_| Err(None));
        let scope = consts(&names, &mut problems);
        (scope, problems)
    }

    #[test]
    fn paths_are_joined_lexically() {
        for (file, path, joined) in [
            ("a.icp", "b.icp", "b.icp"),
            ("lib/a.icp", "../b.icp", "b.icp"),
            ("./a.icp", "../b.icp", "../b.icp"),
            ("./lib/a.icp", "../b.icp", "./b.icp"),
            ("../a.icp", "../b.icp", "../../b.icp"),
            ("/a.icp", "x/../b.icp", "/b.icp"),
            ("lib/a.icp", "/b.icp", "/b.icp"),
        ] {
            assert_eq!(super::join(file, path), joined, "{file} {path}");
        }
    }

    #[test]
    fn a_chain_of_consts_may_be_longer_than_the_stack() {
        let mut text = "const c0 = 7;\n".to_owned();
        // written so that the first by name uses the last
        (1..20_000).for_each(|n| text += &format!("const c{n} = c{};\n", n - 1));
        let (scope, problems) = evaluated(&text);
        assert!(problems.is_empty());
        assert_eq!(scope.values["c19999"].kind, ValueKind::Int(7));
    }

    #[test]
    fn consts_that_double_end() {
        let mut text = "const c0 = [1, 2];\n".to_owned();
        (1..60).for_each(|n| text += &format!("const c{n} = [c{}, c{}];\n", n - 1, n - 1));
        let problems = evaluated(&text).1;
        // what begins anew from a const that is broken doubles again
        assert!(problems.len() < 7, "{}", problems.len());
        assert!(problems[0].headline.ends_with("holds more than 4096 values"), "{}", problems[0].headline);
    }

    #[test]
    fn a_circle_is_said_once() {
        let (_, problems) = evaluated("const a = b;\nconst b = [c];\nconst c = a;\n");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].headline, "the const `a` is defined by itself");
    }
}
