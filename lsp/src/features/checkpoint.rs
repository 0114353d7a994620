//! `icpc/checkpoint`: what the recipes of a document are checked against. `icpc/listing`: the header of a checkpoint as
//! text, which is also what documents of the scheme `icpc-listing` hold.

use icpc::checkpoint::Schema;
use icpc::db::CheckpointState;
use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{ServerCapabilities, Uri};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert;
use crate::state::World;

/// A document.
#[derive(Clone, Debug, Deserialize)]
pub struct OfDocument {
    /// Which one.
    pub uri: Uri,
}

/// What one recipe is checked against.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedAgainst {
    /// Name of the recipe.
    pub recipe: String,
    /// How the checkpoint was found.
    pub state: Found,
    /// Where it lies; `null` if the recipe names none.
    pub path: Option<String>,
    /// Document with its listing, if it could be read.
    pub listing: Option<Uri>,
    /// Why it is not as it should be.
    pub reason: Option<String>,
    /// Kind of file.
    pub container: Option<&'static str>,
    /// Number of tensors, tied ones counted once.
    pub tensors: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Architecture that it was unified with.
    pub arch: Option<String>,
}

/// How a checkpoint was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// Read.
    Loaded,
    /// Read before, not now.
    Outdated,
    /// Nothing is there.
    Missing,
    /// Something is there that cannot be read.
    Unreadable,
    /// The recipe names none.
    None,
}

/// What the recipes of a file are checked against, in source order.
pub fn of_file(world: &World, path: &str) -> Vec<CheckedAgainst> {
    let recipes = world.session.recipe_names(path).into_iter();
    recipes.map(|recipe| of_recipe(world, path, recipe)).collect()
}

fn of_recipe(world: &World, file: &str, recipe: String) -> CheckedAgainst {
    let path = world.session.checkpoint_path(file, &recipe);
    let state = path.as_ref().and_then(|path| world.session.checkpoint(path));
    let schema = state.and_then(CheckpointState::schema);
    let found = match (&path, state) {
        (None, _) => Found::None,
        (_, Some(CheckpointState::Loaded(_))) => Found::Loaded,
        (_, Some(CheckpointState::Outdated(..))) => Found::Outdated,
        (_, Some(CheckpointState::Missing(_))) => Found::Missing,
        (_, Some(CheckpointState::Failed(_)) | None) => Found::Unreadable,
    };
    let own = |schema: &Schema| schema.tensors.iter().filter(|t| t.tied_to.is_none()).count() as u64;
    CheckedAgainst {
        state: found,
        listing: schema.and(path.as_deref()).and_then(convert::listing_uri),
        reason: state.and_then(|s| s.current().err()).map(str::to_owned),
        container: schema.map(|s| s.container.name()),
        tensors: schema.map(|s| own(s)),
        bytes: schema.map(|s| s.tensor_bytes()),
        arch: world.session.analysis(file, &recipe).and_then(|a| Some(a.model.as_ref()?.name.clone())),
        path,
        recipe,
    }
}

/// `icpc/checkpoint`.
pub struct Checkpoint;

impl Feature for Checkpoint {
    type Params = OfDocument;
    type Answer = Vec<CheckedAgainst>;
    const NEEDS_FILES: bool = true;

    fn document(params: &OfDocument) -> Option<&Uri> {
        Some(&params.uri)
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &OfDocument) -> Result<Self::Answer> {
        Ok(of_file(world, &convert::path_of(&params.uri)))
    }
}

/// A checkpoint, by its path or by the URI of its virtual document.
#[derive(Clone, Debug, Deserialize)]
pub struct Which {
    /// Absolute.
    path: Option<String>,
    /// `icpc-listing:...`
    uri: Option<Uri>,
}

/// A checkpoint's header.
#[derive(Clone, Debug, Serialize)]
pub struct ListingText {
    /// Name to show.
    name: String,
    /// Tensor `i` is on line `i`.
    text: String,
}

/// `icpc/listing`.
pub struct ShowListing;

impl Feature for ShowListing {
    type Params = Which;
    type Answer = ListingText;
    const NEEDS_FILES: bool = true;

    fn document(_: &Which) -> Option<&Uri> {
        None
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &Which) -> Result<ListingText> {
        let path = params.path.clone().or_else(|| convert::listed(params.uri.as_ref()?));
        let Some(path) = path else {
            return Err(Error::invalid_params("neither `path` nor `uri` names a checkpoint"));
        };
        match world.session.checkpoint(&path) {
            None => Err(Error::invalid_params(format!("no open recipe names `{path}`"))),
            Some(state) => match (state.schema(), state.current()) {
                (Some(schema), _) => {
                    Ok(ListingText { name: schema.source.clone(), text: schema.listing_text() })
                }
                (None, reason) => Err(Error::invalid_params(reason.err().unwrap_or_default().to_owned())),
            },
        }
    }
}
