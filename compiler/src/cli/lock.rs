//! `icpc lock`, and `--locked` of the commands that can be held to it.

use super::show::show;
use super::{Exit, Recipe, complain};
use crate::lock::{Lock, path_of};
use crate::session::Session;
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    recipe: Recipe,
}

pub(crate) fn main(args: &Args) -> Exit {
    let session = match args.recipe.load() {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let file = &args.recipe.file;
    let names = args.recipe.names(&session);
    for name in &names {
        let found = session.diagnostics(file, Some(name));
        let checkpoint = session.checkpoint_path(file, name);
        let exit = show(&session, &found, checkpoint.as_deref(), &args.recipe.messages);
        if exit != Exit::Success {
            return exit;
        }
    }
    if names.is_empty() {
        complain(&format!("error: `{file}` holds no recipe"));
        return Exit::Diagnostics;
    }
    let path = path_of(file);
    let text = Lock::of(&session, file, &names, &args.recipe.parameters()).and_then(|lock| lock.text());
    let written = text.and_then(|text| {
        std::fs::write(&path, text).map_err(|e| format!("cannot write `{path}`: {}", system::plain(&e)))
    });
    match written {
        Ok(()) => {
            complain(&format!("wrote `{path}`: `icpc run {file} --locked` takes nothing else"));
            Exit::Success
        }
        Err(reason) => {
            complain(&format!("error: {reason}"));
            Exit::Files
        }
    }
}

/// Holds what was loaded against the lock of the recipe's file.
///
/// # Errors
/// The exit code; what differs was said.
pub(super) fn hold(recipe: &Recipe, session: &Session, names: &[String]) -> Result<(), Exit> {
    let (file, path) = (&recipe.file, path_of(&recipe.file));
    let refuse = |reason: String| {
        complain(&format!("error: {reason}"));
        Err(Exit::Files)
    };
    let text = match system::read_text(&path) {
        Ok(text) => text,
        Err(reason) => {
            return refuse(format!("cannot read the lock `{path}`: {reason}: `icpc lock {file}` writes it"));
        }
    };
    let locked = match Lock::parse(&text) {
        Ok(locked) => locked,
        Err(reason) => {
            return refuse(format!("`{path}` is no lock: {reason}: `icpc lock {file}` writes it anew"));
        }
    };
    let now = match Lock::of(session, file, names, &recipe.parameters()) {
        Ok(now) => now,
        Err(reason) => return refuse(reason),
    };
    let differences: String = locked.differences(&now).iter().map(|d| format!("\n  {d}")).collect();
    if differences.is_empty() {
        return Ok(());
    }
    refuse(format!(
        "`{file}` is not as `{path}` has it:{differences}\nif that is meant, `icpc lock {file}` renews the lock"
    ))
}
