//! What the client can do, as it said in `initialize`.

use tower_lsp::ls_types::{
    InitializeParams, MarkupKind, PublishDiagnosticsClientCapabilities, SignatureHelpClientCapabilities,
    WorkspaceClientCapabilities,
};

use crate::convert::{self, Encoding};

/// What answers depend on.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// Unit of columns.
    pub encoding: Encoding,
    /// It asks for diagnostics itself, and again when it is told to.
    pub pulls: bool,
    /// Labels may point to other places.
    pub related: bool,
    /// It greys out what is unnecessary.
    pub tags: bool,
    /// A code may have a page.
    pub code_description: bool,
    /// It sends a diagnostic's `data` back with a request for code actions.
    pub data: bool,
    /// It watches files that the server asks it to watch.
    pub watches: bool,
    /// Watched folders may lie outside of the workspace.
    pub relative_patterns: bool,
    /// It shows Markdown on hover.
    pub markdown: bool,
    /// It shows Markdown beside choices.
    pub markdown_choices: bool,
    /// It fills in snippets.
    pub snippets: bool,
    /// A signature may say which argument is active by itself, and parameters may be parts of the label.
    pub signatures: SignatureClient,
    /// A definition may say which token it is of.
    pub links: bool,
    /// Edits may name the version that they are of.
    pub document_changes: bool,
    /// It asks whether something can be renamed, before.
    pub prepares_rename: bool,
    /// Symbols may have children.
    pub nested_symbols: bool,
    /// Folds are of whole lines.
    pub line_folds: bool,
    /// Code actions may be more than commands.
    pub code_actions: bool,
    /// It asks for the edit of a code action once it is chosen.
    pub lazy_edits: bool,
    /// It shows code actions that cannot be done now, with the reason.
    pub disabled_actions: bool,
    /// It asks for tooltips of hints one by one.
    pub lazy_tooltips: bool,
    /// What it can be told to ask for again.
    pub refreshes: Refreshes,
    /// It shows documents of the schemes `icpc-listing` and `icpc-std` (`initializationOptions.virtualDocuments`).
    pub virtual_documents: bool,
    /// Commands that it can execute (`initializationOptions.commands`).
    pub commands: Vec<String>,
    /// Folders of the workspace, as paths.
    pub folders: Vec<String>,
}

/// Answers that the client can be told to ask for again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refreshes {
    /// Pulled diagnostics.
    pub diagnostics: bool,
    /// Inlay hints.
    pub inlay_hints: bool,
    /// Code lenses.
    pub code_lenses: bool,
    /// Semantic tokens.
    pub semantic_tokens: bool,
}

impl Refreshes {
    fn new(workspace: Option<&WorkspaceClientCapabilities>) -> Refreshes {
        let Some(w) = workspace else { return Refreshes::default() };
        let told = |flag: Option<Option<bool>>| flag.flatten().unwrap_or(false);
        Refreshes {
            diagnostics: told(w.diagnostics.as_ref().map(|d| d.refresh_support)),
            inlay_hints: told(w.inlay_hint.as_ref().map(|d| d.refresh_support)),
            code_lenses: told(w.code_lens.as_ref().map(|d| d.refresh_support)),
            semantic_tokens: told(w.semantic_tokens.as_ref().map(|d| d.refresh_support)),
        }
    }
}

/// What the client shows of signatures.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignatureClient {
    /// Markdown.
    pub markdown: bool,
    /// Parameters as parts of the label.
    pub offsets: bool,
}

impl SignatureClient {
    fn new(told: Option<&SignatureHelpClientCapabilities>) -> SignatureClient {
        let told = told.and_then(|s| s.signature_information.as_ref());
        SignatureClient {
            markdown: told
                .and_then(|s| s.documentation_format.as_ref())
                .is_some_and(|formats| formats.contains(&MarkupKind::Markdown)),
            offsets: told
                .and_then(|s| s.parameter_information.as_ref()?.label_offset_support)
                .unwrap_or(false),
        }
    }
}

impl ClientInfo {
    /// From the first request.
    pub fn new(params: &InitializeParams) -> ClientInfo {
        let capabilities = &params.capabilities;
        let offered = capabilities.general.as_ref().and_then(|g| g.position_encodings.as_deref());
        let text = capabilities.text_document.as_ref();
        let workspace = capabilities.workspace.as_ref();
        let publish = text.and_then(|t| t.publish_diagnostics.as_ref());
        let choices = text.and_then(|t| t.completion.as_ref()?.completion_item.as_ref());
        let told = |flag: fn(&PublishDiagnosticsClientCapabilities) -> Option<bool>| {
            publish.and_then(flag).unwrap_or(false)
        };
        let action = text.and_then(|t| t.code_action.as_ref());
        let watching = workspace.and_then(|w| w.did_change_watched_files.as_ref());
        let refreshes = Refreshes::new(workspace);
        let option = |name: &str| {
            let options = params.initialization_options.as_ref();
            options.and_then(|o| o.get(name)).and_then(|v| v.as_bool()).unwrap_or(false)
        };
        ClientInfo {
            encoding: Encoding::choose(offered),
            // One that pulls and cannot be told to pull again would miss what changes on the disk.
            pulls: text.is_some_and(|t| t.diagnostic.is_some()) && refreshes.diagnostics,
            related: told(|p| p.related_information),
            tags: publish.is_some_and(|p| p.tag_support.is_some()),
            code_description: told(|p| p.code_description_support),
            data: told(|p| p.data_support),
            watches: watching.and_then(|w| w.dynamic_registration).unwrap_or(false),
            relative_patterns: watching.and_then(|w| w.relative_pattern_support).unwrap_or(false),
            markdown: text
                .and_then(|t| t.hover.as_ref()?.content_format.as_ref())
                .is_some_and(|formats| formats.contains(&MarkupKind::Markdown)),
            markdown_choices: choices
                .and_then(|c| c.documentation_format.as_ref())
                .is_some_and(|formats| formats.contains(&MarkupKind::Markdown)),
            snippets: choices.and_then(|c| c.snippet_support).unwrap_or(false),
            signatures: SignatureClient::new(text.and_then(|t| t.signature_help.as_ref())),
            links: text.and_then(|t| t.definition.as_ref()?.link_support).unwrap_or(false),
            document_changes: workspace
                .and_then(|w| w.workspace_edit.as_ref()?.document_changes)
                .unwrap_or(false),
            prepares_rename: text.and_then(|t| t.rename.as_ref()?.prepare_support).unwrap_or(false),
            nested_symbols: text
                .and_then(|t| t.document_symbol.as_ref()?.hierarchical_document_symbol_support)
                .unwrap_or(false),
            line_folds: text.and_then(|t| t.folding_range.as_ref()?.line_folding_only).unwrap_or(false),
            code_actions: action.is_some_and(|a| a.code_action_literal_support.is_some()),
            lazy_edits: action.is_some_and(|a| {
                let lazy =
                    a.resolve_support.as_ref().is_some_and(|r| r.properties.iter().any(|p| p == "edit"));
                lazy && a.data_support.unwrap_or(false)
            }),
            disabled_actions: action.and_then(|a| a.disabled_support).unwrap_or(false),
            lazy_tooltips: text
                .and_then(|t| t.inlay_hint.as_ref()?.resolve_support.as_ref())
                .is_some_and(|r| r.properties.iter().any(|p| p == "tooltip")),
            refreshes,
            virtual_documents: option("virtualDocuments"),
            commands: commands(params),
            folders: folders(params),
        }
    }
}

fn commands(params: &InitializeParams) -> Vec<String> {
    let options = params.initialization_options.as_ref();
    let named = options.and_then(|o| o.get("commands")).and_then(|c| c.as_array());
    named.into_iter().flatten().filter_map(|c| c.as_str()).map(str::to_owned).collect()
}

fn folders(params: &InitializeParams) -> Vec<String> {
    match &params.workspace_folders {
        Some(folders) => folders.iter().map(|f| convert::path_of(&f.uri)).collect(),
        #[expect(deprecated, reason = "the only folder that older clients name")]
        None => params.root_uri.iter().map(convert::path_of).collect(),
    }
}
