//! Files that appear whole or not at all.

use std::fs;
use std::path::Path;

use crate::exec::{RunError, RunErrorKind, whole};

fn failed(path: &Path, operation: &'static str, error: &std::io::Error) -> RunError {
    RunError::io(RunErrorKind::Output, path, operation, error)
}

/// Writes a file whole and puts it on the disk; its folder is made.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| failed(folder, "creating", &e))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    whole::write(path, Path::new(&beside), bytes).map_err(|e| failed(path, "writing", &e))
}

/// Removes a folder.
pub(super) fn remove(path: &Path) -> Result<(), RunError> {
    fs::remove_dir_all(path).map_err(|e| failed(path, "removing", &e))
}
