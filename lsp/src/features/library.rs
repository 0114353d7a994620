//! `icpc/source`: the text of a library file, which is also what documents of the scheme `icpc-std` hold.

use icpc::stdlib;
use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{ServerCapabilities, Uri};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert;
use crate::state::World;

/// A document of the library.
#[derive(Clone, Debug, Deserialize)]
pub struct OfLibrary {
    uri: Uri,
}

/// A library file.
#[derive(Clone, Debug, Serialize)]
pub struct SourceText {
    /// As an import names it.
    name: String,
    /// All of it.
    text: &'static str,
}

/// `icpc/source`.
pub struct ShowSource;

impl Feature for ShowSource {
    type Params = OfLibrary;
    type Answer = SourceText;
    const NEEDS_FILES: bool = false;

    fn document(_: &OfLibrary) -> Option<&Uri> {
        None
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(_: &World, params: &OfLibrary) -> Result<SourceText> {
        let path = convert::of_library(&params.uri);
        let found = path.and_then(|path| Some((stdlib::text(&path)?, path)));
        let Some((text, path)) = found else {
            let uri = params.uri.as_str();
            return Err(Error::invalid_params(format!("the library has no document `{uri}`")));
        };
        let name = path.trim_end_matches(".icp").replace('/', "::");
        Ok(SourceText { name, text })
    }
}
