//! `icpc plan`.

use super::show::show;
use super::{Exit, Recipe, complain, print};
use crate::plan::json::PlanDocument;
use crate::plan::print_plan;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    recipe: Recipe,
    /// Prints the plan as JSON, with every part and its offset
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let (session, name) = match args.recipe.open() {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let file = &args.recipe.file;
    let found = session.diagnostics(file, Some(&name));
    let checkpoint = session.checkpoint_path(file, &name);
    let exit = show(&session, &found, checkpoint.as_deref(), &args.recipe.messages);
    match session.planned(file, &name) {
        Some((plan, layout)) if args.json => print(&PlanDocument::of(&plan, &layout).to_json()),
        Some((plan, layout)) => print(&print_plan(&plan, &layout)),
        None if exit == Exit::Success => {
            complain("error: a plan needs a checkpoint: name one in the recipe, or with `--checkpoint`");
            return Exit::Diagnostics;
        }
        None => {}
    }
    exit
}
