//! PyTorch checkpoints: `.pt`, `.pth`, `.bin`, in the zip container and in the older one of bare pickles.
//!
//! ```text
//!  zip ── archive ─┐
//!                  ├─ pickle (records, runs nothing) ─ state (which dict) ─ tensor (place, bounds) ─ TensorInfo
//!  pickles ─ legacy┘
//! ```

mod archive;
mod element;
mod legacy;
mod pickle;
mod quantizer;
mod sharing;
mod show;
mod state;
mod storages;
mod tensor;
mod tree;

use super::error::{CheckpointError, Result, Shown};
use super::schema::{Container, Schema, SourceFile};
use super::source::ReadAt;
use super::{hash, names};
use crate::base::count;
use archive::Archive;
use pickle::{Heap, Id};
use state::State;
use storages::Storages;

pub(super) use legacy::MAGIC as LEGACY_MAGIC;

/// Reads the header of a zip container; `name` is the file's name.
pub(super) fn read_zip(file: &dyn ReadAt, name: &str) -> Result<Schema> {
    let mut archive = Archive::open(file)?;
    archive.check_byte_order()?;
    let bytes = archive.pickle()?;
    let mut heap = Heap::new();
    let (root, _) = pickle::load(&bytes, 0, &mut heap).map_err(|e| in_member(e, &archive.pickle_name()))?;
    let mut state = state::sort(&heap, root, name)?;
    if archive.is_script() {
        let constants = archive.members_in("constants");
        state.notes.push(format!(
            "a TorchScript archive: its tensors are read, its code and {} are not",
            count(constants, "constant")
        ));
    }
    let storages = Storages::new(storages::Container::Zip(&archive));
    finish(file, name, Container::TorchZip, &heap, state, storages, hash::hex(&bytes))
}

/// Reads the header of the older container of bare pickles.
pub(super) fn read_legacy(file: &dyn ReadAt, name: &str) -> Result<Schema> {
    let bytes = legacy::header(file)?;
    let mut heap = Heap::new();
    let parsed = legacy::parse(&bytes, &mut heap)?;
    let mut state = state::sort(&heap, parsed.root, name)?;
    let widths = storages::widths(&heap);
    let found = legacy::Storages::find(file, &heap, &parsed, &widths, &mut state.notes)?;
    let storages = Storages::new(storages::Container::Legacy(&found));
    finish(file, name, Container::TorchLegacy, &heap, state, storages, hash::hex(&bytes))
}

/// Places every tensor of `state`, finds what shares storage, and makes the schema.
fn finish(
    file: &dyn ReadAt,
    name: &str,
    container: Container,
    heap: &Heap<'_>,
    state: State,
    mut storages: Storages<'_>,
    header_hash: String,
) -> Result<Schema> {
    let State { tensors: found, entries, config, mut notes, top } = state;
    if found.is_empty() {
        return Err(CheckpointError::unsupported(format!("no tensor is in it, only {top}")));
    }
    if let Some(repeated) = names::first_repeated(found.iter().map(|(name, _)| name.as_str())) {
        let name = found.get(repeated).map_or("", |(name, _)| name.as_str());
        return Err(CheckpointError::malformed("two of its entries have this name").tensor(name));
    }
    let mut tensors = Vec::with_capacity(found.len());
    let mut budget = quantizer::MAX_BYTES;
    for (i, (name, id)) in found.iter().enumerate() {
        let mut tensor =
            one(file, heap, *id, name, &mut storages, &mut budget).map_err(|e| in_tensor(e, name))?;
        tensor.line = u32::try_from(i).map_err(|_| CheckpointError::limit("too many tensors"))?;
        tensors.push(tensor);
    }
    sharing::tie(&mut tensors);
    sharing::note_overlaps(&tensors, &mut notes);
    storages.check_disjoint()?;
    Ok(Schema {
        source: name.to_owned(),
        container,
        files: vec![SourceFile { name: name.to_owned(), bytes: file.size(), modified: file.modified() }],
        tensors,
        entries,
        config,
        config_problem: None,
        notes,
        header_hash,
    })
}

fn one(
    file: &dyn ReadAt,
    heap: &Heap<'_>,
    id: Id,
    name: &str,
    storages: &mut Storages<'_>,
    budget: &mut u64,
) -> Result<super::schema::TensorInfo> {
    let record = tensor::record(heap, id)?;
    let storage = storages.find(record.key, record.storage_bytes)?;
    let mut tensor = tensor::place(&record, name, storage)?;
    if let Some(parameters) = record.quantizer {
        let quantized = quantizer::read(file, heap, parameters, &tensor, storages, budget)?;
        tensor.quantized = Some(Box::new(quantized));
    }
    Ok(tensor)
}

/// Names the member in an error that counts its bytes.
fn in_member(mut error: CheckpointError, member: &str) -> CheckpointError {
    error.message = format!("{} (member `{}`)", error.message, Shown(member));
    error
}

/// Names the tensor in an error that names a member of the archive.
fn in_tensor(mut error: CheckpointError, name: &str) -> CheckpointError {
    if error.place != super::error::Place::File {
        error.message = format!("{} (tensor `{}`)", error.message, Shown(name));
    }
    error.tensor(name)
}
