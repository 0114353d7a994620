//! Changes of documents that the client is asked to make.

use std::collections::BTreeMap;

use icpc::base::Span;
use tower_lsp::ls_types::{
    DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit,
    WorkspaceEdit,
};

use crate::state::World;

/// New texts for bytes of one file; none overlap.
pub type Edits = Vec<(Span, String)>;

/// Edits of files by path, with the versions that they are of. `None` if a file has no name for the client.
pub fn workspace_edit(world: &World, files: BTreeMap<String, Edits>) -> Option<WorkspaceEdit> {
    let mut named = Vec::new();
    for (path, edits) in files {
        let source = world.source(&path)?;
        let edit = |(span, new_text)| TextEdit { range: source.range(span), new_text };
        let edits: Vec<TextEdit> = edits.into_iter().map(edit).collect();
        named.push((world.uri(&path)?, world.version(&path), edits));
    }
    if !world.client.document_changes {
        let changes = named.into_iter().map(|(uri, _, edits)| (uri, edits)).collect();
        return Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() });
    }
    let edits = named.into_iter().map(|(uri, version, edits)| TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
        edits: edits.into_iter().map(OneOf::Left).collect(),
    });
    let changes = DocumentChanges::Edits(edits.collect());
    Some(WorkspaceEdit { document_changes: Some(changes), ..WorkspaceEdit::default() })
}
