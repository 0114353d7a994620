//! `textDocument/documentLink`: the files that a document names.

use icpc::base::Span;
use icpc::hir::names::join;
use icpc::syntax::part::{Token, Within, parts};
use icpc::syntax::tree;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    DocumentLink, DocumentLinkOptions, DocumentLinkParams, ServerCapabilities, Uri, WorkDoneProgressOptions,
};

use super::Feature;
use super::definition::{self, Place, location};
use crate::client::ClientInfo;
use crate::convert;
use crate::state::World;

/// A path in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it is written, without quotes.
    pub span: Span,
    /// What it leads to.
    pub to: Place,
    /// What the client may say of it.
    pub tooltip: &'static str,
}

/// Paths in a document, in source order.
pub fn links(world: &World, path: &str) -> Vec<Link> {
    let Some(tree) = world.session.tree(path) else { return Vec::new() };
    let mut found = Vec::new();
    for part in parts(&tree) {
        let inside = Span { start: part.span.start.saturating_add(1), end: part.span.end.saturating_sub(1) };
        match (part.token, part.within) {
            (Token::Import(u), _) if matches!(u.from, tree::UseFrom::File { .. }) => {
                let to = Place::File(world.session.import_path(path, &u.from));
                found.push(Link { span: inside, to, tooltip: "Open the imported file" });
            }
            (Token::Text(file), Within::Checkpoint) if !file.is_empty() => {
                let to = definition::checkpoint(world, join(path, file));
                found.push(Link { span: inside, to, tooltip: "Show the checkpoint" });
            }
            (Token::Text(file), Within::Settings(_)) if !file.is_empty() => {
                let to = Place::File(join(path, file));
                found.push(Link { span: inside, to, tooltip: "Open the file" });
            }
            _ => {}
        }
    }
    for item in &tree.items {
        if let tree::Item::Use(tree::Use { from: from @ tree::UseFrom::Path(written), .. }) = item {
            let to = Place::File(world.session.import_path(path, from));
            found.push(Link { span: written.span, to, tooltip: "Open the library's file" });
        }
    }
    found.retain(|link| !link.span.is_empty());
    found.sort_by_key(|link| link.span);
    found
}

/// `textDocument/documentLink`.
pub struct Links;

impl Feature for Links {
    type Params = DocumentLinkParams;
    type Answer = Option<Vec<DocumentLink>>;
    const NEEDS_FILES: bool = true;

    fn document(params: &DocumentLinkParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.document_link_provider = Some(DocumentLinkOptions {
            resolve_provider: Some(false),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        });
    }

    fn answer(world: &World, params: &DocumentLinkParams) -> Result<Self::Answer> {
        let path = convert::path_of(&params.text_document.uri);
        let Some(source) = world.source(&path) else { return Ok(None) };
        let link = |link: Link| {
            let target = location(world, &link.to)?.uri;
            let tooltip = Some(link.tooltip.to_owned());
            Some(DocumentLink { range: source.range(link.span), target: Some(target), tooltip, data: None })
        };
        Ok(Some(links(world, &path).into_iter().filter_map(link).collect()))
    }
}
