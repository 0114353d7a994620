//! `textDocument/formatting` and `textDocument/rangeFormatting`: the compiler's formatter, as edits of the lines that
//! differ, so that cursors and folds stay where they are.

use std::time::{Duration, Instant};

use icpc::base::Span;
use icpc::syntax;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    DocumentFormattingParams, DocumentRangeFormattingParams, OneOf, ServerCapabilities, TextEdit, Uri,
};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert;
use crate::state::World;

/// After this the edits are no longer the fewest, only right.
const PATIENCE: Duration = Duration::from_millis(50);

/// Edits that format a text: whole lines, ascending, none adjacent. `None` when it has syntax errors, which are
/// reported anyway.
pub fn edits(text: &str) -> Option<Vec<(Span, String)>> {
    let formatted = syntax::format(text).ok()?;
    // The end of a line is the client's choice, not the formatter's.
    let formatted = if text.contains("\r\n") { formatted.replace('\n', "\r\n") } else { formatted };
    let old: Vec<&str> = text.split_inclusive('\n').collect();
    let new: Vec<&str> = formatted.split_inclusive('\n').collect();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(old.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        }))
        .collect();
    let deadline = Some(Instant::now() + PATIENCE);
    let operations = capture_diff_slices_deadline(Algorithm::Patience, &old, &new, deadline);
    let edit = |operation: &DiffOp| {
        let (before, after) = (operation.old_range(), operation.new_range());
        let span = Span::new(*starts.get(before.start)?, *starts.get(before.end)?);
        Some((span, new.get(after)?.concat()))
    };
    Some(operations.iter().filter(|o| !matches!(o, DiffOp::Equal { .. })).filter_map(edit).collect())
}

fn answer(world: &World, uri: &Uri, within: Option<tower_lsp::ls_types::Range>) -> Option<Vec<TextEdit>> {
    let source = world.source(&convert::path_of(uri))?;
    let within = within.map(|range| source.bytes(range));
    let wanted = |span: &Span| within.is_none_or(|w| span.start <= w.end && w.start <= span.end);
    let edits = edits(&source.text)?.into_iter().filter(|(span, _)| wanted(span));
    Some(edits.map(|(span, text)| TextEdit { range: source.range(span), new_text: text }).collect())
}

/// `textDocument/formatting`.
pub struct Format;

impl Feature for Format {
    type Params = DocumentFormattingParams;
    type Answer = Option<Vec<TextEdit>>;
    const NEEDS_FILES: bool = false;

    fn document(params: &DocumentFormattingParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.document_formatting_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &DocumentFormattingParams) -> Result<Self::Answer> {
        Ok(answer(world, &params.text_document.uri, None))
    }
}

/// `textDocument/rangeFormatting`: the edits of the whole file that touch the range.
pub struct FormatRange;

impl Feature for FormatRange {
    type Params = DocumentRangeFormattingParams;
    type Answer = Option<Vec<TextEdit>>;
    const NEEDS_FILES: bool = false;

    fn document(params: &DocumentRangeFormattingParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.document_range_formatting_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &DocumentRangeFormattingParams) -> Result<Self::Answer> {
        Ok(answer(world, &params.text_document.uri, Some(params.range)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str) -> String {
        let mut out = text.to_owned();
        for (span, new) in edits(text).unwrap().iter().rev() {
            out.replace_range(span.range(), new);
        }
        out
    }

    #[test]
    fn edits_give_the_formatted_text() {
        let ugly = "recipe r {\n    checkpoint \"a.pt\";\n\n\n  assign { a=>keep,\n    b => keep, } }";
        assert_eq!(apply(ugly), syntax::format(ugly).unwrap());
        let formatted = apply(ugly);
        assert_eq!(edits(&formatted), Some(Vec::new()));
        let first = edits(ugly).unwrap().first().unwrap().0;
        assert!(first.start > 10, "the first two lines stay");
        let windows = formatted.replace('\n', "\r\n");
        assert_eq!(edits(&windows), Some(Vec::new()), "other ends of lines are no difference");
        assert_eq!(edits("recipe {"), None);
    }
}
