//! Lengths beyond the position table: the job would die at the first long batch, or read other rows.

use super::Context;
use crate::arch::model::{LengthBound, Origin};
use crate::checkpoint::{Attribute, ConfigFact, Schema};
use crate::diag::{Certainty, Diagnostic, Place, declare};
use crate::hir::Settings;
use crate::hir::value::{Value, ValueKind};

declare!(
    /// A sequence length that the model has no positions for.
    LENGTH_BEYOND_POSITIONS, "length-beyond-positions", E0403, Error
);

/// Config keys that bound positions where no architecture does.
const POSITION_KEYS: &[&str] =
    &["max_position_embeddings", "n_positions", "n_ctx", "max_seq_length", "seq_length"];

/// `max_length` of `calibrate`, `window` of `evaluate` and `tune`.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let recipe = context.recipe;
    let lengths = [(&recipe.calibrate, "max_length"), (&recipe.evaluate, "window"), (&recipe.tune, "window")];
    lengths.into_iter().filter_map(|(settings, field)| one(context, settings.as_ref()?, field)).collect()
}

fn one(context: &Context<'_>, settings: &Settings, field: &str) -> Option<Diagnostic> {
    let value = settings.get(field)?;
    let ValueKind::Int(length) = value.kind else { return None };
    let length = u64::try_from(length).ok()?;
    // The last `shift` tokens of a window are targets only: the model does not see them.
    let targets = match settings.get("shift").map(|v| &v.kind) {
        _ if field != "window" => 0,
        Some(ValueKind::Int(shift)) => u64::try_from(*shift).unwrap_or(0),
        _ => 1,
    };
    let seen = length.saturating_sub(targets);
    let bound = context.model.and_then(|m| m.bounds.iter().find(|b| b.name == "sequence"));
    let d = match bound {
        Some(bound) if seen > bound.at_most => from_table(context, value, field, length, bound),
        Some(_) => return None,
        None => from_config(context, value, field, length, seen)?,
    };
    Some(d)
}

fn beyond(value: &Value, headline: String, at_most: u64) -> Diagnostic {
    Diagnostic::new(&LENGTH_BEYOND_POSITIONS, value.loc.clone(), headline)
        .label(format!("positions from {at_most} up have no row"))
        .help(format!("lower it to {at_most}"))
        .fix(Certainty::Unsafe, format!("lower to {at_most}"), value.loc.clone(), at_most.to_string())
}

fn from_table(
    context: &Context<'_>,
    value: &Value,
    field: &str,
    length: u64,
    bound: &LengthBound,
) -> Diagnostic {
    let at_most = bound.at_most;
    let d =
        beyond(value, format!("`{field}` {length} is larger than the {at_most}-row position table"), at_most);
    let rows = format!("{at_most} rows, so positions 0..={}", at_most.saturating_sub(1));
    match &bound.origin {
        Origin::Axis { tensor, axis, .. } => d.tensor(*tensor, Some(*axis), rows),
        Origin::Config(origin) => d.because(format!("{at_most} comes from {origin}")),
        _ => d.because(format!("{} = {at_most} in `{}`", bound.expr, context.model.map_or("?", |m| &m.name))),
    }
}

fn from_config(
    context: &Context<'_>,
    value: &Value,
    field: &str,
    length: u64,
    seen: u64,
) -> Option<Diagnostic> {
    let (at_most, fact) = longest(context.schema).filter(|(n, _)| seen > *n)?;
    let (path, line) = match fact.origin.rsplit_once(':') {
        Some((path, line)) => (path, line.parse().ok()),
        None => (fact.origin.as_str(), None),
    };
    Some(
        beyond(value, format!("`{field}` {length} is beyond the model's {at_most} positions"), at_most)
            .also(Place::File { path: path.into(), line }, format!("`{}` is {at_most}", fact.key)),
    )
}

/// The longest sequence by the checkpoint's configuration, and the fact that says so: what holds where no architecture
/// bounds it.
pub fn longest(schema: &Schema) -> Option<(u64, &ConfigFact)> {
    let fact = schema.fact(POSITION_KEYS)?;
    let Attribute::Int(at_most) = fact.value else { return None };
    Some((u64::try_from(at_most).ok()?, fact))
}
