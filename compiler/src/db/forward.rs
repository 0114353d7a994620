//! Queries of forwards: checked once for all checkpoints, asked again with the numbers of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inputs::{CheckpointFile, Db, SourceText, Workspace};
use super::queries::{checkpoint_of, declared, model, module, named_arch, schema, settings_of};
use crate::arch::model::Origin;
use crate::arch::{self, ArchModel};
use crate::check::forward::{diagnostic, unsupported};
use crate::diag::Diagnostic;
use crate::graph::{self, Lowered, OpenQuestion, Product};
use crate::hir::Recipe;
use crate::hir::module::Item;
use crate::syntax::forward::Forward;
use crate::syntax::{forward as syntax_forward, tree};

/// A forward checked without a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CheckedForward {
    /// What is wrong whatever the numbers.
    pub problems: Vec<Diagnostic>,
    /// What only numbers tell.
    open: Vec<OpenQuestion>,
}

/// The forward of an item without syntax errors in it; the first, if there are more.
fn tree_of(item: &Item) -> Option<Result<Forward, Diagnostic>> {
    let tree::Item::Arch(arch) = &item.tree else { return None };
    let (text, span) = arch.items.iter().find_map(|i| match i {
        tree::ArchItem::Forward { text, span } => Some((text, *span)),
        _ => None,
    })?;
    if item.has_error_in(span) {
        return None;
    }
    Some(syntax_forward::forward(text, span.start).map_err(|problem| unsupported(item, &problem)))
}

/// The forward of the architecture that is item `number` of `file`.
#[salsa::tracked]
pub(super) fn checked_forward(db: &dyn Db, file: SourceText, number: u32) -> Arc<CheckedForward> {
    let Some(item) = module(db, file).items.get(number as usize) else { return Arc::default() };
    let Some(declared) = declared(db, file, number) else { return Arc::default() };
    let forward = match tree_of(item) {
        None => return Arc::default(),
        Some(Err(problem)) => return Arc::new(CheckedForward { problems: vec![problem], open: Vec::new() }),
        Some(Ok(forward)) => forward,
    };
    // What follows from a broken declaration is reported there.
    if !declared.problems.is_empty() {
        return Arc::default();
    }
    let lowered = graph::lower(&declared.decl, &forward, None);
    let problems = lowered.problems.iter().map(|p| diagnostic(item, p)).collect();
    Arc::new(CheckedForward { problems, open: lowered.open })
}

/// What the numbers of a checkpoint say of the open questions of its architecture's forward.
#[salsa::tracked]
pub(super) fn forward_answers(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    settings: Vec<(String, String)>,
) -> Vec<Diagnostic> {
    let unified = model(db, workspace, checkpoint, named, settings);
    let (Some(model), Some((path, number))) = (&unified.model, &unified.item) else { return Vec::new() };
    let Some(file) = workspace.files(db).get(path).copied().filter(|_| model.fits()) else {
        return Vec::new();
    };
    let open = &checked_forward(db, file, *number).open;
    if open.is_empty() {
        return Vec::new();
    }
    let Some(item) = module(db, file).items.get(*number as usize) else { return Vec::new() };
    let Some(schema) = schema(db, checkpoint) else { return Vec::new() };
    let numbers = graph::numbers_of(model);
    let answer = |question: &OpenQuestion| {
        let mut problem = question.answer(&numbers)?;
        let names = question.names();
        // What nobody has said is no contradiction: who runs the model is told.
        if names.iter().any(|name| origin(model, name) == Some(&Origin::Default)) {
            return None;
        }
        let from = |name: &&str| {
            let origin = arch::origin(origin(model, name)?, schema);
            Some(format!("{name} = {} ({origin})", numbers.get(*name)?))
        };
        problem.because = names.iter().filter_map(from).collect();
        Some(diagnostic(item, &problem))
    };
    open.iter().filter_map(answer).collect()
}

/// Where the number behind a name comes from.
fn origin<'m>(model: &'m ArchModel, name: &str) -> Option<&'m Origin> {
    let setting = model.settings.iter().find(|s| s.name == name).map(|s| &s.origin);
    setting.or_else(|| model.dim(name)?.origin.as_ref())
}

/// The graph of a recipe's checkpoint, with problems if it has none; `None` if the architecture has no forward, or nothing
/// fits the checkpoint.
pub fn graph(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<(Lowered, Vec<Diagnostic>)> {
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    let named = named_arch(db, workspace, recipe);
    unrolled(db, workspace, checkpoint, named, settings_of(recipe))
}

/// Tensors of a checkpoint that its forward multiplies with; `None` where no forward fits it.
#[salsa::tracked]
pub(super) fn products(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    settings: Vec<(String, String)>,
) -> Option<BTreeMap<usize, Product>> {
    let (lowered, _) = unrolled(db, workspace, checkpoint, named, settings)?;
    Some(graph::products(&lowered.graph?, schema(db, checkpoint)?))
}

fn unrolled(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    settings: Vec<(String, String)>,
) -> Option<(Lowered, Vec<Diagnostic>)> {
    let schema = schema(db, checkpoint)?;
    let unified = model(db, workspace, checkpoint, named, settings);
    let (model, (path, number)) = (unified.model.as_ref()?, unified.item.as_ref()?);
    let file = *workspace.files(db).get(path)?;
    let item = module(db, file).items.get(*number as usize)?;
    let decl = &declared(db, file, *number).as_ref()?.decl;
    if !model.fits() {
        return None;
    }
    match tree_of(item)? {
        Ok(forward) => {
            let lowered = graph::lower(decl, &forward, Some((model, schema)));
            let problems = lowered.problems.iter().map(|p| diagnostic(item, p)).collect();
            Some((lowered, problems))
        }
        Err(problem) => {
            Some((Lowered { graph: None, problems: Vec::new(), open: Vec::new() }, vec![problem]))
        }
    }
}
