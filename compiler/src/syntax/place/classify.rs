//! From open brackets to a place.

use super::pattern;
use super::scan::{Frame, Kind, Scan};
use super::token::Token;
use super::{FileKind, Place, Slot};

/// What a string at the cursor names.
pub(super) fn file_kind(scan: &Scan<'_>) -> Option<FileKind> {
    let frame = scan.frames.last()?;
    match (frame.kind, frame.word(0), frame.word(1)) {
        (Kind::File, "use", "") => Some(FileKind::Recipe),
        (Kind::Recipe, "checkpoint", "") => Some(FileKind::Checkpoint),
        (Kind::Fields(_), "data" | "statistics", ":") if frame.tokens.len() == 2 => Some(FileKind::Data),
        (Kind::Fields(_), "tokenizer", ":") if frame.tokens.len() == 2 => Some(FileKind::Tokenizer),
        _ => None,
    }
}

/// The place of the word that starts at byte `word`, and where what a choice replaces starts. The cursor is at `at`.
pub(super) fn place<'t>(scan: &Scan<'t>, text: &'t str, word: usize, at: usize) -> (Place<'t>, usize) {
    let Some(frame) = scan.frames.last() else { return (Place::Nothing, word) };
    let typed = text.get(word..at).unwrap_or("");
    let in_pattern = match frame.kind {
        Kind::Choice => match pattern::around(scan, text, word) {
            Some(before) => Some(before.in_braces(frame)),
            None => Some((Place::Nothing, word)),
        },
        Kind::Group => Some((pattern::filter(&frame.tokens, word), word)),
        Kind::Recipe if frame.word(0) == "prune" => match (frame.word(1), frame.tokens.len()) {
            ("dim", 2) if scan.spaced => Some((Place::PruneDim, word)),
            ("dim", 3) if scan.spaced => Some((Place::PruneIn, word)),
            _ => pattern::of_frame(frame, text, word).map(|b| b.place()),
        },
        _ => pattern::of_frame(frame, text, word).map(|b| b.place()),
    };
    if let Some(found) = in_pattern {
        return found;
    }
    // A number is written by nobody else.
    if typed.starts_with(|c: char| c.is_ascii_digit()) {
        return (Place::Nothing, word);
    }
    let place = match frame.kind {
        Kind::File => file(frame),
        Kind::Recipe => recipe(frame),
        Kind::Arms => arm(frame),
        Kind::Params => declared(&frame.tokens, 1),
        Kind::Args(_) | Kind::Extends(_) | Kind::Fields(_) => argument(frame),
        Kind::Requirements => requirement(frame),
        Kind::UseNames => match frame.tokens.as_slice() {
            [] => import_source(scan, text),
            _ => Place::Nothing,
        },
        Kind::List => match frame.tokens.as_slice() {
            [] => Place::Value(Slot::Bare),
            _ => Place::Nothing,
        },
        Kind::Arch => arch(frame, scan.spaced),
        Kind::Shape => match frame.tokens.last() {
            Some(last) if last.is_word() || last.is_group() => Place::Nothing,
            _ => Place::ArchDim,
        },
        Kind::Index => match frame.tokens.last() {
            Some(last) if last.text == "in" => Place::ArchDim,
            _ => Place::Nothing,
        },
        Kind::Forward => match frame.tokens.last() {
            Some(last) if last.text == "." => Place::Nothing,
            _ => Place::Forward,
        },
        Kind::Choice | Kind::Group | Kind::Unknown => Place::Nothing,
    };
    (place, word)
}

fn texts<'f, 't>(frame: &'f Frame<'t>) -> Vec<&'t str> {
    frame.tokens.iter().map(|t| t.text).collect::<Vec<&'t str>>()
}

fn file<'t>(frame: &Frame<'t>) -> Place<'t> {
    let words = texts(frame);
    match words.as_slice() {
        [] => Place::Item,
        ["use"] => Place::Import(Vec::new()),
        ["use", path @ .., "::"] => {
            let segments: Vec<&str> = path.iter().copied().filter(|p| *p != "::").collect();
            // `use "file"::` wants braces.
            let quoted = segments.first().is_some_and(|s| s.starts_with('"'));
            if quoted { Place::Nothing } else { Place::Import(segments) }
        }
        ["const", ..] => declared(&frame.tokens, 2),
        ["recipe", .., "extends"] => Place::Base,
        ["recipe", .., "for"] => Place::Arch,
        ["recipe", _, rest @ ..] => {
            let path_goes_on = rest.last().is_some_and(|t| *t == "::");
            match path_goes_on {
                true => Place::Nothing,
                false => Place::Head { extends: !rest.contains(&"extends"), arch: !rest.contains(&"for") },
            }
        }
        _ => Place::Nothing,
    }
}

/// `name: kind = value`, with `name` before index `colon`.
fn declared<'t>(tokens: &[Token<'t>], colon: usize) -> Place<'t> {
    let text = |at: usize| tokens.get(at).map_or("", |t| t.text);
    let kind = (text(colon) == ":").then(|| text(colon + 1)).filter(|k| !k.is_empty() && *k != "=");
    match tokens.last().map_or("", |t| t.text) {
        ":" if tokens.len() == colon + 1 => Place::Kind,
        "=" => Place::Value(Slot::Declared(kind)),
        _ if tokens.iter().any(|t| t.text == "=") => after_value(tokens, Slot::Declared(kind)),
        _ => Place::Nothing,
    }
}

/// Behind a value: a unit if it is a number without one.
fn after_value<'t>(tokens: &[Token<'t>], slot: Slot<'t>) -> Place<'t> {
    match tokens {
        [.., last] if last.is_number() => Place::Unit { slot, percent: false },
        [.., number, last] if last.text == "%" && number.is_number() => Place::Unit { slot, percent: true },
        _ => Place::Nothing,
    }
}

fn recipe<'t>(frame: &Frame<'t>) -> Place<'t> {
    let words = texts(frame);
    match words.as_slice() {
        [] => Place::RecipeItem,
        ["checkpoint" | "emit"] => Place::Value(Slot::Path),
        ["target"] => Place::Target,
        ["casts"] => Place::Casts,
        ["set"] => Place::Setting,
        ["set", name, "="] => Place::Value(Slot::Setting(name)),
        ["set", name, "=", ..] => after_value(&frame.tokens, Slot::Setting(name)),
        ["emit", .., "as"] => Place::Container,
        ["emit", _] => Place::As,
        _ => Place::Nothing,
    }
}

fn arm<'t>(frame: &Frame<'t>) -> Place<'t> {
    match frame.tokens.last() {
        Some(last) if last.text == "=>" => Place::Format,
        _ => Place::Nothing,
    }
}

fn argument<'t>(frame: &Frame<'t>) -> Place<'t> {
    let words = texts(frame);
    match words.as_slice() {
        [] => Place::Argument,
        [name, ":" | "="] => Place::Value(Slot::Argument(name)),
        [name, ":" | "=", ..] => after_value(&frame.tokens, Slot::Argument(name)),
        _ => after_value(&frame.tokens, Slot::Bare),
    }
}

fn requirement<'t>(frame: &Frame<'t>) -> Place<'t> {
    let words = texts(frame);
    match words.as_slice() {
        [] => Place::Metric,
        [_] => Place::MetricCompared,
        [metric, _] => Place::Value(Slot::Bound(metric)),
        [metric, .., "of"] => Place::Value(Slot::Share(metric)),
        [metric, ..] => after_value(&frame.tokens, Slot::Bound(metric)),
    }
}

/// What the names in the braces of a `use` come from.
fn import_source<'t>(scan: &Scan<'t>, text: &'t str) -> Place<'t> {
    let parent = scan.frames.len().checked_sub(2).and_then(|i| scan.frames.get(i));
    match parent.map(|p| p.tokens.as_slice()) {
        Some([_, first, .., colons, _brace]) if colons.text == "::" => {
            Place::ImportName(text.get(first.start..colons.start).unwrap_or("").trim())
        }
        _ => Place::Nothing,
    }
}

fn arch<'t>(frame: &Frame<'t>, spaced: bool) -> Place<'t> {
    let words = texts(frame);
    match words.as_slice() {
        [] => Place::ArchItem,
        ["recurrent" | "residual", .., last] if matches!(*last, "recurrent" | "residual" | ",") => {
            Place::ArchDim
        }
        ["recurrent" | "residual"] if spaced => Place::ArchDim,
        ["default", _, ":"] => Place::Kind,
        ["default", .., "<=" | "<"] | [_, "<=" | "<"] => Place::ArchDim,
        [.., "@"] => Place::Role,
        _ => Place::Nothing,
    }
}
