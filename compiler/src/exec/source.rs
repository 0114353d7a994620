//! The weights of a checkpoint: its reader, with the errors of a run.

use std::path::{Component, Path, PathBuf};

use super::error::{RunError, RunErrorKind};

use crate::checkpoint::{CheckpointError, ErrorKind, Schema, TensorInfo, TensorReader};

/// The open files of a checkpoint.
#[derive(Debug)]
pub(super) struct SourceFiles {
    reader: TensorReader,
    paths: Vec<PathBuf>,
}

impl SourceFiles {
    /// Opens the files of `schema`, which was read from `checkpoint` (a file or a folder).
    pub(super) fn open(schema: &Schema, checkpoint: &Path) -> Result<SourceFiles, RunError> {
        let folder = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
        let folder = folder.unwrap_or(Path::new(""));
        for file in &schema.files {
            let name = Path::new(&file.name);
            if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                let message = "the name leads out of the checkpoint's folder";
                return Err(RunError::new(RunErrorKind::Source, name, "opening", message));
            }
        }
        let reader = TensorReader::open(checkpoint, schema).map_err(|e| from_checkpoint(e, "opening"))?;
        Ok(SourceFiles { reader, paths: schema.files.iter().map(|file| folder.join(&file.name)).collect() })
    }

    /// Whether all files still are as they were when the header was read.
    pub(super) fn check_unchanged(&self) -> Result<(), RunError> {
        self.reader.check_unchanged().map_err(|e| from_checkpoint(e, "reading"))
    }

    /// Paths of the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// The elements of `tensor`.
    pub(super) fn tensor<'a>(&'a self, info: &'a TensorInfo) -> Result<SourceTensor<'a>, RunError> {
        let file = info.place.as_ref().and_then(|place| self.paths.get(place.file as usize));
        let path = file.map_or(Path::new(info.name.as_str()), PathBuf::as_path);
        let refused = |message: String| {
            Err(RunError::new(RunErrorKind::Source, path, "reading", message).tensor(&info.name))
        };
        if let Some(kind) = &info.stored_as {
            return refused(format!("elements stored as {kind} cannot be read"));
        }
        if info.place.is_none() {
            return refused("a listing has no weights".to_owned());
        }
        Ok(SourceTensor { reader: &self.reader, info, path })
    }
}

/// One tensor's elements in row-major order.
#[derive(Debug)]
pub(super) struct SourceTensor<'a> {
    reader: &'a TensorReader,
    info: &'a TensorInfo,
    path: &'a Path,
}

impl SourceTensor<'_> {
    /// Path of its file.
    pub(super) fn path(&self) -> &Path {
        self.path
    }

    /// Bytes of an element.
    pub(super) fn width(&self) -> u64 {
        self.info.dtype.width()
    }

    /// Fills `out` with elements from the flat index `first` on.
    pub(super) fn read(&self, first: u64, out: &mut [u8]) -> Result<(), RunError> {
        self.reader.read_at(self.info, first, out).map_err(|e| from_checkpoint(e, "reading"))
    }
}

/// The run's error for a reader's.
pub(crate) fn from_checkpoint(error: CheckpointError, operation: &'static str) -> RunError {
    let kind = match error.kind {
        ErrorKind::Changed => RunErrorKind::Changed,
        _ => RunErrorKind::Source,
    };
    let tensor = match error.place {
        crate::checkpoint::Place::Tensor(name) => Some(name),
        _ => None,
    };
    RunError { kind, path: error.path, operation, tensor, message: error.message, remedy: error.remedy }
}
