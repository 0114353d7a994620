//! `textDocument/foldingRange`: what stands in braces, runs of imports, runs of comments.

use icpc::base::Span;
use icpc::syntax::tree::{ArchItem, File, Item, RecipeItem};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    FoldingRange, FoldingRangeKind, FoldingRangeParams, FoldingRangeProviderCapability, ServerCapabilities,
    Uri,
};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert::{self, Lines};
use crate::state::World;

/// Lines that fold, the first of which stays; both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fold {
    /// The line that stays.
    pub first: u32,
    /// The last one that goes.
    pub last: u32,
    /// What it is.
    pub what: What,
}

/// Kind of a fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum What {
    Block,
    Imports,
    Comment,
}

/// Folds of a file, by line.
pub fn folds(text: &str, lines: &Lines, file: &File) -> Vec<Fold> {
    let mut found = Vec::new();
    let mut block = |span: Span| {
        // The line of the closing brace stays in sight.
        let (first, close) = (lines.line(span.start), lines.line(span.end.saturating_sub(1)));
        if first + 1 < close {
            found.push(Fold { first, last: close - 1, what: What::Block });
        }
    };
    for item in &file.items {
        match item {
            Item::Use(_) | Item::Const(_) => {}
            Item::Derive(d) => block(d.span),
            Item::Recipe(r) => {
                block(r.span);
                r.items.iter().for_each(|i| recipe_item(i, &mut block));
            }
            Item::Arch(a) => {
                block(a.span);
                a.items.iter().for_each(|i| arch_item(i, &mut block));
            }
        }
    }
    imports(lines, file, &mut found);
    comments(text, lines, &mut found);
    found.sort();
    found.dedup_by_key(|f| f.first);
    found
}

fn recipe_item(item: &RecipeItem, block: &mut dyn FnMut(Span)) {
    match item {
        RecipeItem::Checkpoint { span, .. }
        | RecipeItem::Target { span, .. }
        | RecipeItem::Casts { span, .. }
        | RecipeItem::Set { span, .. }
        | RecipeItem::Emit { span, .. }
        | RecipeItem::Assign { span, .. }
        | RecipeItem::Settings { span, .. }
        | RecipeItem::Require { span, .. } => block(*span),
        RecipeItem::Prune(prune) => block(prune.span),
    }
}

fn arch_item(item: &ArchItem, block: &mut dyn FnMut(Span)) {
    match item {
        ArchItem::Block { items, span, .. } => {
            block(*span);
            items.iter().for_each(|i| arch_item(i, block));
        }
        ArchItem::Either { branches, span } => {
            block(*span);
            branches.iter().flatten().for_each(|i| arch_item(i, block));
        }
        ArchItem::Forward { span, .. } => block(*span),
        _ => {}
    }
}

fn imports(lines: &Lines, file: &File, found: &mut Vec<Fold>) {
    let uses = file.items.iter().map_while(|item| match item {
        Item::Use(u) => Some(u.span),
        _ => None,
    });
    if let Some(all) = uses.reduce(Span::cover) {
        let (first, last) = (lines.line(all.start), lines.line(all.end));
        if first < last {
            found.push(Fold { first, last, what: What::Imports });
        }
    }
}

fn comments(text: &str, lines: &Lines, found: &mut Vec<Fold>) {
    let is_comment = |line: &u32| {
        text.get(lines.span(text, *line).range()).is_some_and(|t| t.trim_start().starts_with("//"))
    };
    let mut line = 0;
    while line < lines.count() {
        let length = (line..lines.count()).take_while(is_comment).count();
        let behind = line.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        if length > 1 {
            found.push(Fold { first: line, last: behind - 1, what: What::Comment });
        }
        line = behind.max(line + 1);
    }
}

/// `textDocument/foldingRange`.
pub struct Folding;

impl Feature for Folding {
    type Params = FoldingRangeParams;
    type Answer = Option<Vec<FoldingRange>>;
    const NEEDS_FILES: bool = false;

    fn document(params: &FoldingRangeParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.folding_range_provider = Some(FoldingRangeProviderCapability::Simple(true));
    }

    fn answer(world: &World, params: &FoldingRangeParams) -> Result<Self::Answer> {
        let path = convert::path_of(&params.text_document.uri);
        let (Some(source), Some(tree)) = (world.source(&path), world.session.tree(&path)) else {
            return Ok(None);
        };
        let range = |fold: Fold| FoldingRange {
            start_line: fold.first,
            end_line: fold.last,
            kind: match fold.what {
                // A region is what comments mark as one.
                What::Block => None,
                What::Imports => Some(FoldingRangeKind::Imports),
                What::Comment => Some(FoldingRangeKind::Comment),
            },
            ..FoldingRange::default()
        };
        Ok(Some(folds(&source.text, &source.lines, &tree).into_iter().map(range).collect()))
    }
}
