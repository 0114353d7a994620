//! `textDocument/codeLens`: above a recipe the size that its plan predicts, or why there is no plan, and what can be done
//! with it.
//!
//! The commands are the client's own: a lens that does something is offered for those that it names in
//! `initializationOptions.commands`, each with the arguments `[uri, recipe]`. To others the lens is text.

use std::collections::BTreeSet;

use icpc::base::{Span, count, human_bytes};
use icpc::db::CheckpointState;
use icpc::syntax::tree::Item;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CodeLens, CodeLensOptions, CodeLensParams, Command, DiagnosticSeverity, ServerCapabilities, Uri,
};

use super::Feature;
use super::diagnostics::severity;
use crate::client::ClientInfo;
use crate::convert;
use crate::state::World;

/// Shows the plan of a recipe.
pub const PLAN: &str = "icpc.plan";
/// Runs a recipe.
pub const RUN: &str = "icpc.run";

/// What is said above a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lens {
    /// Name of the recipe.
    pub recipe: String,
    /// Its place.
    pub span: Span,
    /// Size and ratio, or what is in the way.
    pub title: String,
    /// There is a plan.
    pub planned: bool,
}

/// The lenses of a file, in source order. A recipe that names no checkpoint and has no errors has none: it is there to be
/// built on.
pub fn lenses(world: &World, path: &str) -> Vec<Lens> {
    let session = &world.session;
    let Some(tree) = session.tree(path) else { return Vec::new() };
    let groups = session.diagnostic_groups(path);
    let errors = |recipe: Option<&str>| {
        let of = groups.iter().filter(|g| g.recipe.as_deref() == recipe).flat_map(|g| &g.diagnostics);
        of.filter(|d| severity(d.kind) == DiagnosticSeverity::ERROR).count() as u64
    };
    let of_file = errors(None);
    let mut seen = BTreeSet::new();
    let lens = |item: &Item| {
        let Item::Recipe(recipe) = item else { return None };
        let name = recipe.name.text.as_str();
        if !seen.insert(name.to_owned()) {
            return None;
        }
        let lens = |title: String, planned| {
            Some(Lens { recipe: name.to_owned(), span: recipe.name.span, title, planned })
        };
        let analysis = session.analysis(path, name);
        let plan = analysis.as_ref().and_then(|a| Some((a.plan.as_ref()?, a.stored_bytes?)));
        if let Some((plan, stored)) = plan {
            let ratio = match stored {
                0 => String::new(),
                n => format!(" ({:.2}x)", plan.source.tensor_bytes as f64 / n as f64),
            };
            return lens(format!("{}{ratio}", human_bytes(stored)), true);
        }
        match of_file + errors(Some(name)) {
            0 => {}
            n => return lens(format!("no plan: {}", count(n, "error")), false),
        }
        let checkpoint = session.checkpoint(&session.checkpoint_path(path, name)?)?;
        match checkpoint {
            CheckpointState::Missing(_) => lens("no plan: the checkpoint is not there".to_owned(), false),
            _ => None,
        }
    };
    tree.items.iter().filter_map(lens).collect()
}

/// `textDocument/codeLens`.
pub struct Lenses;

impl Feature for Lenses {
    type Params = CodeLensParams;
    type Answer = Option<Vec<CodeLens>>;
    const NEEDS_FILES: bool = true;

    fn document(params: &CodeLensParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.code_lens_provider = Some(CodeLensOptions { resolve_provider: Some(false) });
    }

    fn answer(world: &World, params: &CodeLensParams) -> Result<Self::Answer> {
        let uri = &params.text_document.uri;
        let path = convert::path_of(uri);
        let Some(source) = world.source(&path) else { return Ok(None) };
        let can = |command: &str| world.client.commands.iter().any(|c| c == command);
        let mut out = Vec::new();
        for lens in lenses(world, &path) {
            let range = source.range(lens.span);
            let arguments: Vec<Value> = vec![json!(uri), json!(lens.recipe)];
            let mut add = |title: &str, command: &str| {
                let arguments = (!command.is_empty()).then(|| arguments.clone());
                let command = Command { title: title.to_owned(), command: command.to_owned(), arguments };
                out.push(CodeLens { range, command: Some(command), data: None });
            };
            add(&lens.title, if can(PLAN) { PLAN } else { "" });
            if lens.planned && can(PLAN) {
                add("Plan", PLAN);
            }
            if lens.planned && can(RUN) {
                add("Run", RUN);
            }
        }
        Ok(Some(out))
    }
}
