//! What the server can be asked: one file for each request of the protocol, with a pure function from a [`World`] to
//! data with byte offsets, and its translation at the edge.
//!
//! To add one: a file with a type that is a [`Feature`], a line in `every_feature`, a fixture in `tests/protocol/`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{ServerCapabilities, Uri};

use crate::client::ClientInfo;
use crate::state::{State, World};

pub mod actions;
pub mod checkpoint;
pub mod completion;
pub mod definition;
pub mod diagnostics;
pub mod folding;
pub mod format;
pub mod hover;
pub mod inlay;
pub mod lens;
pub mod library;
pub mod links;
pub mod plan;
pub mod references;
pub mod rename;
pub mod selection;
pub mod signature;
pub mod symbols;
pub mod target;
pub mod tokens;
pub mod workspace_symbols;

/// All features, once: those that the protocol has by the name of their handler in [`tower_lsp::LanguageServer`], our
/// own by their method.
macro_rules! every_feature {
    ($with:ident) => {
        $with! {
            {
                code_action = actions::CodeActions,
                code_action_resolve = actions::ResolveAction,
                completion = completion::Completion,
                code_lens = lens::Lenses,
                diagnostic = diagnostics::Pull,
                document_highlight = references::Highlight,
                document_link = links::Links,
                document_symbol = symbols::DocumentSymbols,
                folding_range = folding::Folding,
                formatting = format::Format,
                goto_definition = definition::Definition,
                hover = hover::Hover,
                inlay_hint = inlay::InlayHints,
                inlay_hint_resolve = inlay::ResolveHint,
                prepare_rename = rename::Prepare,
                range_formatting = format::FormatRange,
                references = references::References,
                rename = rename::Rename,
                selection_range = selection::Selection,
                signature_help = signature::Signatures,
                semantic_tokens_full = tokens::Full,
                semantic_tokens_range = tokens::InRange,
                symbol = workspace_symbols::WorkspaceSymbols,
            }
            {
                "icpc/checkpoint" = checkpoint::Checkpoint,
                "icpc/listing" = checkpoint::ShowListing,
                "icpc/plan" = plan::ShowPlan,
                "icpc/source" = library::ShowSource,
            }
        }
    };
}
pub(crate) use every_feature;

/// A request that the server answers.
pub trait Feature: 'static {
    /// What the client sends.
    type Params: DeserializeOwned + Send + Sync + 'static;
    /// What it gets.
    type Answer: Serialize + Send + 'static;

    /// Whether the answer depends on what documents name: then it waits until that was read.
    const NEEDS_FILES: bool;

    /// Whether it depends on recipes of the workspace that are not open, too.
    const NEEDS_WORKSPACE: bool = false;

    /// The document that the request is about. If it changes before the answer is there, there is none.
    fn document(params: &Self::Params) -> Option<&Uri>;

    /// A folder whose content the answer needs; it is read before the answer begins, which does no I/O.
    fn folder(_state: &State, _params: &Self::Params) -> Option<String> {
        None
    }

    /// Says in `capabilities` that the server can be asked.
    fn offer(client: &ClientInfo, capabilities: &mut ServerCapabilities);

    /// The answer. Salsa may unwind it at any time.
    ///
    /// # Errors
    /// What the client did wrong.
    fn answer(world: &World, params: &Self::Params) -> Result<Self::Answer>;
}

macro_rules! offer_all {
    ({ $($method:ident = $file:ident::$feature:ident,)* } { $($own:literal = $own_file:ident::$own_feature:ident,)* }) => {
        /// Says what the server can be asked.
        pub fn offer(client: &ClientInfo, capabilities: &mut ServerCapabilities) {
            $($file::$feature::offer(client, capabilities);)*
            $($own_file::$own_feature::offer(client, capabilities);)*
        }
    };
}

every_feature!(offer_all);
