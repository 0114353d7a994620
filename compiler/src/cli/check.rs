//! `icpc check`.

use std::collections::BTreeSet;

use super::show::{exit_of, show};
use super::{Exit, MessageFormat, Recipe, complain};
use crate::base::{count, human_bytes};
use crate::diag::Diagnostic;
use crate::session::Session;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    recipe: Recipe,
    /// Applies the fixes that are safe
    #[arg(long)]
    fix: bool,
    /// Applies guesses, too; look at the result
    #[arg(long, requires = "fix")]
    unsafe_fixes: bool,
    /// Refuses what differs from the recipe's lock
    #[arg(long, conflicts_with = "fix")]
    locked: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let mut session = match args.recipe.load() {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    if args.fix {
        match apply(args, &session) {
            Ok(true) => match args.recipe.load() {
                Ok(again) => session = again,
                Err(exit) => return exit,
            },
            Ok(false) => {}
            Err(exit) => return exit,
        }
    }
    let file = &args.recipe.file;
    let names = args.recipe.names(&session);
    if args.locked
        && let Err(exit) = super::lock::hold(&args.recipe, &session, &names)
    {
        return exit;
    }
    let mut checkpoints: Vec<Option<String>> =
        names.iter().map(|n| session.checkpoint_path(file, n)).collect();
    checkpoints.dedup();
    let exit = if let [_, _, ..] = checkpoints.as_slice() {
        by_checkpoint(args, &session)
    } else {
        let found = session.diagnostics(file, args.recipe.which.recipe.as_deref());
        let checkpoint = checkpoints.first().and_then(Option::as_deref);
        show(&session, &found, checkpoint, &args.recipe.messages)
    };
    if exit == Exit::Success && args.recipe.messages.message_format == MessageFormat::Full {
        names.iter().for_each(|name| confirm(&session, file, name));
        if names.is_empty() {
            complain(&format!("`{file}`: no error; it holds no recipe"));
        }
    }
    // The process ends here, which gives everything back at once.
    std::mem::forget(session);
    exit
}

/// Shows what is wrong with a file whose recipes have several checkpoints, recipe by recipe. Labels point into one listing, so
/// what follows each other is shown together as long as it points into no other one.
fn by_checkpoint(args: &Args, session: &Session) -> Exit {
    let file = &args.recipe.file;
    // What belongs to a recipe that others extend comes with each of them.
    let mut seen = BTreeSet::new();
    let mut batches: Vec<(Option<String>, Vec<Diagnostic>)> = Vec::new();
    for group in session.diagnostic_groups(file) {
        let checkpoint = group.recipe.and_then(|name| session.checkpoint_path(file, &name));
        for d in group.diagnostics.into_iter().filter(|d| seen.insert(d.content())) {
            let listing = checkpoint.clone().filter(|_| d.points_into_listing());
            match batches.last_mut() {
                Some((of, batch)) if of.is_none() || listing.is_none() || *of == listing => {
                    *of = of.take().or(listing);
                    batch.push(d);
                }
                _ => batches.push((listing, vec![d])),
            }
        }
    }
    // Programs that read it expect something even if there is nothing.
    batches.extend(batches.is_empty().then(|| (None, Vec::new())));
    for (checkpoint, batch) in &batches {
        show(session, batch, checkpoint.as_deref(), &args.recipe.messages);
    }
    exit_of(batches.iter().flat_map(|(_, batch)| batch))
}

/// One line about a recipe without errors.
fn confirm(session: &Session, file: &str, name: &str) {
    let Some(analysis) = session.analysis(file, name) else {
        complain(&format!("`{name}`: no error; without a checkpoint nothing could be matched"));
        return;
    };
    let (Some(plan), Some(stored)) = (&analysis.plan, analysis.stored_bytes) else { return };
    let ratio = match stored {
        0 => String::new(),
        stored => format!(", {:.2}x", plan.source.tensor_bytes as f64 / stored as f64),
    };
    let arch = analysis.model.as_ref().map_or_else(String::new, |m| format!(" of `{}`", m.name));
    complain(&format!(
        "`{name}`: {}{arch}: {} → {}{ratio}",
        count(plan.source.tensors, "tensor"),
        human_bytes(plan.source.tensor_bytes),
        human_bytes(stored),
    ));
}

/// Applies fixes to the files on disk. Returns whether anything changed.
fn apply(args: &Args, session: &Session) -> Result<bool, Exit> {
    use crate::diag::{Certainty, apply_fixes};
    let found = session.diagnostics(&args.recipe.file, args.recipe.which.recipe.as_deref());
    let up_to = if args.unsafe_fixes { Certainty::Unsafe } else { Certainty::Safe };
    let sources = session.sources();
    let changed = apply_fixes(&found, up_to, |path| sources.text(path));
    let mut any = false;
    for (path, text) in changed {
        // The library is inside of the program, parameters are on the command line.
        if path.starts_with("std/") || path.starts_with("--set ") {
            continue;
        }
        std::fs::write(path.as_ref(), text).map_err(|e| {
            complain(&format!("error: cannot write `{path}`: {}", crate::system::plain(&e)));
            Exit::Files
        })?;
        complain(&format!("fixed `{path}`"));
        any = true;
    }
    Ok(any)
}
