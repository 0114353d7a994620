//! `icpc sensitivity`.

use super::args::Sound;
use super::measuring::{How, failed, on_threads, progress, tokens};
use super::{Exit, Recipe, complain, print, print_json, write_whole};
use crate::eval::{Model, Protocol};
use crate::exec::Stop;
use crate::page;
use crate::sensitivity::{self, By, Sensitivity, Text};

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
    /// Formats to try, spelled as in a recipe
    #[arg(long, value_name = "FORMATS", default_value = "nf4,int8,int4")]
    formats: String,
    /// What is put into another format together
    #[arg(long, value_enum, default_value = "position")]
    by: ByArg,
    #[command(flatten)]
    how: How,
    /// Worker threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Shape of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Writes a figure
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<String>,
    /// Prints no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ByArg {
    /// Tensors at the same place of every layer
    Position,
    /// Each tensor by itself
    Tensor,
    /// Each layer
    Layer,
    /// Tensors that the architecture gives the same roles
    Role,
}

impl ByArg {
    pub(super) fn by(self) -> By {
        match self {
            ByArg::Position => By::Position,
            ByArg::Tensor => By::Tensor,
            ByArg::Layer => By::Layer,
            ByArg::Role => By::Role,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One document
    Json,
}

pub(crate) fn main(args: &Args) -> Exit {
    match on_threads(args.threads, || measure(args)) {
        Ok(found) => {
            if args.format == Format::Json {
                if let Err(exit) = print_json(&found) {
                    return exit;
                }
            } else {
                print(&sensitivity::print(&found));
            }
            let svg =
                args.svg.as_ref().map_or(Ok(()), |path| write_whole(path, &page::sensitivity_svg(&found)));
            svg.err().unwrap_or(Exit::Success)
        }
        Err(exit) => exit,
    }
}

fn measure(args: &Args) -> Result<Sensitivity, Exit> {
    let formats = sensitivity::parse_formats(&args.formats).map_err(|reason| {
        complain(&crate::diag::clean(&format!("error: {reason}")));
        Exit::Usage
    })?;
    let stop = Stop::on_signals();
    let (model, protocol) = open(args, &stop)?;
    let tokens = tokens(&protocol, &stop)?;
    let text = Text { tokens: &tokens, protocol: &protocol, stop: &stop };
    let found = sensitivity::sensitivity(&model, text, args.by.by(), &formats, progress(args.quiet).as_ref());
    found.map_err(|e| failed(&e, &stop))
}

/// The checkpoint, as the recipe sees it where there is one.
fn open(args: &Args, stop: &Stop) -> Result<(Model, Protocol), Exit> {
    let own = args.how.protocol();
    if !args.path.ends_with(".icp") {
        let path = args.checkpoint.as_ref().unwrap_or(&args.path);
        let place = args.how.backend.place(None)?;
        let model = Model::open(path).and_then(|model| model.on(place));
        return Ok((model.map_err(|e| failed(&e, stop))?, own));
    }
    let recipe = Recipe::of_file(&args.path, args.recipe.clone(), args.checkpoint.clone());
    let Sound { mut session, name, .. } = recipe.sound(false)?;
    let resolved = session.recipe(&args.path, &name);
    let evaluate = resolved.as_ref().and_then(|r| r.evaluate.as_ref().map(Protocol::of));
    let place = args.how.backend.place(resolved.as_ref().and_then(|r| r.target()))?;
    let model = Model::open_in(&mut session, &args.path, &name, None).and_then(|model| model.on(place));
    Ok((model.map_err(|e| failed(&e, stop))?, own.or(evaluate.unwrap_or_default())))
}
