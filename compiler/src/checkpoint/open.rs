//! From a path to a schema: what lies there, which reader it asks for.

use std::path::Path;

use super::error::{CheckpointError, Result};
use super::schema::{Container, Schema, SourceFile};
use super::source::{Disk, PathKind, ReadAt, Store};
use super::{listing, safetensors, torch};

/// Reads the header of the checkpoint at `path`: a file, or a folder that holds one.
pub fn open(path: &Path) -> Result<Schema> {
    open_in(&Disk, path)
}

/// The same over any [`Store`].
pub fn open_in(store: &dyn Store, path: &Path) -> Result<Schema> {
    let shown = path.display().to_string();
    let kind = store.kind(path).map_err(|e| CheckpointError::io("looking at", &e).in_file(&shown))?;
    match kind {
        PathKind::File => file(store, path).map_err(|e| e.in_file(shown)),
        PathKind::Folder => Err(CheckpointError::unsupported("folders are not read yet").in_file(shown)),
    }
}

fn file(store: &dyn Store, path: &Path) -> Result<Schema> {
    let file = store.open(path).map_err(|e| CheckpointError::io("opening", &e))?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if file.size() >= 9 {
        let mut first = [0u8; 9];
        file.read_exact_at(&mut first, 0).map_err(|e| CheckpointError::io("reading", &e))?;
        if first.last() == Some(&b'{') {
            return one_safetensors(file.as_ref(), name);
        }
    }
    let mut first = vec![0u8; usize::try_from(file.size().min(16)).unwrap_or(0)];
    file.read_exact_at(&mut first, 0).map_err(|e| CheckpointError::io("reading", &e))?;
    if first.starts_with(b"PK\x03\x04") {
        return torch::read_zip(file.as_ref(), &name);
    }
    if first.starts_with(&torch::LEGACY_MAGIC) {
        return torch::read_legacy(file.as_ref(), &name);
    }
    let mut text = vec![0u8; usize::try_from(file.size().min(64 << 20)).unwrap_or(0)];
    file.read_exact_at(&mut text, 0).map_err(|e| CheckpointError::io("reading", &e))?;
    let text = String::from_utf8(text).map_err(|_| CheckpointError::unsupported("no kind of checkpoint"))?;
    listing::parse_listing(&name, &text)
}

fn one_safetensors(file: &dyn ReadAt, name: String) -> Result<Schema> {
    let header = safetensors::read(file, 0)?;
    Ok(Schema {
        source: name.clone(),
        container: Container::Safetensors,
        files: vec![SourceFile { name, bytes: file.size(), modified: file.modified() }],
        tensors: header.tensors,
        entries: header.entries,
        config: Vec::new(),
        notes: header.notes,
        header_hash: header.hash,
    })
}
