//! `textDocument/references` and `textDocument/documentHighlight`: where a name is used.

use icpc::base::Span;
use icpc::stdlib;
use icpc::syntax::part::{Token, parts};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    DocumentHighlight, DocumentHighlightKind, DocumentHighlightParams, Location, OneOf, ReferenceParams,
    ServerCapabilities, Uri,
};

use super::Feature;
use super::definition::{Place, location};
use super::target::{Resolver, Symbol, Target};
use crate::client::ClientInfo;
use crate::state::World;

/// A place where a symbol is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The file.
    pub path: String,
    /// The name there.
    pub span: Span,
    /// It is declared there.
    pub declaration: bool,
}

/// Uses of `symbol` in the files that are known, in the order of paths and places; its declaration, too. Only those in
/// `only`, if it is given.
pub fn find(world: &World, symbol: &Symbol, only: Option<&str>) -> Vec<Reference> {
    let mut resolver = Resolver::new(world);
    let mut found = Vec::new();
    let files = world.session.texts().into_iter().map(|(path, text)| (path, Some(text)));
    // Of the library only the file of the declaration can name it.
    let library = stdlib::files().filter(|(path, _)| *path == symbol.file).map(|(path, _)| (*path, None));
    for (path, text) in files.chain(library) {
        // Most files do not name it at all, and need not be walked through.
        let named = text.is_none_or(|text: &str| text.contains(&symbol.name));
        if only.is_some_and(|only| only != path) || !named {
            continue;
        }
        let Some(tree) = world.session.tree(path) else { continue };
        for part in parts(&tree) {
            if part.token.name() == Some(&symbol.name)
                && resolver.symbol(path, &tree, &part).as_ref() == Some(symbol)
            {
                let declaration = matches!(part.token, Token::Declared(..));
                found.push(Reference { path: path.to_owned(), span: part.span, declaration });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// `textDocument/references`.
pub struct References;

impl Feature for References {
    type Params = ReferenceParams;
    type Answer = Option<Vec<Location>>;
    const NEEDS_FILES: bool = true;
    const NEEDS_WORKSPACE: bool = true;

    fn document(params: &ReferenceParams) -> Option<&Uri> {
        Some(&params.text_document_position.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.references_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &ReferenceParams) -> Result<Self::Answer> {
        let Some(target) = Target::new(world, &params.text_document_position) else { return Ok(None) };
        let Some(symbol) = target.part().and_then(|part| target.symbol(&part)) else { return Ok(None) };
        let wanted = |r: &Reference| params.context.include_declaration || !r.declaration;
        let found = find(world, &symbol, None).into_iter().filter(wanted);
        Ok(Some(found.filter_map(|r| location(world, &Place::Source(r.path, r.span))).collect()))
    }
}

/// `textDocument/documentHighlight`.
pub struct Highlight;

impl Feature for Highlight {
    type Params = DocumentHighlightParams;
    type Answer = Option<Vec<DocumentHighlight>>;
    const NEEDS_FILES: bool = true;

    fn document(params: &DocumentHighlightParams) -> Option<&Uri> {
        Some(&params.text_document_position_params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.document_highlight_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &DocumentHighlightParams) -> Result<Self::Answer> {
        let Some(target) = Target::new(world, &params.text_document_position_params) else { return Ok(None) };
        let Some(symbol) = target.part().and_then(|part| target.symbol(&part)) else { return Ok(None) };
        let highlight = |r: Reference| DocumentHighlight {
            range: target.source.range(r.span),
            kind: Some(match r.declaration {
                true => DocumentHighlightKind::WRITE,
                false => DocumentHighlightKind::READ,
            }),
        };
        Ok(Some(find(world, &symbol, Some(&target.path)).into_iter().map(highlight).collect()))
    }
}
