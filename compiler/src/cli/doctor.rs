//! `icpc doctor`.

use std::path::PathBuf;

use super::show::show;
use super::{Exit, Recipe, complain, print, print_json};
use crate::doctor::{self, Doctor};
use crate::hir::names::join;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A recipe, to say what its run needs of this machine
    #[arg(value_name = "RECIPE.icp")]
    file: Option<String>,
    /// Recipe of the file; may be left out when it has one
    #[arg(long, value_name = "NAME", requires = "file")]
    recipe: Option<String>,
    /// Sets a parameter, such as `--set clip=99.9%`
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "file")]
    sets: Vec<String>,
    /// Takes this checkpoint instead of the one that the recipe names
    #[arg(long, value_name = "PATH", requires = "file")]
    checkpoint: Option<String>,
    /// Output folder instead of the one that the recipe names
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let found = match &args.file {
        None => Ok(Doctor::examine(args.out.as_deref().unwrap_or(".".as_ref()))),
        Some(file) => with_recipe(args, file),
    };
    let found = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if args.json {
        if let Err(exit) = print_json(&found) {
            return exit;
        }
    } else {
        print(&doctor::print(&found));
    }
    if found.lacks_something() { Exit::Files } else { Exit::Success }
}

fn with_recipe(args: &Args, file: &str) -> Result<Doctor, Exit> {
    let mut recipe = Recipe::of_file(file, args.recipe.clone(), args.checkpoint.clone());
    recipe.sets.clone_from(&args.sets);
    let (session, name) = recipe.open()?;
    let checkpoint = session.checkpoint_path(file, &name);
    let found = session.diagnostics(file, Some(&name));
    let exit = show(&session, &found, checkpoint.as_deref(), &recipe.messages);
    if exit != Exit::Success {
        return Err(exit);
    }
    let (analysis, layout) = (session.analysis(file, &name), session.layout(file, &name));
    let planned = analysis.as_ref().and_then(|a| Some((a.plan.as_ref()?, layout.as_ref()?)));
    let (Some((plan, layout)), Some(recipe)) = (planned, session.recipe(file, &name)) else {
        complain(
            "error: what a run needs is known with a checkpoint: name one in the recipe, or with `--checkpoint`",
        );
        return Err(Exit::Diagnostics);
    };
    let emitted = recipe.emit.as_ref().map(|emit| PathBuf::from(join(&emit.path_loc.file, &emit.path)));
    let output = args.out.clone().or(emitted).unwrap_or_else(|| PathBuf::from(format!("out/{name}")));
    let mut doctor = Doctor::examine(&output);
    doctor.recipe = Some(doctor::needs(&doctor, &recipe, plan, layout, &output));
    Ok(doctor)
}
