//! How far a run is, for those who are not in it.

use std::fs;
use std::io;
use std::path::Path;

use super::super::place::Place;
use super::record::{Line, lines};
use super::{LINES, lock};
use crate::exec::RunError;
use crate::exec::error::RunErrorKind;
use crate::report::Worker;

/// What is known of a run that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Files with weights of the whole output; 0 when no journal has a first line yet.
    pub files: usize,
    /// Those that were begun, by name.
    pub begun: Vec<FileStatus>,
}

/// How far one file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Its name.
    pub name: String,
    /// Tensors whose bytes are on the disk.
    pub done: usize,
    /// Tensors of this file.
    pub tensors: usize,
    /// Bytes of those that are done.
    pub done_bytes: u64,
    /// Bytes of this file.
    pub bytes: u64,
    /// Whether a run holds its lock now; nothing where the file system has no locks.
    pub running: Option<bool>,
    /// Who worked on it, in order.
    pub workers: Vec<Worker>,
}

/// What the journals beside `output` say; nothing when there are none.
///
/// # Errors
/// Journals that cannot be read.
pub fn status(output: &Path) -> Result<Option<Status>, RunError> {
    let folder = Place::new(output)?.journal();
    let failed = |path: &Path, error: &io::Error| RunError::io(RunErrorKind::Output, path, "reading", error);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&folder, &error)),
    };
    let mut status = Status::default();
    for entry in entries {
        let path = entry.map_err(|error| failed(&folder, &error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = name.strip_suffix(LINES) else { continue };
        let text = match fs::read(&path) {
            Ok(text) => text,
            // the run ended meanwhile
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&path, &error)),
        };
        let running = lock::is_taken(&path).map_err(|error| failed(&path, &error))?;
        let mut file = FileStatus {
            name: name.to_owned(),
            done: 0,
            tensors: 0,
            done_bytes: 0,
            bytes: 0,
            running,
            workers: Vec::new(),
        };
        for line in lines(&text) {
            match line {
                Line::Begin(begin) => {
                    status.files = begin.files;
                    (file.tensors, file.bytes) = (begin.tensors, begin.bytes);
                }
                Line::By(worker) => file.workers.push(worker),
                Line::Chosen(_) => {}
                Line::Tensor(line) => {
                    file.done += 1;
                    file.done_bytes = file.done_bytes.saturating_add(line.bytes);
                }
            }
        }
        status.begun.push(file);
    }
    status.begun.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(status))
}
