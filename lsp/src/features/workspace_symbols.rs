//! `workspace/symbol`: recipes, consts and architectures of the workspace's files.

use icpc::base::Span;
use icpc::syntax::tree::Item;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    Location, OneOf, ServerCapabilities, SymbolInformation, SymbolKind, Uri, WorkspaceSymbolParams,
    WorkspaceSymbolResponse,
};

use super::Feature;
use crate::client::ClientInfo;
use crate::state::World;

/// Most symbols that are listed.
const MOST: usize = 500;

/// A named item of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// Path of its file.
    pub path: String,
    /// Its name in the file.
    pub span: Span,
}

/// Items whose names hold the letters of `query` in their order, whatever their case; the better ones first.
pub fn find(world: &World, query: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, _) in world.session.texts() {
        let Some(tree) = world.session.tree(path) else { continue };
        for item in &tree.items {
            let (name, kind) = match item {
                Item::Use(_) => continue,
                Item::Const(c) => (&c.name, SymbolKind::CONSTANT),
                Item::Recipe(r) => (&r.name, SymbolKind::CLASS),
                Item::Arch(a) => (&a.name, SymbolKind::STRUCT),
                Item::Derive(d) => (&d.name, SymbolKind::STRUCT),
            };
            if let Some(distance) = distance(&name.text, query) {
                let item = Found { name: name.text.clone(), kind, path: path.to_owned(), span: name.span };
                found.push((distance, item));
            }
        }
    }
    found.sort_by(|(a, x), (b, y)| (a, &x.name, &x.path).cmp(&(b, &y.name, &y.path)));
    found.into_iter().map(|(_, item)| item).take(MOST).collect()
}

/// Letters of `name` that `query` passes over; `None` if it does not fit.
fn distance(name: &str, query: &str) -> Option<usize> {
    let mut letters = name.chars().flat_map(char::to_lowercase);
    for wanted in query.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase) {
        letters.find(|c| *c == wanted)?;
    }
    Some(name.chars().count().saturating_sub(query.chars().count()))
}

/// `workspace/symbol`.
pub struct WorkspaceSymbols;

impl Feature for WorkspaceSymbols {
    type Params = WorkspaceSymbolParams;
    type Answer = Option<WorkspaceSymbolResponse>;
    const NEEDS_FILES: bool = true;
    const NEEDS_WORKSPACE: bool = true;

    fn document(_: &WorkspaceSymbolParams) -> Option<&Uri> {
        None
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.workspace_symbol_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &WorkspaceSymbolParams) -> Result<Self::Answer> {
        let symbol = |found: Found| {
            let range = world.source(&found.path)?.range(found.span);
            #[expect(deprecated, reason = "the type has the field")]
            Some(SymbolInformation {
                name: found.name,
                kind: found.kind,
                tags: None,
                deprecated: None,
                location: Location { uri: world.uri(&found.path)?, range },
                container_name: found.path.rsplit('/').next().map(str::to_owned),
            })
        };
        let found = find(world, &params.query).into_iter().filter_map(symbol);
        Ok(Some(WorkspaceSymbolResponse::Flat(found.collect())))
    }
}
