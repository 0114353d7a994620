//! Consts, parameters, recipes, architectures, and the files that a recipe names.

use icpc::base::{count, human_bytes, list};
use icpc::check::Asset;
use icpc::db::CheckpointState;
use icpc::diag::Level;
use icpc::hir::eval::eval;
use icpc::hir::names::{Names, consts, join};
use icpc::hir::{Item, ValueKind};
use icpc::syntax::part::{Named, Part, Within};
use icpc::syntax::tree;

use super::model;
use super::pattern::{ratio, stored};
use crate::features::target::{Resolver, Seen, Symbol, Target};
use crate::markup::{Text, name, table};

/// What a name stands for.
pub(super) fn show(target: &Target<'_>, part: &Part<'_>) -> Option<Text> {
    let symbol = target.symbol(part)?;
    let module = target.world.session.module(&symbol.file)?;
    let item = module.items.get(symbol.item)?;
    match (&item.tree, symbol.kind) {
        (tree::Item::Const(c), Named::Const) => {
            let text =
                Text::new(value_line("const", &symbol.name, c.kind.as_ref(), value(target, &symbol, item)));
            Some(text.say(&*c.docs))
        }
        (tree::Item::Recipe(r), Named::Param) => {
            let param = r.params.iter().find(|p| p.name.text == symbol.name)?;
            let text = Text::new(value_line(
                "parameter",
                &symbol.name,
                param.kind.as_ref(),
                value(target, &symbol, item),
            ));
            Some(text.say(overrides(target, &symbol, &r.name.text)))
        }
        (tree::Item::Recipe(r), Named::Recipe) => Some(recipe(target, &symbol, r)),
        (tree::Item::Arch(a), Named::Arch) => Some(arch(target, part, &symbol, a)),
        (tree::Item::Arch(_), Named::Dim) => model::dim(target, part, &symbol.name),
        (tree::Item::Arch(_), Named::Default) => of_default(target, part, &symbol),
        _ => None,
    }
}

fn of_default(target: &Target<'_>, part: &Part<'_>, symbol: &Symbol) -> Option<Text> {
    model::setting(target, part, &symbol.name)
        .or_else(|| Some(Text::new(format!("{}: a default of the architecture.", name(&symbol.name)))))
}

/// ``const `clip`: percent = 99.99%``
fn value_line(what: &str, shown: &str, kind: Option<&tree::Ident>, value: Option<String>) -> String {
    let kind = kind.map_or(String::new(), |k| format!(": {}", k.text));
    let value = value.map_or(String::new(), |v| format!(" = {}", name(&v)));
    format!("{what} {}{kind}{value}", name(shown))
}

/// Value of a const, or of a parameter that nobody gives another.
fn value(target: &Target<'_>, symbol: &Symbol, item: &Item) -> Option<String> {
    let names = Names { items: Resolver::new(target.world).names(&symbol.file).clone() };
    let mut problems = Vec::new();
    let scope = consts(&names, &mut problems);
    let value = match (&item.tree, symbol.kind) {
        (tree::Item::Recipe(r), Named::Param) => {
            let param = r.params.iter().find(|p| p.name.text == symbol.name)?;
            eval(param.default.as_ref()?, item, &scope, &mut problems)
        }
        _ => scope.values.get(&symbol.name)?.clone(),
    };
    (value.kind != ValueKind::Broken).then(|| value.kind.to_string())
}

/// Recipes that give a parameter another value, and that value.
fn overrides(target: &Target<'_>, symbol: &Symbol, recipe: &str) -> String {
    let session = &target.world.session;
    if let Some(value) = session.workspace().overrides(session.database()).get(&symbol.name) {
        return format!("Set to {} from outside.", name(&value.kind.to_string()));
    }
    let mut found = Vec::new();
    let mut resolver = Resolver::new(target.world);
    for (path, text) in session.texts() {
        let Some(tree) = session.tree(path) else { continue };
        for item in &tree.items {
            let tree::Item::Recipe(r) = item else { continue };
            let Some(extends) = &r.extends else { continue };
            let named = |a: &&tree::Arg| a.name.as_ref().is_some_and(|n| n.text == symbol.name);
            let Some(arg) = extends.args.iter().find(named) else { continue };
            let base = extends.base.segments.last().and_then(|base| resolver.item(path, &base.text));
            if extends.base.segments.last().is_some_and(|b| b.text == recipe)
                && base.is_some_and(|b| *b.file == *symbol.file && b.number as usize == symbol.item)
            {
                let value = text.get(arg.value.span.range()).unwrap_or("");
                found.push(format!("{} gives it {}", name(&r.name.text), name(value)));
            }
        }
    }
    let more = found.len().saturating_sub(3);
    found.truncate(3);
    if more > 0 {
        found.push(format!("{more} more give it another value"));
    }
    if found.is_empty() { String::new() } else { format!("{}.", found.join("; ")) }
}

fn recipe(target: &Target<'_>, symbol: &Symbol, tree: &tree::Recipe) -> Text {
    let mut text = Text::new(format!("recipe {}", name(&tree.name.text))).say(&*tree.docs);
    let Some(seen) = Seen::recipe(target.world, &symbol.file, &symbol.name) else { return text };
    let arms = count(seen.recipe.arms.len() as u64, "arm");
    if seen.checkpoint.is_none() {
        return text.say(format!("{arms}; it names no checkpoint: others build on it."));
    }
    let Some(schema) = &seen.schema else {
        return text.say(format!("{arms}; {}", super::pattern::unknown(target, &seen)));
    };
    let checked = seen.checked.as_deref();
    let arch =
        checked.and_then(|a| a.model.as_ref()).map_or(String::new(), |m| format!(" ({})", name(&m.name)));
    text = text.say(format!("{arms}, checked against {}{arch}.", name(&schema.source)));
    let planned = stored(target, &seen);
    match planned {
        Some((before, after)) => text.say(format!(
            "Predicted: {} → {}{}.",
            human_bytes(before),
            human_bytes(after),
            ratio(before, after)
        )),
        None => {
            let found = target.world.session.diagnostics(&symbol.file, Some(&symbol.name));
            let errors = found.iter().filter(|d| d.level() == Level::Error).count() as u64;
            text.say(format!("No plan: {}.", count(errors, "error")))
        }
    }
}

fn arch(target: &Target<'_>, part: &Part<'_>, symbol: &Symbol, tree: &tree::Arch) -> Text {
    let text = Text::new(format!("arch {}", name(&tree.name.text))).say(&*tree.docs);
    // The recipe in which the name stands, or any that is checked with the architecture.
    let here = target.seen(part.item).filter(|seen| seen.model().is_some_and(|m| m.name == symbol.name));
    let Some(seen) = here.or_else(|| model::of_arch(target, &symbol.file, symbol.item)) else { return text };
    let Some((model, schema)) = seen.model().zip(seen.schema.as_deref()) else { return text };
    let fits = match model.conflicts.len() as u64 {
        0 => format!("Fits {}.", name(&schema.source)),
        n => format!("{} with {}.", count(n, "disagreement"), name(&schema.source)),
    };
    let dims = model.dims.iter().filter_map(|d| Some(vec![d.name.clone(), d.value?.to_string()]));
    let dims: Vec<Vec<String>> = dims.collect();
    text.say(fits).code(table(&dims, &[1]))
}

/// What a `use` brings in.
pub(super) fn import(target: &Target<'_>, u: &tree::Use) -> Option<Text> {
    let path = target.world.session.import_path(&target.path, &u.from);
    let Some(module) = target.world.session.module(&path) else {
        return Some(Text::new(format!("{} cannot be read.", name(&path))));
    };
    let items = module.items.iter().filter_map(|item| {
        let what = match &item.tree {
            tree::Item::Use(_) => return None,
            tree::Item::Const(_) => "const",
            tree::Item::Recipe(_) => "recipe",
            tree::Item::Arch(_) => "arch",
            tree::Item::Derive(_) => "derive",
        };
        Some(format!("{what} {}", item.name()?.text))
    });
    let items: Vec<String> = items.collect();
    let holds = if items.is_empty() { "nothing".to_owned() } else { list(&items) };
    Some(Text::new(format!("{} holds {holds}.", name(&path))).say(&*module.docs))
}

/// A string: a checkpoint, or a file with text or a tokenizer.
pub(super) fn file(target: &Target<'_>, part: &Part<'_>, written: &str) -> Option<Text> {
    let session = &target.world.session;
    let path = join(&target.path, written);
    match part.within {
        Within::Checkpoint => {
            let shown = name(&path);
            Some(match session.checkpoint(&path) {
                None => Text::new(format!("{shown} was not read.")),
                Some(state) => checkpoint(&shown, state).say(match target.seen(part.item) {
                    Some(seen) => {
                        seen.model().map_or(String::new(), |m| format!("Architecture: {}.", name(&m.name)))
                    }
                    None => String::new(),
                }),
            })
        }
        Within::Settings(_) => {
            let asset = session.workspace().assets(session.database()).get(&path);
            let shown = name(&path);
            Some(Text::new(match asset? {
                Asset::Present { .. } => format!("{shown} is there."),
                Asset::Missing { reason } | Asset::Unreadable { reason, .. } => {
                    format!("Cannot be read: {reason}.")
                }
                Asset::Tokenizer(v) => {
                    format!(
                        "{shown} is a tokenizer with {}, ids up to {}.",
                        count(v.entries, "token"),
                        v.max_id
                    )
                }
            }))
        }
        Within::Emit => Some(Text::new(format!("The output goes to {}.", name(&path)))),
        _ => None,
    }
}

fn checkpoint(shown: &str, state: &CheckpointState) -> Text {
    let mut text = Text::new(match state.current() {
        Ok(_) => shown.to_owned(),
        Err(reason) => format!("Cannot be read: {reason}."),
    });
    if let Some(schema) = state.schema() {
        let own = schema.tensors.iter().filter(|t| t.tied_to.is_none()).count() as u64;
        let before = if state.current().is_err() { "As it was before: " } else { "" };
        text = text.say(format!(
            "{before}{}, {}, {}.",
            schema.container.name(),
            count(own, "tensor"),
            human_bytes(schema.tensor_bytes())
        ));
    }
    text
}
