//! `icpc/plan`: the plan of a recipe as text, to be shown beside it.

use icpc::diag::Level;
use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{ServerCapabilities, Uri};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert;
use crate::state::World;

/// A recipe of a document.
#[derive(Clone, Debug, Deserialize)]
pub struct OfRecipe {
    uri: Uri,
    /// The first one of the document if it is not given.
    recipe: Option<String>,
}

/// A plan, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Recipe that it is of; `null` if the document has none.
    pub recipe: Option<String>,
    /// As `icpc plan` prints it.
    pub text: Option<String>,
    /// What is in the way, one line each.
    pub reasons: Vec<String>,
}

/// The plan of `recipe`, or of the first recipe of the file.
pub fn show(world: &World, path: &str, recipe: Option<&str>) -> Shown {
    let session = &world.session;
    let names = session.recipe_names(path);
    let Some(name) = recipe.map_or_else(|| names.first(), |wanted| names.iter().find(|n| *n == wanted))
    else {
        let reason =
            recipe.map_or("it holds no recipe".to_owned(), |name| format!("it holds no recipe `{name}`"));
        return Shown { recipe: None, text: None, reasons: vec![reason] };
    };
    let text = session.plan_text(path, name);
    let mut reasons = Vec::new();
    if text.is_none() {
        let found = session.diagnostics(path, Some(name));
        reasons.extend(found.iter().filter(|d| d.level() == Level::Error).map(|d| d.headline.clone()));
        if reasons.is_empty() {
            reasons.extend(found.iter().map(|d| d.headline.clone()));
        }
    }
    Shown { recipe: Some(name.clone()), text, reasons }
}

/// `icpc/plan`.
pub struct ShowPlan;

impl Feature for ShowPlan {
    type Params = OfRecipe;
    type Answer = Shown;
    const NEEDS_FILES: bool = true;

    fn document(params: &OfRecipe) -> Option<&Uri> {
        Some(&params.uri)
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &OfRecipe) -> Result<Shown> {
        Ok(show(world, &convert::path_of(&params.uri), params.recipe.as_deref()))
    }
}
