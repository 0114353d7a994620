//! The weights of a checkpoint, read at any place through open files; never mapped.

use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use super::error::{RunError, RunErrorKind};
use crate::checkpoint::source::{DiskFile, ReadAt};
use crate::checkpoint::{Schema, TensorInfo};

/// A strided tensor is held whole up to here; a larger one is read element by element.
const HELD_SPAN: u64 = 64 << 20;

/// The open files of a checkpoint.
#[derive(Debug)]
pub(super) struct SourceFiles {
    files: Vec<SourceFile>,
}

#[derive(Debug)]
struct SourceFile {
    path: PathBuf,
    file: DiskFile,
    bytes: u64,
    modified: Option<u64>,
}

impl SourceFiles {
    /// Opens the files of `schema`, which was read from `checkpoint` (a file or a folder).
    pub(super) fn open(schema: &Schema, checkpoint: &Path) -> Result<SourceFiles, RunError> {
        let folder = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
        let folder = folder.unwrap_or(Path::new(""));
        let mut files = Vec::with_capacity(schema.files.len());
        for listed in &schema.files {
            let name = Path::new(&listed.name);
            let path = if checkpoint.is_dir() || schema.files.len() > 1 {
                folder.join(name)
            } else {
                checkpoint.to_path_buf()
            };
            if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                let message = "the name leads out of the checkpoint's folder";
                return Err(RunError::new(RunErrorKind::Source, name, "opening", message));
            }
            let file = DiskFile::open(&path)
                .map_err(|error| RunError::io(RunErrorKind::Source, &path, "opening", &error))?;
            files.push(SourceFile { path, file, bytes: listed.bytes, modified: listed.modified });
        }
        let files = SourceFiles { files };
        files.check_unchanged()?;
        Ok(files)
    }

    /// Whether all files still are as they were when the header was read.
    pub(super) fn check_unchanged(&self) -> Result<(), RunError> {
        for SourceFile { path, file, bytes, modified } in &self.files {
            let changed = |message: String| {
                let error = RunError::new(RunErrorKind::Changed, path, "reading", message);
                Err(error.remedy("run again when nothing writes to the checkpoint"))
            };
            // Both the open file and the one that now has the name: either may be another than the header's.
            let now = file.stamp_now().and_then(|stamp| Ok((stamp, DiskFile::open(path)?)));
            let ((size, time), named) =
                now.map_err(|error| RunError::io(RunErrorKind::Source, path, "looking at", &error))?;
            if size != *bytes || named.size() != *bytes {
                return changed(format!(
                    "the file had {bytes} bytes when its header was read, and now has {size}"
                ));
            }
            if modified.is_some() && (time != *modified || named.modified() != *modified) {
                return changed("the file was written to after its header was read".to_owned());
            }
        }
        Ok(())
    }

    /// Paths of the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The elements of `tensor`.
    pub(super) fn tensor(&self, tensor: &TensorInfo) -> Result<SourceTensor<'_>, RunError> {
        let missing = |message: &str| {
            RunError::new(RunErrorKind::Source, Path::new(&tensor.name), "reading", message)
                .tensor(&tensor.name)
        };
        if let Some(kind) = &tensor.stored_as {
            return Err(missing(&format!("elements stored as {kind} cannot be read")));
        }
        let place = tensor.place.as_ref().ok_or_else(|| missing("a listing has no weights"))?;
        let file = self.files.get(place.file as usize).ok_or_else(|| missing("its file is not listed"))?;
        let elements = tensor.shape.len().ok_or_else(|| missing("its size does not fit in 64 bits"))?;
        let strides = place.strides.as_ref().filter(|_| elements > 0).map(|strides| Strided {
            axes: tensor.shape.0.iter().copied().zip(strides.iter().copied()).collect(),
            held: OnceLock::new(),
        });
        Ok(SourceTensor { file, offset: place.offset, width: tensor.dtype.width(), strides })
    }
}

/// One tensor's elements in row-major order.
#[derive(Debug)]
pub(super) struct SourceTensor<'a> {
    file: &'a SourceFile,
    offset: u64,
    width: u64,
    strides: Option<Strided>,
}

/// Elements that do not lie in row-major order.
#[derive(Debug)]
struct Strided {
    /// Extent and stride of each axis.
    axes: Vec<(u64, u64)>,
    /// The bytes that the view spans, when they are few.
    held: OnceLock<Vec<u8>>,
}

impl SourceTensor<'_> {
    /// Path of its file.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Bytes of an element.
    pub(super) fn width(&self) -> u64 {
        self.width
    }

    /// Fills `out` with elements from the flat index `first` on.
    pub(super) fn read(&self, first: u64, out: &mut [u8]) -> Result<(), RunError> {
        match &self.strides {
            None => {
                let start = first.checked_mul(self.width).and_then(|bytes| bytes.checked_add(self.offset));
                self.bytes(start, out)
            }
            Some(strided) => self.read_strided(strided, first, out),
        }
    }

    fn bytes(&self, start: Option<u64>, out: &mut [u8]) -> Result<(), RunError> {
        let path = &self.file.path;
        let start = start.ok_or_else(|| RunError::internal(path, "an offset overflows"))?;
        self.file.file.read_exact_at(out, start).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::UnexpectedEof => RunErrorKind::Changed,
                _ => RunErrorKind::Source,
            };
            RunError::io(kind, path, "reading", &error)
        })
    }

    fn read_strided(&self, strided: &Strided, first: u64, out: &mut [u8]) -> Result<(), RunError> {
        let overflow = || RunError::internal(&self.file.path, "an offset overflows");
        let span = strided.axes.iter().try_fold(1u64, |span, (extent, stride)| {
            span.checked_add(extent.saturating_sub(1).checked_mul(*stride)?)
        });
        let span = span.and_then(|span| span.checked_mul(self.width)).ok_or_else(overflow)?;
        let held = match strided.held.get() {
            Some(held) => Some(held),
            None if span <= HELD_SPAN => {
                let mut bytes = vec![0; usize::try_from(span).map_err(|_| overflow())?];
                self.bytes(Some(self.offset), &mut bytes)?;
                Some(strided.held.get_or_init(|| bytes))
            }
            None => None,
        };
        let width = usize::try_from(self.width).map_err(|_| overflow())?;
        for (flat, target) in (first..).zip(out.chunks_exact_mut(width)) {
            let at = strided.element(flat).and_then(|element| element.checked_mul(self.width));
            match held {
                Some(held) => {
                    let from = at.and_then(|at| usize::try_from(at).ok()).ok_or_else(overflow)?;
                    let bytes = held.get(from..from.saturating_add(width)).ok_or_else(overflow)?;
                    target.copy_from_slice(bytes);
                }
                None => self.bytes(at.and_then(|at| at.checked_add(self.offset)), target)?,
            }
        }
        Ok(())
    }
}

impl Strided {
    /// Distance in elements of row-major element `flat`.
    fn element(&self, flat: u64) -> Option<u64> {
        let (mut rest, mut at) = (flat, 0u64);
        for (extent, stride) in self.axes.iter().rev() {
            at = at.checked_add((rest % extent).checked_mul(*stride)?)?;
            rest /= extent;
        }
        Some(at)
    }
}
