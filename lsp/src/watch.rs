//! Files to be told about. A client that can watch is asked to, with patterns of its workspace and, where it takes
//! them, of the folders beside it that open recipes name. For one that cannot, files are looked at again when a
//! document is opened or saved, and on the notification `icpc/focus`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tower_lsp::ls_types::{Registration, Unregistration};

use crate::convert;
use crate::load::Named;

const OUTSIDE: &str = "icpc-outside";
const METHOD: &str = "workspace/didChangeWatchedFiles";

/// Imports, checkpoints, and what is read beside them.
const FILES: &str = "**/*.{icp,safetensors,pt,pth,bin,gguf,listing,json,txt,toml}";

/// What every client that watches is asked to watch.
pub fn workspace() -> Registration {
    registration("icpc-workspace", vec![json!({ "globPattern": FILES })])
}

/// Watched folders outside of the workspace, one pattern each.
pub fn outside(folders: &BTreeSet<String>) -> Registration {
    let uris = folders.iter().filter_map(|folder| convert::uri_of(folder));
    let watchers = uris.map(|uri| json!({ "globPattern": { "baseUri": uri, "pattern": "*" } }));
    registration(OUTSIDE, watchers.collect())
}

/// Takes [`outside`] back.
pub fn no_longer_outside() -> Unregistration {
    Unregistration { id: OUTSIDE.to_owned(), method: METHOD.to_owned() }
}

/// Folders of `named` files that lie in none of the workspace's.
pub fn folders_outside(named: &BTreeSet<Named>, workspace: &[String]) -> BTreeSet<String> {
    let folder = |named: &Named| {
        let path = Path::new(named.path());
        // A checkpoint may be a folder itself.
        let folder = if path.is_dir() { path } else { path.parent()? };
        let inside = workspace.iter().any(|w| folder.starts_with(w));
        (!inside && convert::is_on_disk(named.path())).then(|| folder.to_string_lossy().into_owned())
    };
    named.iter().filter_map(folder).collect()
}

fn registration(id: &str, watchers: Vec<Value>) -> Registration {
    Registration {
        id: id.to_owned(),
        method: METHOD.to_owned(),
        register_options: Some(json!({ "watchers": watchers })),
    }
}
