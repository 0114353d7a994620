//! From a path to a schema: what lies there, which reader it asks for.

use std::path::Path;

use super::error::{CheckpointError, ErrorKind, Place, Result, Shown};
use super::kind::{self, Kind};
use super::schema::{Container, Schema, SourceFile};
use super::source::{Disk, PathKind, ReadAt, Store};
use super::{config, folder, gguf, hash, index, listing, safetensors, torch};
use crate::base::{count, list};

/// Longest listing that is read, in bytes.
const MAX_LISTING: u64 = 128 << 20;

/// Reads the header of the checkpoint at `path`: a file, or a folder that holds one.
///
/// A `config.json` in the same folder adds its facts; one that cannot be read adds a note instead.
pub fn open(path: &Path) -> Result<Schema> {
    open_in(&Disk, path)
}

/// The same over any [`Store`].
pub fn open_in(store: &dyn Store, path: &Path) -> Result<Schema> {
    let shown = path.display().to_string();
    let kind = store.kind(path).map_err(|e| CheckpointError::io("looking at", &e).in_file(&shown))?;
    let (folder, mut schema) = match kind {
        PathKind::File => {
            let mut schema = one(store, path, true)?;
            let parts = folder::parts(&schema.source);
            if parts > 1 {
                schema.notes.push(format!("one of {parts} parts: name the folder to read them all"));
            }
            (path.parent().unwrap_or(Path::new("")), schema)
        }
        PathKind::Folder => {
            let names = store.names(path).map_err(|e| CheckpointError::io("listing", &e).in_file(&shown))?;
            let choice = folder::choose(&names).map_err(|e| e.in_file(&shown))?;
            let mut schema = match choice.files.as_slice() {
                [file] => one(store, &path.join(file), true)?,
                shards => merge(store, path, shards)?,
            };
            schema.notes.extend(choice.notes);
            (path, schema)
        }
    };
    // A listing says itself which facts it has.
    if schema.container != Container::Listing {
        add_config(store, folder, &mut schema);
    }
    Ok(schema)
}

/// Reads one file of any kind, or, when it is an `index`, the files that it names.
fn one(store: &dyn Store, path: &Path, index: bool) -> Result<Schema> {
    let shown = path.display().to_string();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let read = || -> Result<Schema> {
        let file = store.open(path).map_err(|e| CheckpointError::io("opening", &e))?;
        let file = file.as_ref();
        match kind::of(file, &name)? {
            Kind::Safetensors => one_safetensors(file, name),
            Kind::TorchZip => torch::read_zip(file, &name),
            Kind::TorchLegacy => torch::read_legacy(file, &name),
            Kind::Gguf => gguf::read(file, &name),
            Kind::Json if index => {
                let index = index::parse_index(&text(file, index::MAX_BYTES)?)?;
                sharded(store, path.parent().unwrap_or(Path::new("")), &name, &index)
            }
            Kind::Json => Err(CheckpointError::malformed("an index names it, and it is an index itself")),
            Kind::Listing => listing::parse_listing(&name, &text(file, MAX_LISTING)?),
        }
    };
    read().map_err(|e| e.in_file(shown))
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
        config_problem: None,
        notes: header.notes,
        header_hash: header.hash,
    })
}

/// Reads the files of an index and checks them against it.
fn sharded(store: &dyn Store, folder: &Path, name: &str, index: &index::Index) -> Result<Schema> {
    let shards = index.shards();
    for shard in &shards {
        if store.kind(&folder.join(shard)).is_err() {
            let missing: Vec<&str> = index
                .weight_map
                .iter()
                .filter(|(_, file)| file == shard)
                .map(|(name, _)| name.as_str())
                .collect();
            let message = format!("`{}` is not there, it holds {}", Shown(shard), list(&missing));
            return Err(CheckpointError::new(ErrorKind::Missing, message));
        }
    }
    let owned: Vec<String> = shards.iter().map(|s| (*s).to_owned()).collect();
    let mut schema = merge(store, folder, &owned)?;
    index::check(index, &schema.tensors, &shards)?;
    let total = index.entries.iter().find(|e| e.path == "metadata.total_size");
    let total = total.and_then(|e| e.value.parse::<u64>().ok());
    let held = schema.tensors.iter().map(|t| t.bytes).sum::<u64>();
    if let Some(total) = total.filter(|total| *total != held) {
        schema.notes.push(format!("the index says {total} bytes of tensors, the files hold {held}"));
    }
    name.clone_into(&mut schema.source);
    schema.entries.extend(index.entries.iter().cloned());
    Ok(schema)
}

/// Reads several files as one checkpoint, tensors in the order of the files.
fn merge(store: &dyn Store, folder: &Path, files: &[String]) -> Result<Schema> {
    let mut merged: Option<Schema> = None;
    let mut hashes = Vec::new();
    let mut storages = 0;
    for name in files {
        let part = one(store, &folder.join(name), false)?;
        hashes.push(part.header_hash.clone());
        let Some(whole) = &mut merged else {
            storages = next_storage(&part, 0);
            merged = Some(part);
            continue;
        };
        let first_file = u32::try_from(whole.files.len()).unwrap_or(u32::MAX);
        let first_line = u32::try_from(whole.tensors.len()).unwrap_or(u32::MAX);
        let next = next_storage(&part, storages);
        for mut tensor in part.tensors {
            if let Some(place) = &mut tensor.place {
                place.file = place.file.saturating_add(first_file);
                place.storage = place.storage.saturating_add(storages);
            }
            tensor.line = tensor.line.saturating_add(first_line);
            tensor.tied_to = tensor.tied_to.map(|kept| kept.saturating_add(first_line));
            whole.tensors.push(tensor);
        }
        storages = next;
        whole.files.extend(part.files);
        whole.config.extend(part.config);
        whole.notes.extend(part.notes.into_iter().map(|note| format!("{name}: {note}")));
        for entry in part.entries {
            if !whole.entries.contains(&entry) {
                whole.entries.push(entry);
            }
        }
    }
    let mut merged = merged.ok_or_else(|| CheckpointError::malformed("a checkpoint of no files"))?;
    if merged.container == Container::Safetensors {
        merged.container = Container::SafetensorsSharded;
    }
    merged.source = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    merged.header_hash = hash::hex_of_parts(hashes.iter().map(String::as_bytes));
    if let Some(repeated) = super::names::first_repeated(merged.tensors.iter().map(|t| t.name.as_str())) {
        let tensor = merged.tensors.get(repeated).map_or("", |t| t.name.as_str());
        let holds = |t: &&super::TensorInfo| t.name == tensor;
        let number = |t: &super::TensorInfo| Some(t.place.as_ref()?.file as usize);
        let both: Vec<&str> = merged
            .tensors
            .iter()
            .filter(holds)
            .filter_map(number)
            .filter_map(|file| files.get(file).map(String::as_str))
            .collect();
        let message = format!("it is in {} at once", list(&both));
        return Err(CheckpointError::malformed(message).tensor(tensor).in_file(folder.display().to_string()));
    }
    Ok(merged)
}

fn next_storage(part: &Schema, base: u64) -> u64 {
    let storages = part.tensors.iter().filter_map(|t| t.place.as_ref()).map(|p| p.storage);
    storages.max().map_or(base, |most| base.saturating_add(most).saturating_add(1))
}

/// Adds the facts of a `config.json` in `folder`, if there is one.
fn add_config(store: &dyn Store, folder: &Path, schema: &mut Schema) {
    let path = folder.join("config.json");
    if !matches!(store.kind(&path), Ok(PathKind::File)) {
        return;
    }
    let read = || -> Result<String> {
        let file = store.open(&path).map_err(|e| CheckpointError::io("opening", &e))?;
        text(file.as_ref(), config::MAX_BYTES)
    };
    let facts = read().and_then(|text| config::parse_config("config.json", &text, &mut schema.notes));
    match facts {
        Ok(facts) => schema.config.extend(facts),
        Err(error) => {
            let error = error.in_file("config.json");
            schema.notes.push(format!("{error}: none of its facts are used"));
            schema.config_problem = Some(error.to_string());
        }
    }
}

/// A whole file as text.
fn text(file: &dyn ReadAt, limit: u64) -> Result<String> {
    if file.size() > limit {
        let message =
            format!("a text of {}, the limit is {}", count(file.size(), "byte"), count(limit, "byte"));
        return Err(CheckpointError::limit(message));
    }
    let size = usize::try_from(file.size())
        .map_err(|_| CheckpointError::limit("the text does not fit in memory"))?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0).map_err(|e| CheckpointError::io("reading", &e))?;
    String::from_utf8(bytes).map_err(|e| {
        let place = Place::Byte(e.utf8_error().valid_up_to() as u64);
        CheckpointError::malformed("the text is not UTF-8").at(place)
    })
}
