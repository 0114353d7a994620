//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::exec::{RunError, RunErrorKind};

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
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| failed(path, "writing", &e))
}

/// Removes a folder.
pub(super) fn remove(path: &Path) -> Result<(), RunError> {
    fs::remove_dir_all(path).map_err(|e| failed(path, "removing", &e))
}

/// A safetensors file of arrays, each with its name, its type as that format spells it, its shape and its bytes.
pub(super) fn safetensors(metadata: serde_json::Value, arrays: &[Array<'_>]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), metadata);
    let mut end = 0usize;
    for Array { name, dtype, shape, bytes } in arrays {
        let start = end;
        end = end.saturating_add(bytes.len());
        let entry = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        header.insert((*name).to_owned(), entry);
    }
    // Maps of strings, numbers and lists: there is nothing that could fail.
    let mut text = serde_json::to_vec(&header).unwrap_or_default();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(&text);
    arrays.iter().for_each(|array| out.extend_from_slice(&array.bytes));
    out
}

/// One array of [`safetensors`].
pub(super) struct Array<'a> {
    pub(super) name: &'a str,
    pub(super) dtype: &'a str,
    pub(super) shape: Vec<u64>,
    pub(super) bytes: Vec<u8>,
}
