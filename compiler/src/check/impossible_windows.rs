//! Numbers of `evaluate` that cut no windows, or leave tokens out between them.

use super::Context;
use super::length_beyond_positions::longest;
use crate::diag::{Certainty, Diagnostic, Place, declare};
use crate::hir::Settings;
use crate::hir::value::{Value, ValueKind};

declare!(
    /// Window, stride and shift that do not go together.
    IMPOSSIBLE_WINDOWS, "impossible-windows", E0410, Error
);

/// Window of models that bound no sequence: what `icpc eval` takes.
const WINDOW: u64 = 1024;

/// `stride` and `shift` beside `window`, which is the longest sequence of the model where it is left out.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let Some(settings) = &context.recipe.evaluate else { return Vec::new() };
    let written = number(settings, "window");
    let Some(window) = window_of(context) else { return Vec::new() };
    let because = |d: Diagnostic| match written {
        Some((_, value)) => d.also(Place::Source(value.loc.clone()), "the window"),
        None => d.because(format!("without `window`, one has {window} tokens")),
    };
    let mut found = Vec::new();
    let shift = number(settings, "shift");
    let targets = shift.map_or(1, |(n, _)| n);
    if targets >= window
        && let Some((_, value)) = shift.or(written)
    {
        let headline = format!("a shift of {targets} leaves no target in windows of {window}");
        let d = Diagnostic::new(&IMPOSSIBLE_WINDOWS, value.loc.clone(), headline);
        found.push(match shift {
            Some(_) => because(d.label("the window ends before the first target"))
                .help("the shift is from 1 to one less than the window"),
            None => d.label("the only token has none behind it").help("take a window of 2 or more"),
        });
    }
    if let Some((stride, value)) = number(settings, "stride")
        && stride > window
    {
        let headline = format!("a stride of {stride} passes over tokens between windows of {window}");
        let d = Diagnostic::new(&IMPOSSIBLE_WINDOWS, value.loc.clone(), headline)
            .label(format!("{} of {stride} tokens are in no window", stride - window));
        let title = format!("lower it to {window}");
        found.push(because(d).help(format!("take a stride from 1 to {window}")).fix(
            Certainty::Unsafe,
            title,
            value.loc.clone(),
            window.to_string(),
        ));
    }
    found
}

fn number<'s>(settings: &'s Settings, field: &str) -> Option<(u64, &'s Value)> {
    let value = settings.get(field)?;
    match value.kind {
        ValueKind::Int(n) => Some((u64::try_from(n).ok()?, value)),
        _ => None,
    }
}

/// The window of `evaluate`. Of a recipe that says none, the longest sequence of the model; nothing where that is not known.
pub fn window_of(context: &Context<'_>) -> Option<u64> {
    if let Some((window, _)) = context.recipe.evaluate.as_ref().and_then(|s| number(s, "window")) {
        return Some(window);
    }
    let bounds = &context.model?.bounds;
    let bound = bounds.iter().filter(|b| b.name == "sequence").map(|b| b.at_most).min();
    Some(bound.or_else(|| Some(longest(context.schema)?.0)).unwrap_or(WINDOW))
}
