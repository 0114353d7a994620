//! Files to be told about. A client that can watch is asked to, with patterns of its workspace and, where it takes
//! them, of the folders beside it that open recipes name. For one that cannot, files are looked at again when a
//! document is opened or saved, and on the notification `icpc/focus`.

use serde_json::{Value, json};
use tower_lsp::ls_types::Registration;

use crate::convert;

const METHOD: &str = "workspace/didChangeWatchedFiles";

/// Imports, checkpoints, and what is read beside them.
const FILES: &str = "**/*.{icp,safetensors,pt,pth,bin,gguf,listing,json,txt}";

/// What every client that watches is asked to watch.
pub fn workspace() -> Registration {
    registration("icpc-workspace", vec![json!({ "globPattern": FILES })])
}

/// Folders outside of the workspace, one pattern each; `None` when there are none.
pub fn outside<'a>(folders: impl Iterator<Item = &'a String>) -> Option<Registration> {
    let watchers: Vec<Value> = folders
        .filter_map(|folder| convert::uri_of(folder))
        .map(|uri| json!({ "globPattern": { "baseUri": uri, "pattern": "*" } }))
        .collect();
    (!watchers.is_empty()).then(|| registration("icpc-outside", watchers))
}

fn registration(id: &str, watchers: Vec<Value>) -> Registration {
    Registration {
        id: id.to_owned(),
        method: METHOD.to_owned(),
        register_options: Some(json!({ "watchers": watchers })),
    }
}
