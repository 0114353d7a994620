//! `icpc sensitivity`.

use super::args::{Sound, Which};
use super::measuring::{How, failed, on_threads, progress, tokens, writable};
use super::{Exit, Recipe, complain, print, print_json, write_whole};
use crate::eval::{Baseline, Model, Protocol};
use crate::exec::Stop;
use crate::page;
use crate::sensitivity::{self, By, Sensitivity, Text};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A recipe (`.icp`), or a checkpoint of a known architecture
    #[arg(value_name = "RECIPE|CHECKPOINT")]
    file: String,
    #[command(flatten)]
    which: Which,
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
    let found = writable(args.svg.as_deref()).and_then(|()| on_threads(args.threads, || measure(args)));
    match found {
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
    let baseline = Baseline::keeping(&model);
    let found =
        sensitivity::sensitivity(&baseline, text, args.by.by(), &formats, progress(args.quiet).as_ref());
    found.map_err(|e| failed(&e, &stop))
}

/// The checkpoint, as the recipe sees it where there is one.
fn open(args: &Args, stop: &Stop) -> Result<(Model, Protocol), Exit> {
    let own = args.how.protocol();
    if !args.file.ends_with(".icp") {
        args.which.of_no_recipe(&args.file)?;
        let place = args.how.backend.place(None)?;
        let model = Model::open_until(&args.file, stop).and_then(|model| model.on(place));
        return Ok((model.map_err(|e| failed(&e, stop))?, own));
    }
    let recipe = Recipe::of(&args.file, args.which.clone());
    let Sound { mut session, name, .. } = recipe.sound(false)?;
    let resolved = session.recipe(&args.file, &name);
    let evaluate = resolved.as_ref().and_then(|r| r.evaluate.as_ref().map(Protocol::of));
    let place = args.how.backend.place(resolved.as_ref().and_then(|r| r.target()))?;
    let model =
        Model::open_in(&mut session, (&args.file, &name), None, stop).and_then(|model| model.on(place));
    Ok((model.map_err(|e| failed(&e, stop))?, own.or(evaluate.unwrap_or_default())))
}
