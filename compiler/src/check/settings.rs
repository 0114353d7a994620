//! `set` items: values that no header tells, within the bounds that the architecture declares.

use super::Context;
use crate::arch::model::{Origin, Setting, SettingValue};
use crate::diag::{Certainty, Diagnostic, declare};
use crate::hir::problems;
use crate::hir::value::ValueKind;

declare!(
    /// More experts chosen for a token than there are.
    TOP_K_BEYOND_EXPERTS, "top-k-beyond-experts", E0606, Error
);

/// A value of another kind than the architecture declares.
fn wrong_kind(context: &Context<'_>, setting: &Setting) -> Option<Diagnostic> {
    let kind = setting.kind.filter(|_| setting.at_most.is_none())?;
    let (_, value) = context.recipe.sets.iter().find(|(n, _)| *n == setting.name)?;
    let wanted = format!("the kind `{}`", kind.name());
    (!kind.admits(&value.kind)).then(|| problems::wrong_kind(value, &setting.name, &wanted, kind.example()))
}

/// A value that no number of things can be, where the architecture bounds it by one.
fn no_count(context: &Context<'_>, setting: &Setting) -> Option<Diagnostic> {
    let (_, at_most) = setting.at_most.as_ref()?;
    let (_, value) = context.recipe.sets.iter().find(|(n, _)| *n == setting.name)?;
    match value.kind {
        ValueKind::Int(n) if n >= 1 => None,
        // Nothing to choose from, and said so: a checkpoint that lost its experts can still be compressed.
        ValueKind::Int(0) if *at_most == 0 => None,
        ValueKind::Int(n) => Some(problems::out_of_range(
            value.loc.clone(),
            format!("`{}` cannot be {n}", setting.name),
            &format!("1..={at_most}"),
        )),
        ValueKind::Broken => None,
        _ => Some(problems::wrong_kind(value, &setting.name, "an int", "1")),
    }
}

/// Unknown settings, and settings beyond their bound (after pruning).
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let Some(model) = context.model else {
        let unknown = context.recipe.sets.iter();
        return unknown
            .map(|(name, value)| {
                problems::unknown_name(value.loc.clone(), "setting", name, &[])
                    .help("settings belong to an architecture, and none fits this checkpoint")
            })
            .collect();
    };
    let mut found = Vec::new();
    let known: Vec<&str> = model.settings.iter().map(|s| s.name.as_str()).collect();
    for (name, value) in &context.recipe.sets {
        if !known.contains(&name.as_str()) {
            found.push(problems::unknown_name(value.loc.clone(), "setting", name, &known));
        }
    }
    for setting in &model.settings {
        found.extend(wrong_kind(context, setting));
        found.extend(no_count(context, setting));
        let (SettingValue::Int(value), Some((dim, before))) = (&setting.value, &setting.at_most) else {
            continue;
        };
        let pruned = context.pruned.selections.iter().find(|s| s.dim == *dim);
        let after = pruned.map_or(*before, |s| s.keep);
        // A model without the dim (a dense one) has nothing to choose from, so nothing to exceed.
        if *value < 1 {
            continue;
        }
        let absent = model.dim(dim).is_none_or(|d| d.value.is_none());
        if absent || u64::try_from(*value).is_ok_and(|v| v <= after) {
            continue;
        }
        let set = context.recipe.sets.iter().find(|(n, _)| *n == setting.name);
        let pruning =
            pruned.and_then(|_| context.pruned.pruning_of(dim)).and_then(|i| context.recipe.prunes.get(i));
        let at = match (set, pruning) {
            (Some((_, value)), _) => value.loc.clone(),
            (None, Some(prune)) => prune.amount.as_ref().map_or_else(|| prune.loc.clone(), |a| a.loc.clone()),
            (None, None) => {
                context.recipe.arch.as_ref().map_or_else(|| context.recipe.loc.clone(), |(_, l)| l.clone())
            }
        };
        let headline = format!("`{}` is {value}, but `{dim}` is {after}", setting.name);
        let mut d = Diagnostic::new(&TOP_K_BEYOND_EXPERTS, at, headline);
        d = match (set.is_some(), pruned) {
            (_, Some(_)) => d.because(format!("{after} of {before} are kept")),
            (true, None) => d,
            (false, None) => d.label("the checkpoint cannot run with this"),
        };
        if let Some(Origin::Axis { tensor, axis, .. }) = model.dim(dim).and_then(|d| d.origin.as_ref()) {
            d = d.tensor(*tensor, Some(*axis), format!("{before} `{dim}`"));
        }
        d = match &setting.origin {
            Origin::Default => d.because(format!("{value} is the default of `{}`", model.name)),
            Origin::Config(origin) => d.because(format!("{value} comes from {origin}")),
            _ => d,
        };
        found.push(match after {
            0 => d.help("the checkpoint has lost them: compress the one it was made from"),
            after if pruned.is_some() => {
                d.help(format!("keep at least {value}, or `set {} = {after};`", setting.name))
            }
            after => {
                let d = d.help(format!("`set {} = {after};` or less", setting.name));
                match set {
                    Some((_, value)) => {
                        let title = format!("lower to {after}");
                        d.fix(Certainty::Unsafe, title, value.loc.clone(), after.to_string())
                    }
                    None => d,
                }
            }
        });
    }
    found
}
