//! What can be wrong with a checkpoint, as one sentence that names file, place and remedy.

use std::fmt;
use std::io;

/// Sort of failure, for callers that decide by it; people read [`CheckpointError`]'s sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// No such file or folder.
    Missing,
    /// The operating system refused to read.
    Io,
    /// The file ends before what its header promises.
    Truncated,
    /// The bytes contradict the format, or each other.
    Malformed,
    /// A valid file that this reader does not read.
    Unsupported,
    /// A declared size exceeds what a reader is willing to allocate.
    Limit,
    /// The file is no longer the one whose header was read.
    Changed,
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A byte offset.
    Byte(u64),
    /// A line, from 1.
    Line(u64),
    /// A line and a column, both from 1.
    LineColumn(u64, u64),
    /// A member of an archive.
    Member(String),
    /// A tensor.
    Tensor(String),
    /// A key of a header or of a configuration.
    Key(String),
}

/// A checkpoint, or a file beside it, that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointError {
    /// File; empty until the layer that knows it fills it in.
    pub path: String,
    /// Where in that file.
    pub place: Place,
    /// Sort of failure.
    pub kind: ErrorKind,
    /// The fact, one clause, lower case, no period.
    pub message: String,
    /// One action that helps, when there is one.
    pub remedy: Option<String>,
}

/// Result of everything that reads a checkpoint.
pub type Result<T> = std::result::Result<T, CheckpointError>;

impl CheckpointError {
    /// An error about a file that is not named yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> CheckpointError {
        CheckpointError {
            path: String::new(),
            place: Place::File,
            kind,
            message: message.into(),
            remedy: None,
        }
    }

    /// Bytes that contradict the format.
    pub fn malformed(message: impl Into<String>) -> CheckpointError {
        CheckpointError::new(ErrorKind::Malformed, message)
    }

    /// A file that ends too early.
    pub fn truncated(message: impl Into<String>) -> CheckpointError {
        CheckpointError::new(ErrorKind::Truncated, message)
    }

    /// A valid file that is not read.
    pub fn unsupported(message: impl Into<String>) -> CheckpointError {
        CheckpointError::new(ErrorKind::Unsupported, message)
    }

    /// A size beyond a limit.
    pub fn limit(message: impl Into<String>) -> CheckpointError {
        CheckpointError::new(ErrorKind::Limit, message)
    }

    /// A failed operation of the operating system, `doing` as in "reading".
    pub fn io(doing: &str, error: &io::Error) -> CheckpointError {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::Missing,
            io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
            _ => ErrorKind::Io,
        };
        let message = match kind {
            ErrorKind::Missing => "no such file or folder".to_owned(),
            ErrorKind::Truncated => format!("{doing} it met the end of the file"),
            _ => format!("{doing} it failed: {error}"),
        };
        CheckpointError::new(kind, message)
    }

    /// The same error at `place`; a place that is already known stays.
    #[must_use]
    pub fn at(mut self, place: Place) -> CheckpointError {
        if self.place == Place::File {
            self.place = place;
        }
        self
    }

    /// The same error at tensor `name`.
    #[must_use]
    pub fn tensor(self, name: &str) -> CheckpointError {
        self.at(Place::Tensor(name.to_owned()))
    }

    /// The same error with an action that helps.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> CheckpointError {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same error in file `path`; a path that is already known stays.
    #[must_use]
    pub fn in_file(mut self, path: impl Into<String>) -> CheckpointError {
        if self.path.is_empty() {
            self.path = path.into();
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => Ok(()),
            Place::Byte(offset) => write!(f, "byte {offset}"),
            Place::Line(line) => write!(f, "line {line}"),
            Place::LineColumn(line, column) => write!(f, "line {line} column {column}"),
            Place::Member(name) => write!(f, "member `{}`", Shown(name)),
            Place::Tensor(name) => write!(f, "tensor `{}`", Shown(name)),
            Place::Key(name) => write!(f, "key `{}`", Shown(name)),
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        if self.place != Place::File {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CheckpointError {}

/// A name from an untrusted file, fit for one line of a message: control characters escaped, at most 120
/// characters.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, c) in self.0.chars().enumerate() {
            match c {
                _ if i >= 120 => return f.write_str("…"),
                c if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{2066}' => {
                    write!(f, "{}", c.escape_default())?;
                }
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}
