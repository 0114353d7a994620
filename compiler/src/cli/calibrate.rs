//! `icpc calibrate`.

use super::eval::failed;
use super::show::show;
use super::{Exit, Recipe, complain, write_whole};
use crate::base::{count, with_thousands};
use crate::eval::{Calibrated, EvalError, Model, Protocol, Tokens, calibrate};
use crate::exec::{NotesOnly, Placement, Progress, Stop, Task, terminal_progress, threads};

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
    /// Prints no progress
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn main(args: &Args) -> Exit {
    let stop = Stop::on_signals();
    let (mut session, name) = match args.recipe.open() {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let file = &args.recipe.file;
    let found = session.diagnostics(file, Some(&name));
    let checkpoint = session.checkpoint_path(file, &name);
    let exit = show(&session, &found, checkpoint.as_deref(), &args.recipe.messages);
    if exit != Exit::Success {
        return exit;
    }
    let settings = session.recipe(file, &name).and_then(|r| r.calibrate.clone());
    let protocol = settings.as_ref().map(Protocol::of).unwrap_or_default();
    let Some(data) = protocol.data.clone() else {
        complain(&format!(
            "error: `{name}` has no data to calibrate with: add `calibrate {{ data: \"text.txt\" }}`"
        ));
        return Exit::Diagnostics;
    };
    let progress: Box<dyn Progress> = match args.quiet {
        true => Box::new(NotesOnly),
        false => terminal_progress(&Placement::here(), Task::ALONE),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads(args.threads.map(usize::from))).build();
    let pool = match pool {
        Ok(pool) => pool,
        Err(error) => {
            complain(&format!("internal error: {error}"));
            return Exit::Files;
        }
    };
    let calibrated: Result<Calibrated, EvalError> = pool.install(|| {
        let model = Model::open_in(&mut session, file, &name, None)?;
        let tokens = Tokens::read(&data, protocol.tokenizer.as_deref())?;
        calibrate(&model, &tokens, &protocol, progress.as_ref(), &stop)
    });
    let calibrated = match calibrated {
        Ok(calibrated) => calibrated,
        Err(error) => return failed(&error, &stop),
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
