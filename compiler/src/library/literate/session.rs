//! The real compiler as the harness sees it. What the compiler's own API looks like is known here only.

use std::sync::Arc;

use crate::check::Asset;
use crate::checkpoint::Schema;
use crate::checkpoint::listing::Lines;
use crate::db::CheckpointState;
use crate::diag::{self, Certainty, Diagnostic, Level, Sources, Spot, Style};
use crate::hir::names::join;
use crate::hir::value::ValueKind;
use crate::{session, syntax, system};

use super::compiler::{Checked, Compiler, Found, Inputs, Planned, Spotted};

/// A fresh session for each case. Files exist if the case has them: nothing is read from the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Session;

/// The command line of a case.
#[derive(Default)]
struct Arguments {
    recipe: Option<String>,
    set: Vec<(String, String)>,
    verbose: bool,
}

impl Compiler for Session {
    fn check(&self, inputs: &Inputs) -> Result<Checked, String> {
        let arguments = Arguments::read(&inputs.args)?;
        let mut session = session::Session::new();
        for (path, text) in inputs.files.iter().filter(|(path, _)| path.ends_with(".icp")) {
            session.set_file(path, text);
            if let Some(libraries) = inputs.libraries.get(path) {
                session.set_libraries(path, Arc::clone(libraries));
            }
        }
        for (name, text) in &arguments.set {
            session.set_parameter(name, text)?;
        }
        for (path, text) in &inputs.listings {
            session.set_checkpoint_listing(path, text);
        }
        if let Some((path, schema)) = &inputs.checkpoint {
            session.set_checkpoint(path, CheckpointState::Loaded(Arc::clone(schema)));
            session.override_checkpoint(Some(path));
        }
        let names = match &arguments.recipe {
            Some(name) => vec![name.clone()],
            None => session.recipe_names(&inputs.main),
        };
        for name in &names {
            give_files(&mut session, inputs, name);
        }
        let mut checked = Checked::default();
        // Labels point into one listing, so recipes with different checkpoints are shown one by one.
        let mut checkpoints: Vec<_> =
            names.iter().map(|n| session.checkpoint_path(&inputs.main, n)).collect();
        checkpoints.dedup();
        let groups: Vec<Option<&str>> = match (checkpoints.as_slice(), &arguments.recipe) {
            ([_, _, ..], _) | (_, Some(_)) => names.iter().map(|n| Some(n.as_str())).collect(),
            _ => vec![None],
        };
        let mut all: Vec<Diagnostic> = Vec::new();
        for only in groups {
            let found = session.diagnostics(&inputs.main, only);
            as_planned(&session, &inputs.main, only, &found)?;
            // What belongs to the file and to no recipe comes with each of them.
            let new = |d: &Diagnostic| (arguments.verbose || d.level() != Level::Note) && !all.contains(d);
            let shown: Vec<Diagnostic> = found.into_iter().filter(new).collect();
            let checkpoint = only.or(names.first().map(String::as_str));
            let checkpoint = checkpoint.and_then(|name| session.checkpoint_path(&inputs.main, name));
            draw(&session, checkpoint.as_deref(), &shown, &mut checked);
            all.extend(shown);
        }
        let fixed =
            diag::apply_fixes(&all, Certainty::Unsafe, |path| inputs.files.get(path).map(String::as_str));
        let main = fixed.get(inputs.main.as_str()).or(inputs.files.get(&inputs.main));
        checked.fixed = main.cloned().unwrap_or_default();
        for name in &names {
            let analysis = session.analysis(&inputs.main, name);
            let plan = analysis.as_ref().and_then(|a| a.plan.as_ref());
            if let (Some(plan), Some(layout)) = (plan, session.layout(&inputs.main, name)) {
                checked.plans.push(Planned { recipe: name.clone(), plan: Arc::clone(plan), layout });
            }
            let schema = session.checkpoint_path(&inputs.main, name).and_then(|path| session.schema(&path));
            checked.params.extend(schema.as_deref().and_then(params));
        }
        let plans: Vec<String> = names.iter().filter_map(|n| session.plan_text(&inputs.main, n)).collect();
        checked.plan = if plans.is_empty() { "no plan\n".to_owned() } else { plans.join("\n") };
        Ok(checked)
    }

    fn parse(&self, text: &str) -> Vec<String> {
        syntax::parse(text).errors.into_iter().map(|e| e.headline).collect()
    }
}

/// A check foresees what a plan would say instead of making one: here both are compared.
fn as_planned(
    session: &session::Session,
    file: &str,
    only: Option<&str>,
    found: &[Diagnostic],
) -> Result<(), String> {
    for name in session.recipe_names(file).iter().filter(|n| only.is_none_or(|o| o == *n)) {
        for problem in session.analysis(file, name).iter().flat_map(|a| &a.problems) {
            if !found.iter().any(|d| (d.kind, &d.headline) == (problem.kind, &problem.headline)) {
                return Err(format!(
                    "the plan of `{name}` says what its check does not: {}",
                    problem.headline
                ));
            }
        }
    }
    Ok(())
}

/// Elements of a checkpoint, tied tensors counted once.
fn params(schema: &Schema) -> Option<u64> {
    let stored = schema.tensors.iter().filter(|t| t.tied_to.is_none());
    stored.map(|t| t.shape.len()).try_fold(0u64, |sum, n| sum.checked_add(n?))
}

/// Where a diagnostic points.
fn spotted(d: &Diagnostic, sources: &Sources<'_>) -> Spotted {
    match sources.find(&d.primary.place) {
        Spot::Text { text, start, .. } => {
            let line = text.lines().nth(start.line.saturating_sub(1) as usize);
            Spotted { line: start.line, column: start.column, text: line.unwrap_or("").to_owned() }
        }
        Spot::Listing { line, .. } => {
            Spotted { line: line.number.saturating_add(1), column: 0, text: line.text }
        }
        Spot::Whole { line, .. } => Spotted { line: line.unwrap_or(0), ..Spotted::default() },
    }
}

/// Renders into `checked`.
fn draw(session: &session::Session, checkpoint: Option<&str>, shown: &[Diagnostic], checked: &mut Checked) {
    let schema = checkpoint.and_then(|path| session.schema(path));
    let lines = schema.as_deref().map(Lines::new);
    let sources = match &lines {
        Some(lines) => session.sources().listing(lines),
        None => session.sources(),
    };
    let drawn = diag::render(shown, &sources, Style::default());
    if !checked.full.is_empty() && !drawn.is_empty() {
        checked.full.push('\n');
    }
    checked.full.push_str(&drawn);
    checked.short.push_str(&diag::short(shown, &sources));
    checked.found.extend(shown.iter().map(|d| Found {
        code: d.kind.code.to_owned(),
        name: d.kind.name.to_owned(),
        level: d.level().word().to_owned(),
        wording: diag::lint::lint(d),
        place: spotted(d, &sources),
    }));
}

/// Gives the session what the recipe `name` names: data, tokenizers, and the absence of a checkpoint.
fn give_files(session: &mut session::Session, inputs: &Inputs, name: &str) {
    if let Some(path) = session.checkpoint_path(&inputs.main, name)
        && !session.has_checkpoint(&path)
    {
        session.set_checkpoint(&path, system::read_checkpoint(&path));
    }
    let Some(recipe) = session.recipe(&inputs.main, name) else { return };
    for settings in [&recipe.calibrate, &recipe.evaluate, &recipe.tune].into_iter().flatten() {
        for (field, _, value) in &settings.fields {
            let ValueKind::Text(named) = &value.kind else { continue };
            let path = join(&value.loc.file, named);
            let asset = match inputs.files.get(&path) {
                None => Asset::Missing { reason: format!("`{path}`: no such file") },
                Some(text) if field == "tokenizer" => system::tokenizer_asset(text),
                // The beginning of a text that is as long as anything asks for.
                Some(text) if text.trim_end().ends_with("...") => Asset::Present { bytes: None },
                Some(text) => Asset::Present { bytes: Some(text.len() as u64) },
            };
            session.set_asset(&path, asset);
        }
    }
}

impl Arguments {
    fn read(words: &[String]) -> Result<Arguments, String> {
        let mut out = Arguments::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--verbose" => out.verbose = true,
                "--recipe" => out.recipe = Some(next()?.clone()),
                "--set" => {
                    let pair = next()?;
                    let (name, value) =
                        pair.split_once('=').ok_or_else(|| format!("`{pair}` is no NAME=VALUE"))?;
                    out.set.push((name.to_owned(), value.to_owned()));
                }
                other => return Err(format!("the harness knows no argument `{other}`")),
            }
        }
        Ok(out)
    }
}
