//! What the architecture says of this checkpoint: dims, roles, settings, declared tensors.

use icpc::arch::model::{ArchModel, Dim, Origin, Setting, SettingValue, TensorFacts};
use icpc::base::{count, list};
use icpc::checkpoint::Schema;
use icpc::hir::module::item_start;
use icpc::syntax::part::{Part, Within};
use icpc::syntax::tree;

use super::pattern::{tensors, unknown};
use crate::features::target::{Resolver, Seen, Target};
use crate::markup::{Text, name};

/// The recipe through which a token's architecture is seen: its own, or the first one that uses the architecture that is
/// declared here.
pub(in crate::features) fn seen(target: &Target<'_>, part: &Part<'_>) -> Option<Seen> {
    if !matches!(part.within, Within::Arch(_))
        && !matches!(target.tree.items.get(part.item), Some(tree::Item::Arch(_)))
    {
        return target.seen(part.item);
    }
    of_arch(target, &target.path, part.item)
}

/// The first recipe that is checked with the architecture that is item `item` of `path`.
pub(super) fn of_arch(target: &Target<'_>, path: &str, item: usize) -> Option<Seen> {
    let session = &target.world.session;
    let mut resolver = Resolver::new(target.world);
    for (file, _) in session.texts() {
        for recipe in session.recipe_names(file) {
            if let Some(seen) = Seen::recipe(target.world, file, &recipe)
                && seen.model().is_some()
                && let Some(arch) = resolver.arch(&seen)
                && arch.file.as_ref() == path
                && arch.number as usize == item
            {
                return Some(seen);
            }
        }
    }
    None
}

/// A dim: its value and the tensor that fixed it.
pub(super) fn dim(target: &Target<'_>, part: &Part<'_>, dim: &str) -> Option<Text> {
    let shown = name(dim);
    let Some(seen) = seen(target, part) else {
        return Some(Text::new(format!("{shown}: no open recipe is checked with this architecture.")));
    };
    let Some((model, schema)) = seen.model().zip(seen.schema.as_deref()) else {
        return Some(Text::new(format!("{shown}: {}", no_model(target, &seen))));
    };
    match model.dim(dim) {
        Some(found) => Some(of_dim(&seen, model, schema, found)),
        // A default may stand in shapes, too.
        None => match model.settings.iter().find(|s| s.name == dim) {
            Some(found) => Some(of_setting(&seen, schema, found)),
            None => Some(Text::new(format!("{} has no dim {shown}.", name(&model.name)))),
        },
    }
}

fn of_dim(seen: &Seen, model: &ArchModel, schema: &Schema, dim: &Dim) -> Text {
    let shown = name(&dim.name);
    let within = format!("in {}", name(&schema.source));
    let value = match (dim.value, &dim.origin) {
        (Some(value), Some(from)) => format!("{shown} = {value} {within}: {}.", origin(from, schema)),
        (Some(value), None) => format!("{shown} = {value} {within}."),
        (None, _) => format!("{shown}: no tensor of {} has it.", name(&schema.source)),
    };
    let mut text = Text::new(value);
    if dim.recurrent {
        text = text.say("Recurrent: it carries state from step to step, so it may not be pruned.");
    }
    if dim.residual {
        text = text.say("Residual: every layer reads and writes it, so it may not be pruned.");
    }
    let selections = seen.checked.iter().flat_map(|a| &a.pruned.selections).filter(|s| s.dim == dim.name);
    if let Some(first) = selections.clone().next() {
        let places = count(selections.count() as u64, "place");
        text = text.say(format!("{} keeps {} of {} in {places}.", name(&seen.name), first.keep, first.of));
    }
    let bounds = model.bounds.iter().filter(|b| b.expr == dim.name);
    for bound in bounds {
        text = text.say(format!("Bounds {}: at most {}.", name(&bound.name), bound.at_most));
    }
    text
}

/// Where a number came from.
pub(super) fn origin(origin: &Origin, schema: &Schema) -> String {
    let info = |tensor: usize| schema.tensors.get(tensor);
    match origin {
        Origin::Axis { tensor, axis, expr } => info(*tensor).map_or(String::new(), |t| {
            format!("axis {axis} of {} {} {}, declared as {}", name(&t.name), t.dtype, t.shape, name(expr))
        }),
        Origin::Members { tensor, family } => {
            let example = info(*tensor).map_or(String::new(), |t| format!(", as {}", name(&t.name)));
            format!("the members of {}{example}", name(family))
        }
        Origin::Config(place) => format!("from {}", name(place)),
        Origin::Default => "the default of the declaration".to_owned(),
        Origin::Recipe => "set by the recipe".to_owned(),
    }
}

/// A default of the architecture.
pub(super) fn setting(target: &Target<'_>, part: &Part<'_>, setting: &str) -> Option<Text> {
    let seen = seen(target, part)?;
    let Some((model, schema)) = seen.model().zip(seen.schema.as_deref()) else {
        return Some(Text::new(format!("{}: {}", name(setting), no_model(target, &seen))));
    };
    match model.settings.iter().find(|s| s.name == setting) {
        Some(found) => Some(of_setting(&seen, schema, found)),
        None => {
            let known: Vec<&str> = model.settings.iter().map(|s| s.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { list(&known) };
            Some(Text::new(format!(
                "{} has no default {}; it has: {known}.",
                name(&model.name),
                name(setting)
            )))
        }
    }
}

fn of_setting(seen: &Seen, schema: &Schema, setting: &Setting) -> Text {
    let value = match &setting.value {
        SettingValue::Int(n) => n.to_string(),
        SettingValue::Text(text) => text.clone(),
    };
    let text = Text::new(format!("{} = {value}: {}.", name(&setting.name), origin(&setting.origin, schema)));
    text.say(limit(seen, setting).unwrap_or_default())
}

/// The legal range of a setting.
pub(super) fn limit(seen: &Seen, setting: &Setting) -> Option<String> {
    let (bound, before) = setting.at_most.as_ref()?;
    let mut selections = seen.checked.iter().flat_map(|a| &a.pruned.selections);
    Some(match selections.find(|s| s.dim == *bound) {
        Some(cut) => format!("1..={}: of {before} {} {} are kept.", cut.keep, name(bound), cut.keep),
        None => format!("1..={before}: {} is {before}.", name(bound)),
    })
}

/// Tensors that have a role, in a declaration.
pub(super) fn role(target: &Target<'_>, part: &Part<'_>, role: &str) -> Option<Text> {
    let has = |facts: &TensorFacts| facts.roles.iter().any(|r| r == role);
    declared(target, part, &name(&format!("@{role}")), &has)
}

/// Tensors that a declaration stands for.
pub(super) fn tensor(target: &Target<'_>, part: &Part<'_>, decl: &tree::TensorDecl) -> Option<Text> {
    let span = decl.span.relative_to(item_start(target.tree.items.get(part.item)?));
    declared(target, part, &name(target.slice(part.span)), &|facts| facts.span == span)
}

fn declared(
    target: &Target<'_>,
    part: &Part<'_>,
    shown: &str,
    wanted: &dyn Fn(&TensorFacts) -> bool,
) -> Option<Text> {
    let Some(seen) = seen(target, part) else {
        return Some(Text::new(format!("{shown}: no open recipe is checked with this architecture.")));
    };
    let Some((model, schema)) = seen.model().zip(seen.schema.as_deref()) else {
        return Some(Text::new(format!("{shown}: {}", no_model(target, &seen))));
    };
    let found = (0u32..).zip(&model.tensors).filter(|(_, f)| f.as_ref().is_some_and(wanted));
    let found: Vec<u32> = found.map(|(n, _)| n).collect();
    let all = count(found.len() as u64, "tensor");
    Some(
        Text::new(format!("{shown}: {all} of {}.", name(&schema.source))).code(tensors(schema, None, &found)),
    )
}

fn no_model(target: &Target<'_>, seen: &Seen) -> String {
    match &seen.schema {
        Some(schema) => format!("no known architecture fits {}.", name(&schema.source)),
        None => unknown(target, seen),
    }
}
