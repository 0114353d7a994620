//! Texts that are shorter than what is to be cut of them, as far as their bytes tell.

use super::impossible_windows::window_of;
use super::tune::Trainable;
use super::{Asset, Context};
use crate::base::{count, with_thousands};
use crate::checkpoint::TokenizerKind;
use crate::diag::{Diagnostic, Place, declare};
use crate::hir::items::BYTES;
use crate::hir::value::{Value, ValueKind};
use crate::hir::{Settings, Tune};

declare!(
    /// A text without a window, or without the samples that are asked for.
    SHORT_TEXT, "short-text", E0412, Error
);

/// Texts of `calibrate`, `evaluate` and `tune`. How many tokens a text has is known when it is cut; here, that it has no more than
/// bytes.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let recipe = context.recipe;
    let evaluate = recipe.evaluate.as_ref().and_then(|s| {
        let window = window_of(context)?;
        // Numbers that make no window are said elsewhere.
        (number(s, "shift").unwrap_or(1) < window).then(|| windows(context, s, window))?
    });
    let tune = recipe.tune.as_ref().and_then(|settings| {
        let Trainable::Forward(forward) = context.trainable else { return None };
        let window = Tune::of(settings)?.window.or(forward.longest).unwrap_or(Tune::WINDOW);
        windows(context, settings, window)
    });
    let calibrate = recipe.calibrate.as_ref().and_then(|settings| samples(context, settings));
    [calibrate, evaluate, tune].into_iter().flatten().collect()
}

fn windows(context: &Context<'_>, settings: &Settings, window: u64) -> Option<Diagnostic> {
    let (most, bytes, data) = most_tokens(context, settings).filter(|(most, ..)| *most < window)?;
    let headline = format!("a text of {} has no window of {}", count(bytes, "byte"), count(window, "token"));
    let d = Diagnostic::new(&SHORT_TEXT, data.loc.clone(), headline)
        .label(format!("{} at most", count(most, "token")))
        .help("take a shorter `window`, or more text");
    Some(match settings.get("window") {
        Some(value) => d.also(Place::Source(value.loc.clone()), "the window"),
        None => d.because(format!("without `window`, one has {} tokens", with_thousands(window))),
    })
}

fn samples(context: &Context<'_>, settings: &Settings) -> Option<Diagnostic> {
    let (samples, length) = (number(settings, "samples")?, number(settings, "max_length")?);
    let (most, bytes, data) = most_tokens(context, settings)?;
    let there = most.div_ceil(length.max(1));
    if there >= samples {
        return None;
    }
    let headline = format!("a text of {} has no {samples} samples of {length}", count(bytes, "byte"));
    let d = Diagnostic::new(&SHORT_TEXT, data.loc.clone(), headline)
        .label(format!("{} at most", count(there, "sample")))
        .help("take more text, fewer `samples` or a smaller `max_length`");
    let written = settings.get("samples")?;
    Some(d.also(Place::Source(written.loc.clone()), "what is asked for"))
}

/// Tokens of the text at most, its bytes, and where it is named.
fn most_tokens<'s>(context: &Context<'_>, settings: &'s Settings) -> Option<(u64, u64, &'s Value)> {
    let asset = |value: &Value| {
        let ValueKind::Text(path) = &value.kind else { return None };
        context.assets.get(&crate::hir::names::join(&value.loc.file, path))
    };
    let data = settings.get("data")?;
    let bytes = asset(data)?.bytes()?;
    let most = match settings.get("tokenizer") {
        Some(value) if value.kind == ValueKind::Text(BYTES.to_owned()) => bytes,
        Some(value) => match asset(value)? {
            Asset::Tokenizer(vocabulary) if vocabulary.rewrites => return None,
            Asset::Tokenizer(vocabulary) if vocabulary.kind == TokenizerKind::HuggingFace => bytes,
            // A word and the end of its line: as many as there are bytes, and one more in a last line without an end.
            Asset::Tokenizer(_) => bytes.saturating_add(1),
            _ => return None,
        },
        // A digit and what is between two numbers.
        None if matches!(&data.kind, ValueKind::Text(path) if path.ends_with(".npy")) => bytes,
        None => bytes.div_ceil(2),
    };
    Some((most, bytes, data))
}

fn number(settings: &Settings, field: &str) -> Option<u64> {
    match settings.get(field)?.kind {
        ValueKind::Int(n) => u64::try_from(n).ok(),
        _ => None,
    }
}
