//! `icpc eval`.

use std::path::Path;

use super::args::{Sound, Which};
use super::measuring::{How, failed, on_threads, progress, tokens, writable};
use super::{Exit, Recipe, complain, print, write_whole};
use crate::base::count;
use crate::eval::{
    Baseline, Measured, Model, Protocol, Rounding, compare_with, evaluate, metric_json, metric_text,
};
use crate::exec::Stop;
use crate::report::Metric;
use crate::system::read_bounded;

/// Largest metric file that is read.
const MAX_METRIC: u64 = 64 << 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A recipe (`.icp`), a checkpoint of a known architecture, or the folder of an output
    #[arg(value_name = "RECIPE|CHECKPOINT|OUTPUT")]
    file: String,
    #[command(flatten)]
    which: Which,
    /// Baseline: a checkpoint, an output, or the `.json` of an earlier measurement
    #[arg(long, value_name = "BASELINE")]
    against: Option<String>,
    #[command(flatten)]
    how: How,
    /// How inputs of linear layers are rounded
    #[arg(long, value_enum, default_value = "format")]
    activations: Activations,
    /// Worker threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Shape of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Writes the metric to this file, as JSON
    #[arg(long, value_name = "METRIC.json")]
    out: Option<String>,
    /// Prints no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One document
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Activations {
    /// As the formats of the weights say
    Format,
    /// Not at all
    Fp32,
    /// As PyTorch does it for layers that it packed (`quantize_dynamic`), for the windows of a batch together
    Torch,
}

/// What is measured beside what.
struct Opened {
    model: Model,
    baseline: Option<Model>,
    earlier: Option<(String, Metric)>,
    protocol: Protocol,
}

pub(crate) fn main(args: &Args) -> Exit {
    let stop = Stop::on_signals();
    let measured =
        writable(args.out.as_deref()).and_then(|()| on_threads(args.threads, || measure(args, &stop)));
    match measured {
        Ok(metric) => {
            for warning in &metric.warnings {
                complain(&format!("warning: {warning}"));
            }
            print(&match args.format {
                Format::Text => metric_text(&metric),
                Format::Json => metric_json(&metric),
            });
            let written = args.out.as_ref().map_or(Ok(()), |path| write_whole(path, &metric_json(&metric)));
            written.err().unwrap_or(Exit::Success)
        }
        Err(exit) => exit,
    }
}

fn measure(args: &Args, stop: &Stop) -> Result<Metric, Exit> {
    let Opened { model, baseline, earlier, protocol } = open(args, stop)?;
    if args.activations == Activations::Format && model.packed() > 0 {
        complain(&format!(
            "note: PyTorch packed {} of `{}`, which round their inputs; here inputs stay as they are: \
             `--activations torch` rounds them, too",
            count(model.packed() as u64, "linear layer"),
            model.path()
        ));
    }
    let tokens = tokens(&protocol, stop)?;
    let progress = progress(args.quiet);
    let baseline = baseline.as_ref().map(Baseline::new);
    let measured = evaluate(&model, baseline.as_ref(), &tokens, &protocol, progress.as_ref(), stop);
    let Measured { mut metric, .. } = measured.map_err(|e| failed(&e, stop))?;
    if let Some((path, earlier)) = earlier {
        compare_with(&mut metric, &earlier, &path).map_err(|e| failed(&e, stop))?;
    }
    Ok(metric)
}

fn open(args: &Args, stop: &Stop) -> Result<Opened, Exit> {
    let own = args.how.protocol();
    let rounding = match args.activations {
        Activations::Format => Rounding::Format,
        Activations::Fp32 => Rounding::Float,
        Activations::Torch => Rounding::Torch,
    };
    let (earlier, against) = match &args.against {
        Some(path) if path.ends_with(".json") => (Some((path.clone(), read(path)?)), None),
        against => (None, against.as_deref()),
    };
    if !args.file.ends_with(".icp") {
        args.which.of_no_recipe(&args.file)?;
        let place = args.how.backend.place(None)?;
        let open = |path: &str, rounding| Model::open_until(path, stop)?.with_rounding(rounding)?.on(place);
        let model = open(&args.file, rounding).map_err(|e| failed(&e, stop))?;
        let baseline = against.map(|path| open(path, Rounding::Format)).transpose();
        let baseline = baseline.map_err(|e| failed(&e, stop))?;
        return Ok(Opened { model, baseline, earlier, protocol: own });
    }
    let recipe = Recipe::of(&args.file, args.which.clone());
    let Sound { mut session, name, checkpoint: source } = recipe.sound(false)?;
    let (Some(source), Some(resolved)) = (source, session.recipe(&args.file, &name)) else {
        complain(
            "error: there is nothing to measure: name a checkpoint in the recipe, or with `--checkpoint`",
        );
        return Err(Exit::Diagnostics);
    };
    let protocol = own.or(resolved.evaluate.as_ref().map(Protocol::of).unwrap_or_default());
    let output = resolved.output().filter(|path| {
        let is_there = Path::new(path).is_dir();
        if !is_there {
            complain(&format!("note: there is no output `{path}` yet: the checkpoint alone is measured"));
        }
        is_there
    });
    let place = args.how.backend.place(resolved.target())?;
    let mut opened = |path: &str, rounding| {
        let model = Model::open_in(&mut session, (&args.file, &name), Some(path), stop);
        model.and_then(|model| model.with_rounding(rounding)?.on(place)).map_err(|e| failed(&e, stop))
    };
    // Without an output the checkpoint is what is measured, and only `--against` gives it a baseline.
    let model = opened(output.as_deref().unwrap_or(&source), rounding)?;
    let baseline = match (against, &output) {
        (Some(path), _) => Some(opened(path, Rounding::Format)?),
        (None, Some(_)) if earlier.is_none() => Some(opened(&source, Rounding::Format)?),
        _ => None,
    };
    Ok(Opened { model, baseline, earlier, protocol })
}

fn read(path: &str) -> Result<Metric, Exit> {
    let bytes = read_bounded(path, MAX_METRIC);
    let read = bytes.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|e| e.to_string()));
    read.map_err(|reason| {
        complain(&crate::diag::clean(&format!(
            "error: `{path}` is no metric: {reason}; `icpc eval --out` writes one"
        )));
        Exit::Files
    })
}
