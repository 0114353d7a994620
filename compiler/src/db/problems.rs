//! Diagnostics that belong to no single check: syntax, declarations, checkpoints that cannot be read.

use std::sync::Arc;

use super::inputs::{CheckpointState, Db, Workspace};
use super::queries::{checkpoint_path, item_starts};
use crate::arch::DeclProblem;
use crate::arch::model::SettingValue;
use crate::checkpoint::Schema;
use crate::diag::{self, Certainty, Diagnostic, Label, Loc, Place, declare};
use crate::hir::module::Item;
use crate::hir::{OutputContainer, Recipe};
use crate::plan::refused::CONTAINER_REFUSES;
use crate::syntax::tree::SyntaxError;

declare!(
    /// A place that does not parse.
    SYNTAX_ERROR, "syntax-error", E0101, Error
);
declare!(
    /// A declaration that contradicts itself.
    MALFORMED_ARCHITECTURE, "malformed-architecture", E0612, Error
);
declare!(
    /// A checkpoint that cannot be read.
    UNREADABLE_CHECKPOINT, "unreadable-checkpoint", E0901, Error
);
declare!(
    /// A recipe that names no checkpoint.
    NO_CHECKPOINT, "no-checkpoint", E0902, Note
);
declare!(
    /// Something in or beside the checkpoint that was gone past.
    CHECKPOINT_REMARK, "checkpoint-remark", E0905, Warning
);
declare!(
    /// A checkpoint that is not there.
    MISSING_CHECKPOINT, "missing-checkpoint", E0906, Error
);
declare!(
    /// A checkpoint that could be read before and cannot be read now.
    OUTDATED_HEADER, "outdated-header", E0907, Note
);

pub(super) fn syntax(path: &Arc<str>, error: &SyntaxError) -> Diagnostic {
    let at = |span| Loc { file: Arc::clone(path), item: None, span };
    let mut d =
        Diagnostic::new(&SYNTAX_ERROR, at(error.span), error.headline.clone()).label(error.label.clone());
    if let Some(help) = &error.help {
        d = d.help(help.clone());
    }
    if let Some((span, text)) = &error.fix {
        let title = if text.is_empty() { "remove it".to_owned() } else { format!("write `{}`", text.trim()) };
        d = d.fix(Certainty::Unsafe, title, at(*span), text.clone());
    }
    d
}

pub(super) fn declaration(item: &Item, problem: &DeclProblem) -> Diagnostic {
    Diagnostic::new(&MALFORMED_ARCHITECTURE, item.loc(problem.span), problem.headline.clone())
        .label(problem.label.clone())
}

/// The value of a `set` item as the architecture takes it.
pub(super) fn setting_value(text: &str) -> SettingValue {
    match text.parse() {
        Ok(n) => SettingValue::Int(n),
        Err(_) => SettingValue::Text(text.to_owned()),
    }
}

pub(super) fn header_notes(recipe: &Recipe, schema: &Schema) -> Vec<Diagnostic> {
    let at = recipe.checkpoint.as_ref().map_or(&recipe.loc, |(_, at)| at);
    let remark = |note: &String| {
        Diagnostic::new(
            &CHECKPOINT_REMARK,
            at.clone(),
            format!("the header of `{}` has a remark", schema.source),
        )
        .label(note.clone())
    };
    let carried = recipe.emit.as_ref().filter(|e| e.container == Some(OutputContainer::Bitsandbytes));
    match (carried, &schema.config_problem) {
        (Some(emit), Some(problem)) => {
            let refused = Diagnostic::new(
                &CONTAINER_REFUSES,
                emit.container_loc.clone(),
                "`config.json` cannot be carried over",
            )
            .label("adds `quantization_config` to it")
            .because(problem.clone())
            .help("mend it, or move it away from the checkpoint");
            let others = schema.notes.iter().filter(|note| !note.starts_with(problem.as_str()));
            std::iter::once(refused).chain(others.map(remark)).collect()
        }
        _ => schema.notes.iter().map(remark).collect(),
    }
}

pub(super) fn no_checkpoint(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Vec<Diagnostic> {
    let at = recipe.checkpoint.as_ref().map_or(&recipe.loc, |(_, at)| at).clone();
    let Some(path) = checkpoint_path(db, workspace, recipe) else {
        let d = Diagnostic::new(&NO_CHECKPOINT, at, format!("`{}` names no checkpoint", recipe.name))
            .label("checked by itself only")
            .help("add `checkpoint \"...\";`, or check with `--checkpoint PATH`");
        return vec![d];
    };
    let (kind, headline, reason) = match workspace.checkpoints(db).get(&path).map(|c| c.state(db)) {
        Some(CheckpointState::Loaded(_) | CheckpointState::Outdated(..)) => return Vec::new(),
        Some(CheckpointState::Missing(reason)) => {
            (&MISSING_CHECKPOINT, "the checkpoint is not there", reason.clone())
        }
        Some(CheckpointState::Failed(reason)) => {
            (&UNREADABLE_CHECKPOINT, "the checkpoint cannot be read", reason.clone())
        }
        None => (&UNREADABLE_CHECKPOINT, "the checkpoint cannot be read", format!("`{path}` was not read")),
    };
    let d = Diagnostic::new(kind, at, headline).label(reason);
    vec![d.help("paths are relative to the recipe's folder; `icpc inspect PATH` shows what can be read")]
}

/// A problem as it is shown: of a smaller shape there is no listing to point into, so its tensors are named in notes.
pub(super) fn of_shape(mut d: Diagnostic, recipe: &Recipe, schema: &Schema) -> Diagnostic {
    if recipe.derive.is_none() {
        return d;
    }
    let (tensors, others): (Vec<Label>, Vec<Label>) =
        d.secondary.into_iter().partition(|l| matches!(l.place, Place::Tensor { .. }));
    d.secondary = others;
    for Label { place, text } in tensors {
        let Place::Tensor { tensor, .. } = place else { continue };
        if let Some(tensor) = schema.tensors.get(tensor as usize) {
            d.provenance.push(format!("`{}` {} {}: {text}", tensor.name, tensor.dtype, tensor.shape));
        }
    }
    d
}

/// That a recipe is checked against a header of before.
pub(super) fn outdated(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<Diagnostic> {
    let path = checkpoint_path(db, workspace, recipe)?;
    let checkpoint = workspace.checkpoints(db).get(&path)?;
    let CheckpointState::Outdated(schema, reason) = checkpoint.state(db) else { return None };
    let at = recipe.checkpoint.as_ref().map_or(&recipe.loc, |(_, at)| at).clone();
    let headline = format!("`{}` cannot be read now: this is its header of before", schema.source);
    Some(Diagnostic::new(&OUTDATED_HEADER, at, headline).label(reason.clone()))
}

pub(crate) fn absolute_and_sorted(
    db: &dyn Db,
    workspace: Workspace,
    found: Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let start = |path: &str, item: u32| {
        let file = workspace.files(db).get(path)?;
        item_starts(db, *file).get(item as usize).copied()
    };
    let mut found: Vec<Diagnostic> = found.iter().map(|d| diag::absolute(d, start)).collect();
    diag::sort(&mut found);
    found.dedup();
    found
}
