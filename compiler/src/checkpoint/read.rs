//! Weights, for the executor: elements of a tensor in row-major order, wherever the file keeps them.
//!
//! Nothing is mapped into memory: a page fault of a file that was cut off would end the process.

use std::path::{Path, PathBuf};

use super::error::{CheckpointError, ErrorKind, Result};
use super::gather;
use super::schema::{Placement, Schema, TensorInfo};
use super::source::{DiskFile, ReadAt};

/// Open files of a checkpoint. Reading takes `&self`: threads share one reader.
#[derive(Debug)]
pub struct TensorReader {
    files: Vec<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: DiskFile,
}

impl TensorReader {
    /// Opens the files of `schema`, which was read from `path`, and checks that they are still those.
    pub fn open(path: &Path, schema: &Schema) -> Result<TensorReader> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let mut files = Vec::with_capacity(schema.files.len());
        for source in &schema.files {
            let path = folder.join(&source.name);
            let shown = path.display().to_string();
            let file =
                DiskFile::open(&path).map_err(|e| CheckpointError::io("opening", &e).in_file(&shown))?;
            unchanged(&path, (source.bytes, source.modified), (file.size(), file.modified()))?;
            files.push(OpenFile { path, file });
        }
        Ok(TensorReader { files })
    }

    /// Checks that no file changed since it was opened: before a run says that it is done.
    pub fn check_unchanged(&self) -> Result<()> {
        for OpenFile { path, file } in &self.files {
            let now = file.stamp_now();
            let now =
                now.map_err(|e| CheckpointError::io("looking at", &e).in_file(path.display().to_string()))?;
            unchanged(path, (file.size(), file.modified()), now)?;
        }
        Ok(())
    }

    /// Fills `buffer` with the elements of `tensor` from number `start` on, counted in row-major order.
    ///
    /// `buffer` holds a whole number of elements, as they are stored, little-endian. Strided views are gathered. A
    /// tensor of blocks (`stored_as`) counts bytes instead of elements.
    pub fn read_at(&self, tensor: &TensorInfo, start: u64, buffer: &mut [u8]) -> Result<()> {
        let place = tensor.place.as_ref().ok_or_else(|| {
            CheckpointError::new(ErrorKind::Missing, "it is from a listing, which has no weights")
                .tensor(&tensor.name)
        })?;
        let file = self.files.get(place.file as usize).ok_or_else(|| {
            CheckpointError::new(ErrorKind::Missing, "it is in a file that is not open").tensor(&tensor.name)
        })?;
        self.read_place(file, tensor, place, start, buffer).map_err(|e| {
            let e = match e.kind {
                // The header was checked against the size: a file that ends early became shorter.
                ErrorKind::Truncated => changed("it is shorter than its header said"),
                _ => e,
            };
            e.tensor(&tensor.name).in_file(file.path.display().to_string())
        })
    }

    fn read_place(
        &self,
        file: &OpenFile,
        tensor: &TensorInfo,
        place: &Placement,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<()> {
        let width = match &tensor.stored_as {
            Some(_) if place.strides.is_none() => 1,
            _ => element_width(tensor),
        };
        let from = start.checked_mul(width);
        let end = from.and_then(|from| from.checked_add(buffer.len() as u64));
        let (Some(from), Some(_)) = (from, end.filter(|end| *end <= tensor.bytes)) else {
            let message = format!("{} bytes from element {start} reach beyond its end", buffer.len());
            return Err(CheckpointError::malformed(message));
        };
        match &place.strides {
            None => {
                let offset = place.offset.checked_add(from);
                let offset = offset.ok_or_else(|| CheckpointError::malformed("its offset overflows"))?;
                file.file.read_exact_at(buffer, offset).map_err(|e| CheckpointError::io("reading", &e))
            }
            Some(strides) => {
                let view = gather::View { shape: &tensor.shape.0, strides, offset: place.offset, width };
                gather::gather(&file.file, &view, start, buffer)
            }
        }
    }
}

/// Bytes of one element; of a type that no dtype says, what its shape leaves.
fn element_width(tensor: &TensorInfo) -> u64 {
    match (&tensor.stored_as, tensor.shape.len()) {
        (Some(_), Some(count)) if count > 0 => tensor.bytes / count,
        _ => tensor.dtype.width(),
    }
}

fn changed(how: &str) -> CheckpointError {
    let error =
        CheckpointError::new(ErrorKind::Changed, format!("the checkpoint changed under the run: {how}"));
    error.remedy("start again once nothing writes to it")
}

fn unchanged(path: &Path, before: (u64, Option<u64>), now: (u64, Option<u64>)) -> Result<()> {
    let how = match (before, now) {
        ((a, _), (b, _)) if a != b => format!("{a} bytes became {b}"),
        ((_, Some(a)), (_, Some(b))) if a != b => "it was written to since its header was read".to_owned(),
        _ => return Ok(()),
    };
    Err(changed(&how).in_file(path.display().to_string()))
}
