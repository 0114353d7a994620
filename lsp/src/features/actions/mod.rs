//! `textDocument/codeAction`: the fixes of diagnostics, all safe ones of a file at once, arms for uncovered tensors, a
//! recipe of some arms.

use std::collections::BTreeMap;

use icpc::base::{Span, count};
use icpc::check::uncovered_tensors::UNCOVERED_TENSORS;
use icpc::diag::{Certainty, Fix, chosen_edits};
use icpc::stdlib;
use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::*;

use super::Feature;
use super::diagnostics::{Found, found};
use crate::client::ClientInfo;
use crate::convert;
use crate::edits::{Edits, workspace_edit};
use crate::state::World;

mod arms;
pub mod cover;
pub mod extract;
mod remedies;

/// All safe fixes of a file.
const FIX_ALL: CodeActionKind = CodeActionKind::new("source.fixAll.icpc");

/// Something that can be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What.
    pub title: String,
    /// Of which kind.
    pub kind: CodeActionKind,
    /// Nothing speaks against it.
    pub preferred: bool,
    /// The diagnostic that it removes.
    pub diagnostic: Option<Diagnostic>,
    /// What changes.
    pub change: Change,
}

/// What changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Edits of files by path.
    Edits(BTreeMap<String, Edits>),
    /// Arms for the uncovered tensors of this recipe, which take a while to find.
    Cover(String),
    /// Nothing: it cannot be done, for this reason.
    Refused(String),
}

/// What can be done at the bytes of `range`; `wanted` says whether a kind is asked for.
pub fn actions(
    world: &World,
    path: &str,
    range: Span,
    wanted: &dyn Fn(&CodeActionKind) -> bool,
) -> Vec<Action> {
    let mut out = Vec::new();
    let Some(source) = world.source(path) else { return out };
    let found = found(world, path);
    if wanted(&CodeActionKind::QUICKFIX) {
        for one in &found {
            let at = source.bytes(one.shown.range);
            if at.start <= range.end && range.start <= at.end {
                out.extend(fixes(world, path, one));
            }
        }
    }
    if wanted(&CodeActionKind::REFACTOR_EXTRACT) && !range.is_empty() {
        out.extend(extraction(world, path, range));
    }
    if wanted(&FIX_ALL) {
        out.extend(fix_all(world, path, &found));
    }
    out
}

fn fixes(world: &World, path: &str, one: &Found) -> Vec<Action> {
    let action = |title: &str, preferred, change| Action {
        title: title.to_owned(),
        kind: CodeActionKind::QUICKFIX,
        preferred,
        diagnostic: Some(one.shown.clone()),
        change,
    };
    let mut out = Vec::new();
    for (title, edits) in remedies::remedies(world, path, &one.of) {
        let change = Change::Edits(BTreeMap::from([(path.to_owned(), edits)]));
        out.push(action(&title, false, change));
    }
    if let (true, Some(recipe)) = (one.of.kind == &UNCOVERED_TENSORS, &one.recipe) {
        let n = count(cover::uncovered(&world.session, path, recipe), "uncovered tensor");
        out.push(action(&format!("add arms that keep the {n}"), false, Change::Cover(recipe.clone())));
    }
    for fix in &one.of.fixes {
        // What is only shown says how to start, not how to end.
        if fix.certainty != Certainty::ShownOnly
            && let Some(files) = by_file(fix)
        {
            out.push(action(&fix.title, fix.certainty == Certainty::Safe, Change::Edits(files)));
        }
    }
    out
}

/// The edits of a fix. `None` if one is of the library, which nobody can edit, or of no place.
fn by_file(fix: &Fix) -> Option<BTreeMap<String, Edits>> {
    let mut files: BTreeMap<String, Edits> = BTreeMap::new();
    for edit in &fix.edits {
        if edit.at.item.is_some() || stdlib::text(&edit.at.file).is_some() {
            return None;
        }
        files.entry(edit.at.file.to_string()).or_default().push((edit.at.span, edit.text.clone()));
    }
    Some(files)
}

fn extraction(world: &World, path: &str, range: Span) -> Option<Action> {
    let (title, change) = match extract::extract(&world.session, path, range)? {
        Ok((name, edits)) => (
            format!("extract the arms into a recipe `{name}`"),
            Change::Edits(BTreeMap::from([(path.to_owned(), edits)])),
        ),
        Err(reason) => ("extract the arms into a recipe".to_owned(), Change::Refused(reason)),
    };
    let kind = CodeActionKind::REFACTOR_EXTRACT;
    Some(Action { title, kind, preferred: false, diagnostic: None, change })
}

fn fix_all(world: &World, path: &str, found: &[Found]) -> Option<Action> {
    let here = |fix: &Fix| fix.edits.iter().all(|edit| edit.at.file.as_ref() == path);
    let own = found.iter().map(|f| &f.of).filter(|d| d.fixes.first().is_some_and(here));
    let text = |file: &str| world.session.text(file).map(AsRef::as_ref);
    let edits = chosen_edits(own, Certainty::Safe, text).remove(path)?;
    let edits: Edits = edits.into_iter().map(|edit| (edit.at.span, edit.text.clone())).collect();
    Some(Action {
        title: "apply all safe fixes".to_owned(),
        kind: FIX_ALL,
        preferred: false,
        diagnostic: None,
        change: Change::Edits(BTreeMap::from([(path.to_owned(), edits)])),
    })
}

/// What comes back with `codeAction/resolve`.
#[derive(Serialize, Deserialize)]
struct Unresolved {
    uri: Uri,
    version: Option<i32>,
    /// Its uncovered tensors are to get arms.
    cover: String,
}

/// `textDocument/codeAction`.
pub struct CodeActions;

impl Feature for CodeActions {
    type Params = CodeActionParams;
    type Answer = Option<CodeActionResponse>;
    const NEEDS_FILES: bool = true;

    fn document(params: &CodeActionParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(client: &ClientInfo, capabilities: &mut ServerCapabilities) {
        let options = CodeActionOptions {
            code_action_kinds: Some(vec![
                CodeActionKind::QUICKFIX,
                CodeActionKind::REFACTOR_EXTRACT,
                FIX_ALL,
            ]),
            resolve_provider: Some(client.lazy_edits),
            ..CodeActionOptions::default()
        };
        capabilities.code_action_provider =
            client.code_actions.then_some(CodeActionProviderCapability::Options(options));
    }

    fn answer(world: &World, params: &CodeActionParams) -> Result<Self::Answer> {
        let uri = &params.text_document.uri;
        let path = convert::path_of(uri);
        let Some(source) = world.source(&path).filter(|_| world.client.code_actions) else { return Ok(None) };
        let wanted = |kind: &CodeActionKind| {
            let Some(only) = &params.context.only else { return true };
            let below = |wanted: &CodeActionKind| {
                let rest = kind.as_str().strip_prefix(wanted.as_str());
                rest.is_some_and(|r| r.is_empty() || r.starts_with('.') || wanted.as_str().is_empty())
            };
            only.iter().any(below)
        };
        let action = |action: Action| {
            let diagnostics = action.diagnostic.map(|d| vec![as_sent(d, &params.context.diagnostics)]);
            let mut out = CodeAction {
                title: action.title,
                kind: Some(action.kind),
                diagnostics,
                is_preferred: action.preferred.then_some(true),
                ..CodeAction::default()
            };
            match action.change {
                Change::Edits(files) => out.edit = Some(workspace_edit(world, files)?),
                Change::Refused(reason) if world.client.disabled_actions => {
                    out.disabled = Some(CodeActionDisabled { reason });
                }
                Change::Refused(_) => return None,
                Change::Cover(cover) if world.client.lazy_edits => {
                    let data = Unresolved { uri: uri.clone(), version: world.version(&path), cover };
                    out.data = serde_json::to_value(data).ok();
                }
                Change::Cover(recipe) => out.edit = Some(covered(world, &path, &recipe)?),
            }
            Some(CodeActionOrCommand::CodeAction(out))
        };
        let found = actions(world, &path, source.bytes(params.range), &wanted);
        Ok(Some(found.into_iter().filter_map(action).collect()))
    }
}

/// The client's own copy of a diagnostic, if it sent one.
fn as_sent(diagnostic: Diagnostic, sent: &[Diagnostic]) -> Diagnostic {
    let same = |d: &&Diagnostic| {
        d.range == diagnostic.range && d.code == diagnostic.code && d.message == diagnostic.message
    };
    sent.iter().find(same).cloned().unwrap_or(diagnostic)
}

fn covered(world: &World, path: &str, recipe: &str) -> Option<WorkspaceEdit> {
    let edits = cover::cover(&world.session, path, recipe)?;
    workspace_edit(world, BTreeMap::from([(path.to_owned(), edits)]))
}

/// `codeAction/resolve`.
pub struct ResolveAction;

impl Feature for ResolveAction {
    type Params = CodeAction;
    type Answer = CodeAction;
    const NEEDS_FILES: bool = true;

    fn document(_: &CodeAction) -> Option<&Uri> {
        None
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &CodeAction) -> Result<CodeAction> {
        let mut action = params.clone();
        let Some(data) = action.data.clone().and_then(|d| serde_json::from_value::<Unresolved>(d).ok())
        else {
            return Ok(action);
        };
        let path = convert::path_of(&data.uri);
        if world.version(&path) != data.version {
            return Err(Error::content_modified());
        }
        action.edit = covered(world, &path, &data.cover);
        Ok(action)
    }
}

/// A text with edits applied, for tests.
#[cfg(test)]
fn applied(text: &str, edits: &Edits) -> String {
    let mut edits = edits.clone();
    edits.sort_by_key(|(span, _)| *span);
    let mut new = text.to_owned();
    for (span, text) in edits.iter().rev() {
        new.replace_range(span.range(), text);
    }
    new
}
