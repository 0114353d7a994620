//! The one way from a text to its tree.

use pest::Parser as _;

use super::build::Builder;
use super::clean::{MAX_BYTES, clean};
use super::error::quote;
use super::grammar::{Grammar, Rule};
use super::tree::{Alternative, File, Segment, SyntaxError};
use crate::base::{LineIndex, Span};

/// Parses a whole file. Never fails: what is wrong stands in [`File::errors`], in source order.
pub fn parse(text: &str) -> File {
    if text.len() > MAX_BYTES {
        let error = SyntaxError::new(Span::new(0, 0), format!("{} bytes are no recipe", text.len()))
            .help(format!("files above {MAX_BYTES} bytes are refused"));
        return File { errors: vec![error], ..File::default() };
    }
    let cleaned = clean(text);
    let mut builder = Builder::new(text, &cleaned.text, &cleaned.open_strings);
    let mut file = File::default();
    match Grammar::parse(Rule::file, &cleaned.text) {
        Ok(pairs) => pairs.for_each(|pair| builder.file(pair, &mut file)),
        // The grammar accepts every text; if it ever does not, the place is all that a person can use.
        Err(error) => {
            let at = match error.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
            };
            let token = builder.token_at(at);
            builder.report(SyntaxError::new(token, format!("unexpected {}", quote(builder.slice(token)))));
        }
    }
    file.errors = merge(text, cleaned.errors, builder.errors, &cleaned.broken, cleaned.too_deep);
    file
}

/// The segments of a path as patterns write it; none for an empty text. `None` if it does not parse.
pub fn path(text: &str) -> Option<Vec<Segment>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut pairs = Grammar::parse(Rule::pattern, text).ok()?;
    let pair = pairs.next().filter(|p| p.as_span().end() == text.len())?;
    let mut builder = Builder::new(text, text, &[]);
    let mut alternatives = builder.pattern(pair).alternatives;
    match (alternatives.pop(), alternatives.is_empty(), builder.errors.is_empty()) {
        (Some(Alternative::Path { segments, .. }), true, true) => Some(segments),
        _ => None,
    }
}

/// Errors of the grammar on a line that was already reported as broken would repeat it.
fn merge(
    text: &str,
    mut errors: Vec<SyntaxError>,
    found: Vec<SyntaxError>,
    broken: &[usize],
    too_deep: bool,
) -> Vec<SyntaxError> {
    if too_deep {
        return errors;
    }
    if broken.is_empty() {
        errors.extend(found);
    } else {
        let lines = LineIndex::new(text);
        let line = |offset: u32| lines.line_column(offset).0;
        // In source order, so the lines are sorted.
        let broken: Vec<u32> = broken.iter().map(|at| line(Span::new(*at, *at).start)).collect();
        errors.extend(found.into_iter().filter(|e| broken.binary_search(&line(e.span.start)).is_err()));
    }
    errors.sort_by_key(|e| e.span.start);
    errors
}
