//! `icpc lock`, and `--locked` of the commands that can be held to it.

use super::args::{Messages, Which};
use super::show::show;
use super::{Exit, Recipe, complain};
use crate::diag::clean;
use crate::lock::{Lock, path_of};
use crate::session::Session;
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// File with the recipe; when it is left out, every lock of this folder is renewed
    #[arg(value_name = "RECIPE.icp")]
    file: Option<String>,
    /// Recipe of the file; all of them when it is left out
    #[arg(long, value_name = "NAME", requires = "file")]
    recipe: Option<String>,
    /// Sets a parameter, such as `--set clip=99.9%`
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "file")]
    sets: Vec<String>,
    /// Takes this checkpoint instead of the one that the recipe names
    #[arg(long, value_name = "PATH", requires = "file")]
    checkpoint: Option<String>,
    #[command(flatten)]
    messages: Messages,
}

pub(crate) fn main(args: &Args) -> Exit {
    let recipe = |file: &str| Recipe {
        file: file.to_owned(),
        which: Which {
            recipe: args.recipe.clone(),
            sets: args.sets.clone(),
            checkpoint: args.checkpoint.clone(),
        },
        messages: args.messages,
    };
    if let Some(file) = &args.file {
        return lock(&recipe(file));
    }
    let locked = locked_here();
    if locked.is_empty() {
        complain("error: no recipe of this folder has a lock: name a recipe, as in `icpc lock RECIPE.icp`");
        return Exit::Usage;
    }
    let mut worst = Exit::Success;
    for (file, sets) in locked {
        let mut recipe = recipe(&file);
        recipe.which.sets = sets;
        let exit = lock(&recipe);
        if worst == Exit::Success {
            worst = exit;
        }
    }
    worst
}

/// Recipes of this folder that have a lock, with the parameters in it.
fn locked_here() -> Vec<(String, Vec<String>)> {
    let entries = std::fs::read_dir(".").into_iter().flatten().flatten();
    let names = entries.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n.ends_with(".icp"));
    let mut found: Vec<(String, Vec<String>)> = names
        .filter_map(|file| {
            let lock = Lock::parse(&system::read_text(&path_of(&file)).ok()?).ok()?;
            Some((file, lock.parameters()))
        })
        .collect();
    found.sort();
    found
}

fn lock(recipe: &Recipe) -> Exit {
    let session = match recipe.load() {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let file = &recipe.file;
    let names = recipe.names(&session);
    for name in &names {
        let found = session.diagnostics(file, Some(name));
        let checkpoint = session.checkpoint_path(file, name);
        let exit = show(&session, &found, checkpoint.as_deref(), &recipe.messages);
        if exit != Exit::Success {
            return exit;
        }
    }
    if names.is_empty() {
        complain(&format!("error: `{file}` holds no recipe"));
        return Exit::Diagnostics;
    }
    let path = path_of(file);
    let text = Lock::of(&session, file, &names, &recipe.parameters()).and_then(|lock| lock.text());
    let written = text.and_then(|text| {
        std::fs::write(&path, text).map_err(|e| format!("cannot write `{path}`: {}", system::plain(&e)))
    });
    match written {
        Ok(()) => {
            complain(&format!("wrote `{path}`: `icpc run {file} --locked` takes nothing else"));
            Exit::Success
        }
        Err(reason) => {
            complain(&clean(&format!("error: {reason}")));
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
        complain(&clean(&format!("error: {reason}")));
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
