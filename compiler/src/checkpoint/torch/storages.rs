//! One way to the storages of both containers, each located once.

use std::collections::BTreeMap;

use super::super::error::{CheckpointError, Place, Result, Shown};
use super::archive::Archive;
use super::element;
use super::legacy;
use super::pickle::{Heap, Node};
use super::tensor::Storage;

/// Where storages come from.
pub(super) enum Container<'a> {
    /// Members of the zip container.
    Zip(&'a Archive<'a>),
    /// What follows the pickles.
    Legacy(&'a legacy::Storages),
}

/// The storages that tensors asked for.
pub(super) struct Storages<'a> {
    container: Container<'a>,
    located: BTreeMap<String, Storage>,
}

impl<'a> Storages<'a> {
    pub(super) fn new(container: Container<'a>) -> Storages<'a> {
        Storages { container, located: BTreeMap::new() }
    }

    /// Where storage `key` lies; it must hold exactly `bytes`.
    pub(super) fn find(&mut self, key: &str, bytes: u64) -> Result<Storage> {
        if let Some(storage) = self.located.get(key) {
            if storage.bytes == bytes {
                return Ok(*storage);
            }
            let message =
                format!("storage `{}` holds {} bytes, the pickle says {bytes}", Shown(key), storage.bytes);
            return Err(CheckpointError::malformed(message));
        }
        let storage = match &self.container {
            Container::Zip(archive) => archive.storage(key, bytes)?,
            Container::Legacy(storages) => storages.storage(key, bytes)?,
        };
        self.located.insert(key.to_owned(), storage);
        Ok(storage)
    }

    /// Two storages that share bytes would let a small file ask for a large output.
    pub(super) fn check_disjoint(&self) -> Result<()> {
        let mut order: Vec<(&str, Storage)> = self.located.iter().map(|(k, s)| (k.as_str(), *s)).collect();
        order.sort_by_key(|(_, s)| (s.offset, s.bytes));
        let mut before = ("", 0);
        for (key, storage) in order.into_iter().filter(|(_, s)| s.bytes > 0) {
            if storage.offset < before.1 {
                let message = format!("its bytes overlap those of storage `{}`", Shown(before.0));
                return Err(CheckpointError::malformed(message).at(Place::Member(format!("data/{key}"))));
            }
            before = (key, storage.offset.saturating_add(storage.bytes));
        }
        Ok(())
    }
}

/// Bytes of an element of each storage that a pickle mentions, by key.
pub(super) fn widths(heap: &Heap<'_>) -> BTreeMap<String, u64> {
    let mut widths = BTreeMap::new();
    for node in heap.nodes() {
        let Node::Persistent(id) = node else { continue };
        let Some([_, class, key, ..]) = heap.tuple(*id) else { continue };
        let element = heap.global(*class).and_then(element::of_storage);
        if let (Some(key), Some(element)) = (heap.text(*key), element) {
            widths.insert(key.to_owned(), element.map_or(1, |e| e.width));
        }
    }
    widths
}
