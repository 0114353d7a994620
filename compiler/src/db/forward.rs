//! Queries of forwards: checked once for all checkpoints, asked again with the numbers of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inputs::{CheckpointFile, Db, SourceText, Workspace};
use super::queries::{Asked, Unified, asked_of, checkpoint_of, declared, model, module, named_arch, seen};
use crate::arch::model::Origin;
use crate::arch::{self, ArchModel};
use crate::check::forward::{diagnostic, unsupported};
use crate::check::tune::{Forward as Trained, Trainable};
use crate::diag::{Diagnostic, Loc};
use crate::graph::{self, Attribute, Extent, Graph, Lowered, OpenQuestion, Operand, Product, TypeRule};
use crate::hir::module::Item;
use crate::hir::{Recipe, Tune};
use crate::plan::undecided::Predicts;
use crate::syntax::forward::Forward;
use crate::syntax::{forward as syntax_forward, tree};

/// A forward checked without a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CheckedForward {
    /// What is wrong whatever the numbers.
    pub problems: Vec<Diagnostic>,
    /// What only numbers tell.
    open: Vec<OpenQuestion>,
    /// Where tokens see those behind them.
    sees_ahead: Option<Loc>,
    /// Rows of the table in which the ids of the input are looked up.
    vocabulary: Option<Extent>,
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
        Some(Err(problem)) => {
            return Arc::new(CheckedForward { problems: vec![problem], ..CheckedForward::default() });
        }
        Some(Ok(forward)) => forward,
    };
    // What follows from a broken declaration is reported there.
    if !declared.problems.is_empty() {
        return Arc::default();
    }
    let lowered = graph::lower(&declared.decl, &forward, None);
    let problems = lowered.problems.iter().map(|p| diagnostic(item, p)).collect();
    let graph = lowered.graph.as_ref();
    let ahead =
        graph.and_then(|g| g.nodes.iter().find(|n| n.attribute("causal") == Some(&Attribute::Flag(false))));
    let vocabulary = graph.and_then(|g| {
        let mut tables = g
            .nodes
            .iter()
            .filter(|n| n.op.types == TypeRule::Table && n.inputs.first() == Some(&Operand::Param(0)));
        match tables.next()?.inputs.get(1)? {
            Operand::Weight(weight) => g.weights.get(*weight)?.shape.first().cloned(),
            _ => None,
        }
    });
    let sees_ahead = ahead.map(|node| item.loc(node.span));
    Arc::new(CheckedForward { problems, open: lowered.open, sees_ahead, vocabulary })
}

/// What is known of a checkpoint's forward without numbers of its weights.
pub(super) struct Facts {
    /// Whether it gives scores of the next token.
    pub predicts: Predicts,
    /// Rows of the table in which the ids of the input are looked up.
    pub vocabulary: Option<u64>,
}

/// The same of an architecture that was named for a checkpoint, or fits it.
pub(super) fn facts(db: &dyn Db, workspace: Workspace, unified: &Unified) -> Facts {
    let nothing = |predicts| Facts { predicts, vocabulary: None };
    let (Some(model), Some((path, number))) = (&unified.model, &unified.item) else {
        return nothing(Predicts::NoArchitecture);
    };
    let Some(file) = workspace.files(db).get(path).copied().filter(|_| model.fits()) else {
        return nothing(Predicts::Perhaps);
    };
    let item = module(db, file).items.get(*number as usize);
    let declares = |item: &Arc<Item>| match &item.tree {
        tree::Item::Arch(arch) => arch.items.iter().any(|i| matches!(i, tree::ArchItem::Forward { .. })),
        _ => false,
    };
    if !item.is_some_and(declares) {
        return nothing(Predicts::NoForward(model.name.clone()));
    }
    let forward = checked_forward(db, file, *number);
    let numbers = graph::numbers_of(model);
    let rows = forward.vocabulary.as_ref();
    Facts {
        predicts: match &forward.sees_ahead {
            Some(at) => Predicts::SeesAhead { arch: model.name.clone(), at: at.clone() },
            None => Predicts::Perhaps,
        },
        vocabulary: rows.and_then(|extent| extent.value(&|name| numbers.get(name).copied())),
    }
}

/// What the numbers of a checkpoint say of the open questions of its architecture's forward.
#[salsa::tracked]
pub(super) fn forward_answers(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
) -> Vec<Diagnostic> {
    let seen = seen(db, workspace, checkpoint, &named, &asked);
    let unified = model(db, workspace, checkpoint, named, asked);
    let (Some(model), Some((path, number))) = (&unified.model, &unified.item) else { return Vec::new() };
    let Some(file) = workspace.files(db).get(path).copied().filter(|_| model.fits()) else {
        return Vec::new();
    };
    let open = &checked_forward(db, file, *number).open;
    if open.is_empty() {
        return Vec::new();
    }
    let Some(item) = module(db, file).items.get(*number as usize) else { return Vec::new() };
    let Some(schema) = &seen else { return Vec::new() };
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

/// What a forward says of training with windows: of a batch, their tokens, and by how many the targets are ahead.
#[salsa::tracked]
pub(super) fn trainable(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
    windows: (u64, Option<u64>, u64),
) -> Arc<Trainable> {
    let seen = seen(db, workspace, checkpoint, &named, &asked);
    let found = lowered(db, workspace, checkpoint, named, asked);
    let (lowered, schema) = match (found, seen) {
        (Some((lowered, _)), Some(schema)) => (lowered, schema),
        _ => return Arc::new(Trainable::Nothing),
    };
    let Some(graph) = lowered.graph else { return Arc::new(Trainable::Broken) };
    let storage = |tensor: usize| {
        let tied = schema.tensors.get(tensor).and_then(|t| t.tied_to);
        tied.map_or(tensor, |kept| kept as usize)
    };
    let mut weights: Vec<usize> = graph.weights.iter().filter_map(|w| w.tensor).map(storage).collect();
    weights.sort_unstable();
    weights.dedup();
    let longest = graph.bounds.iter().filter(|(name, _)| name == "sequence").map(|(_, most)| *most).min();
    let (batch, window, shift) = windows;
    let seen = window.or(longest).unwrap_or(Tune::WINDOW).saturating_sub(shift).max(1);
    Arc::new(Trainable::Forward(Box::new(Trained {
        weights,
        looks_ahead: graph.nodes.iter().any(|n| n.attribute("causal") == Some(&Attribute::Flag(false))),
        longest,
        activations: elements(&graph, batch, seen),
    })))
}

/// Elements of all results of a pass over `batch` sequences of `length` tokens.
fn elements(graph: &Graph, batch: u64, length: u64) -> u64 {
    let sequence = graph.params.first().and_then(|p| p.shape.last()).map(|e| e.names()).unwrap_or_default();
    let number = |name: &str| {
        let free = if sequence.contains(&name) { length } else { 1 };
        Some(graph.number(name).unwrap_or(free))
    };
    let node = |node: &graph::Node| {
        let extents = node.shape.iter().map(|e| e.value(&number).unwrap_or(1));
        extents.fold(1u64, u64::saturating_mul)
    };
    graph.nodes.iter().map(node).fold(0u64, u64::saturating_add).saturating_mul(batch)
}

/// Where the number behind a name comes from.
fn origin<'m>(model: &'m ArchModel, name: &str) -> Option<&'m Origin> {
    let setting = model.settings.iter().find(|s| s.name == name).map(|s| &s.origin);
    setting.or_else(|| model.dim(name)?.origin.as_ref())
}

/// The unrolled forward of a checkpoint's architecture, if it has one without problems.
#[salsa::tracked]
pub(super) fn unrolled(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
) -> Option<Arc<Graph>> {
    let (lowered, _) = lowered(db, workspace, checkpoint, named, asked)?;
    lowered.graph.map(Arc::new)
}

/// The graph of a recipe's checkpoint, with problems if it has none; `None` if the architecture has no forward, or nothing
/// fits the checkpoint.
pub fn graph(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<(Lowered, Vec<Diagnostic>)> {
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    lowered(db, workspace, checkpoint, named_arch(db, workspace, recipe), asked_of(recipe))
}

/// Tensors of a checkpoint that its forward multiplies with; `None` where no forward fits it.
#[salsa::tracked]
pub(super) fn products(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
) -> Option<BTreeMap<usize, Product>> {
    let schema = seen(db, workspace, checkpoint, &named, &asked)?;
    let (lowered, _) = lowered(db, workspace, checkpoint, named, asked)?;
    Some(graph::products(&lowered.graph?, &schema))
}

fn lowered(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
) -> Option<(Lowered, Vec<Diagnostic>)> {
    let schema = &seen(db, workspace, checkpoint, &named, &asked)?;
    let unified = model(db, workspace, checkpoint, named, asked);
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
