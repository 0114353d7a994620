//! What goes wrong in a training, as the run says it.

use std::path::{Path, PathBuf};

use icpc_kernels::KernelError;

use crate::eval::EvalError;
use crate::exec::{RunError, RunErrorKind};

/// What goes wrong with a tensor.
pub(super) struct Fault {
    pub(super) tensor: String,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn at(name: &str) -> impl Fn(KernelError) -> Fault {
        move |error| Fault { tensor: name.to_owned(), message: error.to_string() }
    }
}

/// The same failure as one of the run.
pub(super) fn evaluated(error: EvalError) -> RunError {
    let kind = if error.operation == "reading" || error.operation == "cutting windows" {
        RunErrorKind::Source
    } else {
        RunErrorKind::Environment
    };
    let path = PathBuf::from(&error.path);
    let mut found = RunError::new(kind, &path, "training", format!("{}: {}", error.operation, error.message));
    found.tensor = error.tensor.as_deref().map(str::to_owned);
    match &error.remedy {
        Some(remedy) => found.remedy(remedy.to_string()),
        None => found,
    }
}

/// Weights that a format cannot hold, in the training of `output`.
pub(super) fn at_step(output: &Path, step: u64, fault: Fault) -> RunError {
    let message = format!("step {step}: {}", fault.message);
    RunError::new(RunErrorKind::Value, output, "training", message)
        .tensor(&fault.tensor)
        .remedy("take a smaller `lr`, or a format with a wider range")
}

/// Scales of activations that could not be measured.
pub(super) fn not_measured(output: &Path, step: u64, error: EvalError) -> RunError {
    let message = format!("behind step {step}: {}: {}", error.operation, error.message);
    let found = RunError::new(RunErrorKind::Value, output, "calibrating", message);
    let found = error.tensor.iter().fold(found, |found, tensor| found.tensor(tensor));
    error.remedy.iter().fold(found, |found, remedy| found.remedy(remedy.to_string()))
}
