//! What can stop a run: the environment's failures, with path, operation and tensor.

use std::fmt;
use std::io;
use std::path::Path;

use crate::checkpoint::error::Shown;

/// Sort of failure, for callers that decide by it; people read [`RunError`]'s sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunErrorKind {
    /// The plan cannot be run: it does not fit the checkpoint, or its container.
    Plan,
    /// This machine lacks what was asked for.
    Environment,
    /// The checkpoint cannot be read.
    Source,
    /// The checkpoint is no longer the one whose header was read.
    Changed,
    /// A weight that the format cannot hold: NaN, infinity, overflow.
    Value,
    /// The output folder may not be written where it is.
    OutputRefused,
    /// Writing failed.
    Output,
    /// An output that does not read back.
    Stored,
    /// It was asked to end before it was done.
    Interrupted,
    /// A mistake of ours.
    Internal,
}

/// Why a run, a verification or a dequantisation stopped. Nothing half-written is left behind under an output's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    /// Sort of failure.
    pub kind: RunErrorKind,
    /// File or folder.
    pub path: String,
    /// What was being done: `reading`, `writing`, ...
    pub operation: &'static str,
    /// The tensor, if one was at hand.
    pub tensor: Option<String>,
    /// The fact, one clause, lower case, no period.
    pub message: String,
    /// One action that helps, when there is one.
    pub remedy: Option<String>,
}

impl RunError {
    /// An error at `path`.
    pub fn new(
        kind: RunErrorKind,
        path: &Path,
        operation: &'static str,
        message: impl Into<String>,
    ) -> RunError {
        RunError {
            kind,
            path: path.display().to_string(),
            operation,
            tensor: None,
            message: message.into(),
            remedy: None,
        }
    }

    /// A failed operation of the operating system.
    pub fn io(kind: RunErrorKind, path: &Path, operation: &'static str, error: &io::Error) -> RunError {
        let (message, remedy) = match error.kind() {
            io::ErrorKind::StorageFull => {
                ("the disk is full".to_owned(), Some("free space or choose another folder"))
            }
            io::ErrorKind::QuotaExceeded => {
                ("the quota is used up".to_owned(), Some("choose another folder"))
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                ("the file system is read-only".to_owned(), Some("choose another folder"))
            }
            io::ErrorKind::PermissionDenied => {
                ("permission is denied".to_owned(), Some("choose a folder that may be written"))
            }
            io::ErrorKind::FileTooLarge => (
                "the file would be larger than this process or file system allows".to_owned(),
                Some(
                    "raise the limit (`ulimit -f`), split the output into `shards`, or choose another folder",
                ),
            ),
            io::ErrorKind::NotFound => ("no such file or folder".to_owned(), None),
            io::ErrorKind::UnexpectedEof => ("the file ends too early".to_owned(), None),
            _ => (error.to_string(), None),
        };
        let remedy = remedy.filter(|_| kind == RunErrorKind::Output).map(str::to_owned);
        RunError { remedy, ..RunError::new(kind, path, operation, message) }
    }

    /// A mistake of ours.
    pub(crate) fn internal(path: &Path, message: impl Into<String>) -> RunError {
        let message = format!("internal error: {}", message.into());
        RunError::new(RunErrorKind::Internal, path, "running", message)
    }

    /// The same error at tensor `name`.
    #[must_use]
    pub fn tensor(mut self, name: &str) -> RunError {
        if self.tensor.is_none() {
            self.tensor = Some(name.to_owned());
        }
        self
    }

    /// The same error with an action that helps.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> RunError {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.operation)?;
        if let Some(tensor) = &self.tensor {
            write!(f, " tensor `{}`", Shown(tensor))?;
        }
        write!(f, ": {}", self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RunError {}
