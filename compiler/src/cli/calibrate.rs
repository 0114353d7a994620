//! `icpc calibrate`.

use icpc_kernels::format::{Activations, Format, Int};

use super::args::Sound;
use super::measuring::{failed, on_threads, progress, writable};
use super::{BackendArg, Exit, Recipe, complain, write_whole};
use crate::base::{count, with_thousands};
use crate::check::Asset;
use crate::eval::{Model, Protocol, Tokens, calibrate};
use crate::exec::Stop;
use crate::session::Session;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    recipe: Recipe,
    /// Writes the statistics to this file (safetensors)
    #[arg(long, value_name = "FILE")]
    out: String,
    /// Worker threads; all that this process may use when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// What computes the model
    #[arg(long, value_enum, default_value = "auto")]
    backend: BackendArg,
    /// Prints no progress
    #[arg(long, short)]
    quiet: bool,
}

fn protocol_of(session: &Session, file: &str, name: &str) -> Protocol {
    let settings = session.recipe(file, name).and_then(|r| r.calibrate.clone());
    settings.as_ref().map(Protocol::of).unwrap_or_default()
}

/// Percentiles that static scales of the recipe are made of.
fn percentiles(session: &Session, file: &str, name: &str) -> Vec<f64> {
    let recipe = session.recipe(file, name);
    let arms = recipe.iter().flat_map(|recipe| &recipe.arms);
    let statistics = arms.filter_map(|arm| match arm.format? {
        Format::Int(Int { activations: Activations::Static(p), .. }) => Some(f64::from(p.billionths()) / 1e7),
        _ => None,
    });
    statistics.collect()
}

pub(crate) fn main(args: &Args) -> Exit {
    let stop = Stop::on_signals();
    let opened =
        writable(Some(&args.out)).and_then(|()| args.recipe.open()).and_then(|(mut session, name)| {
            // The file that a run will read is what is made here.
            let protocol = protocol_of(&session, &args.recipe.file, &name);
            if let Some(statistics) = protocol.statistics {
                session.set_asset(&statistics, Asset::Present { bytes: None });
            }
            args.recipe.sound_in(session, name, false)
        });
    let Sound { mut session, name, .. } = match opened {
        Ok(sound) => sound,
        Err(exit) => return exit,
    };
    let file = &args.recipe.file;
    let recipe = session.recipe(file, &name);
    let protocol = protocol_of(&session, file, &name);
    let Some(data) = protocol.data.clone() else {
        complain(&format!(
            "error: `{name}` has no data to calibrate with: add `calibrate {{ data: \"text.txt\" }}`"
        ));
        return Exit::Diagnostics;
    };
    let place = match args.backend.place(recipe.as_ref().and_then(|r| r.target())) {
        Ok(place) => place,
        Err(exit) => return exit,
    };
    let progress = progress(args.quiet);
    let calibrated = on_threads(args.threads, || {
        let calibrated = Model::open_in(&mut session, (file, &name), None, &stop).and_then(|model| {
            let model = model.on(place)?;
            let tokens = Tokens::read(&data, protocol.tokenizer.as_deref())?;
            calibrate(&model, &tokens, &protocol, progress.as_ref(), &stop)
        });
        calibrated.map_err(|error| failed(&error, &stop))
    });
    let calibrated = match calibrated {
        // A run that reads the file needs those of its formats.
        Ok(calibrated) => calibrated.with_percentiles(percentiles(&session, file, &name)),
        Err(exit) => return exit,
    };
    if let Err(exit) = write_whole(&args.out, &calibrated.to_bytes()) {
        return exit;
    }
    let calibration = &calibrated.calibration;
    for name in &calibration.unseen {
        complain(&format!("warning: no token came to `{name}`: take more samples"));
    }
    complain(&format!(
        "wrote `{}`: {} of {} tokens, {}",
        args.out,
        count(calibration.samples, "sample"),
        with_thousands(calibration.tokens),
        count(calibration.rows.len() as u64, "matrix input"),
    ));
    Exit::Success
}
