//! `textDocument/selectionRange`: from the word under the cursor outwards, node by node.

use icpc::base::Span;
use icpc::syntax::{shift, tree::File};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    SelectionRange, SelectionRangeParams, SelectionRangeProviderCapability, ServerCapabilities, Uri,
};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert::{self, Source};
use crate::state::World;

/// Spans around a byte, from the smallest to the whole text; each lies in the next and is smaller.
pub fn around(text: &str, file: &File, offset: u32) -> Vec<Span> {
    let mut spans = vec![Span::new(0, text.len()), word(text, offset)];
    for item in &file.items {
        // The visitor changes spans; here it only looks at those of a copy.
        let mut item = item.clone();
        shift(&mut item, &mut |span| {
            if span.touches(offset) {
                spans.push(*span);
            }
        });
    }
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| (span.len(), span.start));
    spans.dedup();
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        // Between two neighbours the cursor touches both: the chain follows the first.
        if out.last().is_none_or(|inner| span.start <= inner.start && inner.end <= span.end) {
            out.push(span);
        }
    }
    out
}

/// Letters, digits and `_` around a byte; empty if there are none.
fn word(text: &str, offset: u32) -> Span {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let offset = offset as usize;
    let (Some(before), Some(behind)) = (text.get(..offset), text.get(offset..)) else {
        return Span::default();
    };
    let start = before.trim_end_matches(is_word).len();
    Span::new(start, offset + behind.len() - behind.trim_start_matches(is_word).len())
}

/// `textDocument/selectionRange`.
pub struct Selection;

impl Feature for Selection {
    type Params = SelectionRangeParams;
    type Answer = Option<Vec<SelectionRange>>;
    const NEEDS_FILES: bool = false;

    fn document(params: &SelectionRangeParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.selection_range_provider = Some(SelectionRangeProviderCapability::Simple(true));
    }

    fn answer(world: &World, params: &SelectionRangeParams) -> Result<Self::Answer> {
        let path = convert::path_of(&params.text_document.uri);
        let (Some(source), Some(tree)) = (world.source(&path), world.session.tree(&path)) else {
            return Ok(None);
        };
        let chain = |position| nested(&source, &around(&source.text, &tree, source.offset(position)));
        Ok(Some(params.positions.iter().map(|p| chain(*p)).collect()))
    }
}

fn nested(source: &Source, spans: &[Span]) -> SelectionRange {
    let around = spans
        .iter()
        .rev()
        .fold(None, |parent, span| Some(Box::new(SelectionRange { range: source.range(*span), parent })));
    // An empty document has no span: its own, empty range stands for it.
    around
        .map_or_else(|| SelectionRange { range: source.range(Span::default()), parent: None }, |chain| *chain)
}
