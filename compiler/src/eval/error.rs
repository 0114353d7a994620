//! What can stop a model: the environment's failures, with layer, operation and tensor.

use std::fmt;

use icpc_kernels::KernelError;

/// Why a model cannot be opened or run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// File or folder.
    pub path: String,
    /// Member of the loop in which it happened: `layers.3`.
    pub layer: Option<Box<str>>,
    /// The operation: `linear`, `reading`.
    pub operation: String,
    /// The tensor, if one was at hand.
    pub tensor: Option<Box<str>>,
    /// The fact, one clause, lower case, no period.
    pub message: String,
    /// One action that helps, when there is one.
    pub remedy: Option<Box<str>>,
}

impl EvalError {
    /// An error at `path`.
    pub fn new(path: &str, operation: &str, message: impl Into<String>) -> EvalError {
        EvalError {
            path: path.to_owned(),
            layer: None,
            operation: operation.to_owned(),
            tensor: None,
            message: message.into(),
            remedy: None,
        }
    }

    /// Somebody asked for the end of what `path` is read or run for.
    pub(super) fn asked_to_end(path: &str) -> EvalError {
        EvalError::new(path, "running", "it was asked to end")
    }

    /// The same error at tensor `name`.
    #[must_use]
    pub fn tensor(mut self, name: &str) -> EvalError {
        self.tensor = Some(name.into());
        self
    }

    /// The same error with an action that helps.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> EvalError {
        self.remedy = Some(remedy.into().into_boxed_str());
        self
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.operation)?;
        if let Some(layer) = &self.layer {
            write!(f, " in `{layer}`")?;
        }
        if let Some(tensor) = &self.tensor {
            write!(f, ", tensor `{tensor}`")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for EvalError {}

/// Why an operation failed; the interpreter adds where.
#[derive(Debug)]
pub(super) struct Failure {
    pub message: String,
    /// The weight it is about.
    pub tensor: Option<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), tensor: None }
    }

    /// A graph that lacks what its declaration promises.
    pub(super) fn internal(what: &str) -> Failure {
        Failure::new(format!("internal error: {what}"))
    }
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Failure {
        Failure::new(error.to_string())
    }
}
