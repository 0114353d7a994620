//! `set` items: values that no header tells, within the bounds that the architecture declares.

use super::Context;
use crate::arch::model::{Origin, SettingValue};
use crate::diag::{Diagnostic, declare};
use crate::hir::problems;

declare!(
    /// More experts chosen for a token than there are.
    TOP_K_BEYOND_EXPERTS, "top-k-beyond-experts", E0606, Error
);

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
        let (SettingValue::Int(value), Some((dim, before))) = (&setting.value, &setting.at_most) else {
            continue;
        };
        let pruned = context.pruned.selections.iter().find(|s| s.dim == *dim);
        let after = pruned.map_or(*before, |s| s.keep);
        // A model without the dim (a dense one) has nothing to choose from, so nothing to exceed.
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
        let headline = format!("`{}` is {value}, but there are {after} `{dim}`", setting.name);
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
            after => d.help(format!("`set {} = {after};` or less", setting.name)),
        });
    }
    found
}
