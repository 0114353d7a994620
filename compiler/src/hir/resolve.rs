//! Resolves a recipe: parameters bound, `extends` merged, every item typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::eval::{Scope, eval};
use super::items;
use super::module::{Item, Module};
use super::names::{See, Seen, check_kind};
use super::problems::{
    self, CIRCULAR_DEFINITION, DUPLICATE_NAME, UNBOUND_PARAMETER, UNKNOWN_FIELD, UNKNOWN_IMPORT,
    UNKNOWN_NAME, VALUE_OUT_OF_RANGE,
};
use super::recipe::Recipe;
use super::value::Value;
use crate::base::Span;
use crate::diag::{Certainty, Diagnostic, Loc, Place};
use crate::syntax::tree;

/// Values for parameters from outside (`--set clip=99.9%`).
pub type Overrides = BTreeMap<String, Value>;

/// Recipes that extend each other in a row, at most.
const MOST_EXTENDED: usize = 64;

/// Resolves the recipe `name` of `module`. `None` when there is no such recipe, or when it extends itself or too many.
pub fn recipe(
    module: &Module,
    name: &str,
    overrides: &Overrides,
    see: See<'_>,
) -> (Option<Recipe>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let found = module.items.iter().find(|i| matches!(&i.tree, tree::Item::Recipe(r) if r.name.text == name));
    let Some(item) = found else { return (None, problems) };
    if let Some(problem) = too_long(item, see) {
        return (None, vec![problem]);
    }
    let mut under_way = Vec::new();
    let recipe = resolve(item, overrides, see, &mut under_way, &mut problems);
    (recipe, problems)
}

/// What a recipe extends, as its file sees it.
fn base_of(item: &Item, see: See<'_>) -> Option<Arc<Item>> {
    let tree::Item::Recipe(tree) = &item.tree else { return None };
    let name = tree.extends.as_ref()?.base.segments.last()?;
    let home = see(&item.file)?;
    home.names.items.get(&name.text).filter(|i| matches!(i.tree, tree::Item::Recipe(_))).cloned()
}

/// That a recipe stands on more others than anyone keeps in mind; each is merged into all that stand on it. A circle is no
/// such row: it has a diagnostic of its own.
fn too_long(item: &Arc<Item>, see: See<'_>) -> Option<Diagnostic> {
    let mut row = BTreeSet::new();
    let mut next = Some(Arc::clone(item));
    while let Some(item) = next {
        if !row.insert((Arc::clone(&item.file), item.number)) {
            return None;
        }
        next = base_of(&item, see);
        if row.len() > MOST_EXTENDED && next.is_some() {
            break;
        }
    }
    let tree::Item::Recipe(tree) = &item.tree else { return None };
    let extends = tree.extends.as_ref().filter(|_| row.len() > MOST_EXTENDED)?;
    let headline = format!("`{}` stands on more than {MOST_EXTENDED} recipes", tree.name.text);
    Some(
        Diagnostic::new(&VALUE_OUT_OF_RANGE, item.loc(extends.span), headline)
            .label("each of them extends the next one")
            .help("write what many of them share into one recipe, and extend that"),
    )
}

fn resolve(
    item: &Arc<Item>,
    arguments: &Overrides,
    see: See<'_>,
    under_way: &mut Vec<(Arc<str>, String)>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Recipe> {
    let tree::Item::Recipe(tree) = &item.tree else { return None };
    // Problems of imports and consts belong to the file and are reported there.
    let seen = see(&item.file)?;
    let (names, import_problems) = (&seen.names, &seen.problems);
    let mut scope = Scope::within(&seen.consts);
    bind_parameters(tree, item, arguments, !under_way.is_empty(), &mut scope, problems);

    let key = (Arc::clone(&item.file), tree.name.text.clone());
    if under_way.contains(&key) {
        let circle: Vec<&str> = under_way.iter().map(|(_, n)| n.as_str()).collect();
        problems.push(
            Diagnostic::new(
                &CIRCULAR_DEFINITION,
                item.loc(tree.name.span),
                format!("the recipe `{}` extends itself", tree.name.text),
            )
            .because(format!("{} → {}", problems::way(&circle), tree.name.text)),
        );
        return None;
    }

    let before = problems.len();
    let mut recipe = items::lower(tree, item, &scope, names, problems);
    // What a failed import would have brought is not missing a second time; the file has an error already.
    let lost_import = import_problems.iter().any(|d| d.kind == &UNKNOWN_IMPORT);
    if lost_import && recipe.arch.is_none() && tree.arch.is_some() {
        let for_arch = tree.arch.as_ref().map(|path| item.loc(path.span));
        let primary = |d: &Diagnostic| match &d.primary.place {
            Place::Source(loc) => Some(loc.clone()),
            _ => None,
        };
        let added = problems.split_off(before);
        problems.extend(added.into_iter().filter(|d| primary(d) != for_arch));
    }
    super::derive::apply(&mut recipe, names, see);
    if let Some(extends) = &tree.extends {
        under_way.push(key);
        let name = extends.base.segments.last().map_or("", |s| s.text.as_str());
        let base = names.items.get(name).filter(|i| matches!(i.tree, tree::Item::Recipe(_)));
        match base {
            Some(base) => {
                let arguments = extends_arguments(extends, base, item, &scope, problems);
                if let Some(base) = resolve(base, &arguments, see, under_way, problems) {
                    merge(&mut recipe, base);
                }
            }
            None if lost_import => {}
            None => {
                let known: Vec<&str> = names
                    .items
                    .iter()
                    .filter(|(_, i)| matches!(i.tree, tree::Item::Recipe(_)))
                    .map(|(n, _)| n.as_str())
                    .collect();
                problems.push(problems::unknown_name(item.loc(extends.base.span), "recipe", name, &known));
            }
        }
        under_way.pop();
    }
    Some(recipe)
}

fn bind_parameters(
    tree: &tree::Recipe,
    item: &Item,
    arguments: &Overrides,
    extended: bool,
    scope: &mut Scope,
    problems: &mut Vec<Diagnostic>,
) {
    let mut declared: BTreeMap<&str, &tree::Param> = BTreeMap::new();
    for param in &tree.params {
        if let Some(first) = declared.get(param.name.text.as_str()) {
            problems.push(
                Diagnostic::new(
                    &DUPLICATE_NAME,
                    item.loc(param.name.span),
                    format!("the parameter `{}` is declared twice", param.name.text),
                )
                .also(Place::Source(item.loc(first.name.span)), "first here"),
            );
            continue;
        }
        declared.insert(&param.name.text, param);
        let value = match (arguments.get(&param.name.text), &param.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => eval(default, item, scope, problems),
            (None, None) => {
                let name = &param.name.text;
                problems.push(
                    Diagnostic::new(
                        &UNBOUND_PARAMETER,
                        item.loc(param.span),
                        format!("the parameter `{name}` has no value"),
                    )
                    .help(if extended {
                        format!("give it a default, or a value: `extends {}({name}: ...)`", tree.name.text)
                    } else {
                        format!("give it a default, or run with `--set {name}=...`")
                    }),
                );
                Value { kind: super::value::ValueKind::Broken, loc: item.loc(param.span) }
            }
        };
        let value = check_kind(&param.name.text, param.kind.as_ref(), item, value, problems);
        scope.values.insert(param.name.text.clone(), value);
    }
    let known: Vec<&str> = tree.params.iter().map(|p| p.name.text.as_str()).collect();
    for (name, value) in arguments.iter().filter(|(n, _)| !known.contains(&n.as_str())) {
        let mut d = problems::unknown_field(value.loc.clone(), &tree.name.text, name, &known);
        d.kind = &UNKNOWN_FIELD;
        d.headline = format!("`{}` has no parameter `{name}`", tree.name.text);
        d.fixes.clear();
        problems.push(d.also(Place::Source(item.loc(tree.name.span)), "this recipe"));
    }
}

fn extends_arguments(
    extends: &tree::Extends,
    base: &Item,
    item: &Item,
    scope: &Scope,
    problems: &mut Vec<Diagnostic>,
) -> Overrides {
    let tree::Item::Recipe(base) = &base.tree else { return Overrides::new() };
    let mut arguments = Overrides::new();
    for arg in &extends.args {
        let value = eval(&arg.value, item, scope, problems);
        match &arg.name {
            Some(name) => {
                arguments.insert(name.text.clone(), value);
            }
            None => {
                let known: Vec<&str> = base.params.iter().map(|p| p.name.text.as_str()).collect();
                let at = Value { loc: item.loc(arg.span), ..value };
                let mut d = problems::unnamed_value(&at, &base.name.text, &known);
                if let [only] = known.as_slice() {
                    let insert = Span { end: at.loc.span.start, ..at.loc.span };
                    let insert = Loc { span: insert, ..at.loc };
                    d = d.fix(Certainty::Safe, format!("name it `{only}`"), insert, format!("{only}: "));
                }
                problems.push(d);
            }
        }
    }
    arguments
}

/// `own` extends `base`: its arms come first, its single-valued items replace the base's.
fn merge(own: &mut Recipe, base: Recipe) {
    own.arms.extend(base.arms.into_iter().map(|arm| super::Arm { depth: arm.depth + 1, ..arm }));
    own.prunes.extend(base.prunes);
    let measured: Vec<_> = own.requirements.iter().map(|r| r.metric).collect();
    own.requirements.extend(base.requirements.into_iter().filter(|r| !measured.contains(&r.metric)));
    let set: BTreeSet<String> = own.sets.iter().map(|(n, _)| n.clone()).collect();
    own.sets.extend(base.sets.into_iter().filter(|(n, _)| !set.contains(n)));
    if own.arch.is_none() {
        (own.arch, own.derive) = (base.arch, base.derive);
    }
    own.checkpoint = own.checkpoint.take().or(base.checkpoint);
    own.target = own.target.take().or(base.target);
    own.casts = own.casts.take().or(base.casts);
    own.calibrate = own.calibrate.take().or(base.calibrate);
    own.evaluate = own.evaluate.take().or(base.evaluate);
    own.tune = own.tune.take().or(base.tune);
    own.emit = own.emit.take().or(base.emit);
}

/// Problems of a file's imports, names and consts; those of its recipes come with each recipe.
pub fn module_problems(module: &Module, seen: &Seen) -> Vec<Diagnostic> {
    let mut problems = seen.problems.clone();
    problems.extend(seen.const_problems.iter().cloned());
    problems.extend(super::derive::problems(module, &seen.names, &seen.consts));
    problems.retain(|d| matches!(&d.primary.place, Place::Source(loc) if loc.file == module.path));
    problems
}

/// Refuses a recipe name that the file does not have.
pub fn no_such_recipe(module: &Module, name: &str) -> Diagnostic {
    let known: Vec<&str> = module
        .items
        .iter()
        .filter(|i| matches!(i.tree, tree::Item::Recipe(_)))
        .filter_map(|i| i.name())
        .map(|n| n.text.as_str())
        .collect();
    let at =
        crate::diag::Loc { file: Arc::clone(&module.path), item: None, span: crate::base::Span::default() };
    let mut d = problems::unknown_name(at, "recipe", name, &known);
    d.kind = &UNKNOWN_NAME;
    d.fixes.clear();
    d
}
