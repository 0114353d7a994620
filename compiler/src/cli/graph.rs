//! `icpc graph`.

use super::args::Messages;
use super::show::show;
use super::{Exit, MessageFormat, Recipe, complain, print, print_json};
use crate::graph::{self, Planned};
use crate::session::Session;
use crate::system;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A recipe (`.icp`), or a checkpoint of a known architecture
    #[arg(value_name = "RECIPE|CHECKPOINT")]
    path: String,
    /// Recipe of the file; may be left out when it has one
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Takes this checkpoint instead of the one that the recipe names
    #[arg(long, value_name = "PATH")]
    checkpoint: Option<String>,
    /// Shape of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One node a line
    Text,
    /// One document
    Json,
}

pub(crate) fn main(args: &Args) -> Exit {
    let opened = match args.path.ends_with(".icp") {
        true => recipe(args),
        false => checkpoint(&args.path),
    };
    let (session, file, name) = match opened {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let path = session.checkpoint_path(&file, &name);
    let schema = path.as_deref().and_then(|path| session.schema(path));
    let (Some((graph, problems)), Some(schema)) = (session.graph(&file, &name), schema) else {
        let messages = Messages { message_format: MessageFormat::Full, verbose: true };
        show(&session, &session.diagnostics(&file, Some(&name)), path.as_deref(), &messages);
        complain(
            "error: there is no graph: it needs a checkpoint, and an architecture with a `forward` that fits it",
        );
        return Exit::Diagnostics;
    };
    // A recipe with errors has a graph, and no formats.
    let planned =
        if args.path.ends_with(".icp") { planned(&session, &file, &name) } else { Planned::default() };
    match graph {
        Some(graph) if args.format == Format::Json => {
            match print_json(&graph::document(&graph, &schema, &planned)) {
                Ok(()) => Exit::Success,
                Err(exit) => exit,
            }
        }
        Some(graph) => {
            print(&graph::print(&graph, &schema, &planned));
            Exit::Success
        }
        None => {
            let messages = Messages { message_format: MessageFormat::Full, verbose: false };
            let problems: Vec<_> = session.placed(problems);
            show(&session, &problems, path.as_deref(), &messages);
            Exit::Diagnostics
        }
    }
}

/// Formats that the recipe gives to tensors, and the types of all values.
fn planned(session: &Session, file: &str, name: &str) -> Planned {
    let plan = session.analysis(file, name).and_then(|a| a.plan.clone());
    let tensors = plan.iter().flat_map(|plan| &plan.tensors);
    let named = tensors.flat_map(|t| {
        let names = std::iter::once(&t.name).chain(&t.aliases);
        names.map(|name| (name.clone(), t.format.to_string())).collect::<Vec<_>>()
    });
    Planned { formats: named.collect(), types: session.types(file, name) }
}

fn recipe(args: &Args) -> Result<(Session, String, String), Exit> {
    let recipe = Recipe::of_file(&args.path, args.recipe.clone(), args.checkpoint.clone());
    let (session, name) = recipe.open()?;
    Ok((session, args.path.clone(), name))
}

/// A session in which a checkpoint has a recipe that keeps all of it.
fn checkpoint(path: &str) -> Result<(Session, String, String), Exit> {
    let found = system::read_checkpoint(path);
    if let Err(reason) = found.current() {
        complain(&format!("error: {reason}"));
        return Err(Exit::Files);
    }
    Ok(Session::of_checkpoint(found))
}
