//! What commands that run a model share: arguments, threads, progress, texts.

use std::path::Path;

use clap::builder::RangedU64ValueParser;

use super::{BackendArg, Exit, complain};
use crate::eval::{EvalError, Protocol, Tokens};
use crate::exec::{NotesOnly, Placement, Progress, Stop, Task, terminal_progress, threads};

/// What is measured, in the place of a recipe's `evaluate`.
#[derive(Clone, clap::Args)]
pub(super) struct How {
    /// Text, or token ids where there is no tokenizer
    #[arg(long, value_name = "FILE")]
    data: Option<String>,
    /// Tokenizer file, or `bytes`
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<String>,
    /// Tokens of a window, targets included; the model's positions when it is left out
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    window: Option<usize>,
    /// Tokens from the start of a window to that of the next; the window when it is left out
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    stride: Option<usize>,
    /// Tokens by which a target is ahead; 1 when it is left out
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    shift: Option<usize>,
    /// Windows at most, from the first
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    samples: Option<usize>,
    /// Windows that are run at once
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    batch: Option<usize>,
    /// What computes the model
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) backend: BackendArg,
}

impl How {
    /// As [`evaluate`] wants it.
    pub(super) fn protocol(&self) -> Protocol {
        Protocol {
            data: self.data.clone(),
            tokenizer: self.tokenizer.clone(),
            window: self.window,
            stride: self.stride,
            shift: self.shift,
            samples: self.samples,
            batch: self.batch,
            seed: None,
            statistics: None,
        }
    }
}

/// Runs `work` in a pool of so many threads.
pub(super) fn on_threads<T: Send>(
    asked: Option<u16>,
    work: impl FnOnce() -> Result<T, Exit> + Send,
) -> Result<T, Exit> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads(asked.map(usize::from))).build();
    let pool = pool.map_err(|error| {
        complain(&format!("error: threads cannot be started: {error}"));
        Exit::Files
    })?;
    pool.install(work)
}

/// A bar, or nothing.
pub(super) fn progress(quiet: bool) -> Box<dyn Progress> {
    match quiet {
        true => Box::new(NotesOnly),
        false => terminal_progress(&Placement::here(), Task::ALONE),
    }
}

/// The text to measure on.
pub(super) fn tokens(protocol: &Protocol, stop: &Stop) -> Result<Tokens, Exit> {
    let Some(data) = &protocol.data else {
        complain(
            "error: there is nothing to measure on: name a text with `--data`, or in the recipe's `evaluate`",
        );
        return Err(Exit::Usage);
    };
    Tokens::read(data, protocol.tokenizer.as_deref()).map_err(|e| failed(&e, stop))
}

/// Refuses a file that could not be written in the end, before anything is computed for it.
pub(super) fn writable(path: Option<&str>) -> Result<(), Exit> {
    let Some(path) = path else { return Ok(()) };
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    let reason = match folder {
        Some(folder) if !folder.is_dir() => format!("there is no folder `{}`", folder.display()),
        _ if Path::new(path).is_dir() => "it is a folder".to_owned(),
        _ => return Ok(()),
    };
    complain(&crate::diag::clean(&format!("error: {path}: writing: {reason}")));
    Err(Exit::Files)
}

/// Says why a model gave no numbers.
pub(super) fn failed(error: &EvalError, stop: &Stop) -> Exit {
    if stop.is_asked() {
        complain(&format!("interrupted: {error}"));
        return Exit::Interrupted;
    }
    complain(&crate::diag::clean(&format!("error: {error}")));
    Exit::Files
}
