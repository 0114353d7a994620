//! `icpc doctor`.

use std::path::PathBuf;

use super::args::{Planned, Which};
use super::{Exit, Recipe, print, print_json};
use crate::doctor::{self, Doctor};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A recipe, to say what its run needs of this machine
    #[arg(value_name = "RECIPE.icp")]
    file: Option<String>,
    #[command(flatten)]
    which: Which,
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
    let Planned { name, recipe, plan, layout, .. } =
        Recipe::of(file, args.which.clone()).planned(false, "a run")?;
    let emitted = recipe.output().map(PathBuf::from);
    let output = args.out.clone().or(emitted).unwrap_or_else(|| PathBuf::from(format!("out/{name}")));
    let mut doctor = Doctor::examine(&output);
    doctor.recipe = Some(doctor::needs(&doctor, &recipe, &plan, &layout, &output));
    Ok(doctor)
}
