//! `icpc bench`.

use std::path::Path;
use std::time::Duration;

use super::args::{Sound, Which};
use super::{BackendArg, Exit, Recipe, complain, print, print_json};
use crate::bench::{self, BenchError, Options};
use crate::diag::clean;
use crate::eval::Model;
use crate::exec::Stop;
use crate::hir::Target;
use crate::session::Session;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The baseline: a checkpoint, or the folder of an output; of a recipe (`.icp`) its checkpoint, with its output beside it
    #[arg(value_name = "RECIPE|CHECKPOINT|OUTPUT")]
    file: String,
    #[command(flatten)]
    which: Which,
    /// What is measured beside it
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    prompt: u32,
    /// Single tokens in each round; 0 measures prompts only
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    generate: u32,
    /// Seconds for all rounds, about; there are at least five
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u32).range(..=86_400))]
    seconds: u32,
    /// Threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// What computes the models; several are measured side by side, the baseline on the first
    #[arg(long, value_enum, value_delimiter = ',', default_value = "auto")]
    backend: Vec<BackendArg>,
    /// Shape of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A page
    Text,
    /// One document
    Json,
}

pub(crate) fn main(args: &Args) -> Exit {
    measure(args).map_or_else(|exit| exit, |()| Exit::Success)
}

/// What is measured, and how it is opened.
struct Chosen {
    paths: Vec<String>,
    /// The recipe by whose architecture and settings all of it is read: its file, its name, where it runs.
    recipe: Option<(Session, String, Option<Target>)>,
}

fn choose(args: &Args) -> Result<Chosen, Exit> {
    let mut paths = vec![args.file.clone()];
    let mut recipe = None;
    if args.file.ends_with(".icp") {
        let Sound { session, name, checkpoint } = Recipe::of(&args.file, args.which.clone()).sound(false)?;
        let resolved = session.recipe(&args.file, &name);
        paths = checkpoint.into_iter().collect();
        if paths.is_empty() {
            complain(
                "error: there is nothing to measure: name a checkpoint in the recipe, or with `--checkpoint`",
            );
            return Err(Exit::Diagnostics);
        }
        if let Some(output) = resolved.as_ref().and_then(|r| r.output()) {
            match Path::new(&output).is_dir() {
                true => paths.push(output),
                false => complain(&clean(&format!("note: there is no output `{output}` yet"))),
            }
        }
        let target = resolved.as_ref().and_then(|r| r.target().cloned());
        recipe = Some((session, name, target));
    } else {
        args.which.of_no_recipe(&args.file)?;
    }
    paths.extend(args.outputs.iter().cloned());
    Ok(Chosen { paths, recipe })
}

fn measure(args: &Args) -> Result<(), Exit> {
    let Chosen { paths, mut recipe } = choose(args)?;
    let target = recipe.as_ref().and_then(|(.., target)| target.as_ref());
    let places: Result<Vec<_>, Exit> = args.backend.iter().map(|backend| backend.place(target)).collect();
    let places = places?;
    let mut open = |path: &str| match &mut recipe {
        Some((session, name, _)) => Model::open_in(session, (&args.file, name), Some(path), &Stop::default()),
        None => Model::open(path),
    };
    let options = Options {
        places,
        prompt: args.prompt as usize,
        generate: args.generate as usize,
        threads: crate::exec::threads(args.threads.map(usize::from)),
        time: Duration::from_secs(u64::from(args.seconds)),
    };
    let measured = bench::bench(&paths, &mut open, &options).map_err(|error| {
        complain(&clean(&format!("error: {error}")));
        if matches!(error, BenchError::Options(_)) { Exit::Usage } else { Exit::Files }
    })?;
    match args.format {
        Format::Json => print_json(&measured),
        Format::Text => {
            print(&bench::print(&measured));
            Ok(())
        }
    }
}
