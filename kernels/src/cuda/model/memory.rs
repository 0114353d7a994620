//! Tensors on a device. Memory that a tensor lets go is given to the next one of its size, since the same sizes come again from
//! layer to layer; a recording has memory of its own, at addresses that stay.

use super::super::launch::{Fault, Lane};
use super::{Device, full, kernel_error};
use crate::KernelError;
use crate::error::expect_length;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sizes are multiples of this, and addresses too.
const UNIT: u64 = 256;

/// Memory that nothing uses, by who may have it and by size.
#[derive(Default)]
pub(super) struct Memory {
    idle: BTreeMap<(u64, u64), Vec<u64>>,
    /// All memory of a recording, by its number.
    kept: BTreeMap<u64, Vec<u64>>,
    /// Who asks: 0, or the recording that is being made.
    pub(super) owner: u64,
    pub(super) last_owner: u64,
    /// Recordings that there are. What they read may have been dropped, but must not be gone.
    pub(super) recordings: usize,
    /// Bytes that were allocated and not freed.
    bytes: u64,
}

impl Memory {
    pub(super) fn take(&mut self, lane: &mut dyn Lane, bytes: u64) -> Result<u64, KernelError> {
        if let Some(address) = self.idle.get_mut(&(self.owner, bytes)).and_then(Vec::pop) {
            return Ok(address);
        }
        let address = match lane.allocate(bytes) {
            Err(Fault::Memory { .. }) if self.recordings == 0 => {
                self.free_idle(lane);
                lane.allocate(bytes).map_err(kernel_error)?
            }
            Err(Fault::Memory { bytes }) => return Err(full(bytes)),
            made => made.map_err(kernel_error)?,
        };
        self.bytes += bytes;
        if self.owner != 0 {
            self.kept.entry(self.owner).or_default().push(address);
        }
        Ok(address)
    }

    fn free_idle(&mut self, lane: &mut dyn Lane) {
        for ((_, bytes), addresses) in self.idle.iter_mut().filter(|((owner, _), _)| *owner == 0) {
            self.bytes -= bytes * addresses.len() as u64;
            addresses.drain(..).for_each(|address| lane.free(address));
        }
    }

    /// A recording is forgotten: what was only its own is free.
    pub(super) fn free_owner(&mut self, lane: &mut dyn Lane, owner: u64) {
        let kept = self.kept.remove(&owner).unwrap_or_default();
        let idle: Vec<(u64, u64)> = self.idle.keys().copied().filter(|key| key.0 == owner).collect();
        for key in idle {
            let addresses = self.idle.remove(&key).unwrap_or_default();
            for address in addresses.into_iter().filter(|address| kept.contains(address)) {
                self.bytes -= key.1;
                lane.free(address);
            }
        }
    }
}

/// Memory of one tensor, which goes back when it is dropped.
struct Block {
    device: Device,
    address: u64,
    bytes: u64,
    owner: u64,
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut state = self.device.state();
        state.memory.idle.entry((self.owner, self.bytes)).or_default().push(self.address);
    }
}

/// Some of a block: 4-byte elements.
#[derive(Clone)]
struct Part {
    block: Arc<Block>,
    offset: usize,
    len: usize,
}

impl Part {
    fn address(&self) -> u64 {
        self.block.address + 4 * self.offset as u64
    }

    fn slice(&self, what: &'static str, first: usize, len: usize) -> Result<Part, KernelError> {
        match first.checked_add(len) {
            Some(end) if end <= self.len => {
                Ok(Part { block: Arc::clone(&self.block), offset: self.offset + first, len })
            }
            end => expect_length(what, self.len, end.unwrap_or(usize::MAX)).map(|()| self.clone()),
        }
    }
}

/// Activations: f32 on a device. Clones are the same memory, which functions never write to but where they say so.
#[derive(Clone)]
pub struct Floats(Part);

/// Token ids or positions: u32 on a device.
#[derive(Clone)]
pub struct Ids(Part);

/// Bytes on a device that stay: parts of weights, tables.
#[derive(Clone)]
pub(super) struct Bytes(Arc<Block>);

impl Floats {
    /// Elements.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    pub(super) fn address(&self) -> u64 {
        self.0.address()
    }

    /// Wait for all that was asked for, and get them.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn download(&self) -> Result<Vec<f32>, KernelError> {
        self.0.block.device.download(self)
    }

    /// What holds them.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes(Arc::clone(&self.0.block))
    }

    /// Neighbours among them, in the same memory. `first` is a multiple of 4 where a kernel is to read them as vectors.
    ///
    /// # Errors
    /// [`KernelError::Length`] when there are no such.
    pub fn slice(&self, first: usize, len: usize) -> Result<Floats, KernelError> {
        self.0.slice("part of a tensor", first, len).map(Floats)
    }
}

impl Ids {
    /// Elements.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    pub(super) fn address(&self) -> u64 {
        self.0.address()
    }
}

impl Bytes {
    pub(super) fn address(&self) -> u64 {
        self.0.address
    }
}

impl std::fmt::Debug for Floats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floats").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn bytes_of_ids(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

impl Device {
    fn block(&self, bytes: u64) -> Result<Block, KernelError> {
        let bytes = bytes.max(1).next_multiple_of(UNIT);
        let mut guard = self.state();
        let state = &mut *guard;
        let address = state.memory.take(state.lane.as_mut(), bytes)?;
        let owner = state.memory.owner;
        drop(guard);
        Ok(Block { device: self.clone(), address, bytes, owner })
    }

    fn part(&self, what: &'static str, len: usize) -> Result<Part, KernelError> {
        let bytes = crate::model::product_of(what, len, 1)? as u64 * 4;
        Ok(Part { block: Arc::new(self.block(bytes)?), offset: 0, len })
    }

    /// Room for activations; what is in it is not known.
    pub(super) fn room(&self, len: usize) -> Result<Floats, KernelError> {
        self.part("activations", len).map(Floats)
    }

    /// `rows × columns` of them.
    pub(super) fn matrix(&self, rows: usize, columns: usize) -> Result<Floats, KernelError> {
        self.room(crate::model::product_of("activations", rows, columns)?)
    }

    pub(super) fn id_room(&self, len: usize) -> Result<Ids, KernelError> {
        self.part("ids", len).map(Ids)
    }

    /// Copy to addresses of this device's tensors, with one wait for all.
    pub(super) fn write(&self, copies: &[(u64, &[u8])]) -> Result<(), KernelError> {
        self.state().lane.copy_in(copies)
    }

    pub(super) fn fill(&self, address: u64, bytes: u64, byte: u8) -> Result<(), KernelError> {
        if bytes == 0 { Ok(()) } else { self.state().lane.fill(address, bytes, byte) }
    }

    pub(super) fn copy_words(&self, from: u64, to: u64, words: usize) -> Result<(), KernelError> {
        if words == 0 { Ok(()) } else { self.state().lane.copy_within(from, to, 4 * words as u64) }
    }

    /// Copy from addresses of this device's tensors, with one wait for all.
    pub(super) fn read(&self, copies: &mut [(u64, &mut [u8])]) -> Result<(), KernelError> {
        self.state().lane.copy_out(copies)
    }

    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<Bytes, KernelError> {
        let block = self.block(bytes.len() as u64)?;
        self.write(&[(block.address, bytes)])?;
        Ok(Bytes(Arc::new(block)))
    }

    pub(super) fn byte_room(&self, bytes: usize) -> Result<Bytes, KernelError> {
        Ok(Bytes(Arc::new(self.block(bytes as u64)?)))
    }

    /// Put activations on the device.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn upload(&self, values: &[f32]) -> Result<Floats, KernelError> {
        let floats = self.room(values.len())?;
        self.write(&[(floats.address(), crate::model::bytes_of(values))])?;
        Ok(floats)
    }

    /// Put others in the places of ids, with one wait for all: what was recorded with them reads these.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn replace_ids(&self, replaced: &[(&Ids, &[u32])]) -> Result<(), KernelError> {
        replaced.iter().try_for_each(|(ids, by)| expect_length("ids", ids.len(), by.len()))?;
        let bytes: Vec<(u64, Vec<u8>)> =
            replaced.iter().map(|(ids, by)| (ids.address(), bytes_of_ids(by))).collect();
        let copies: Vec<(u64, &[u8])> = bytes.iter().map(|(to, bytes)| (*to, bytes.as_slice())).collect();
        self.write(&copies)
    }

    /// Put ids on the device.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn upload_ids(&self, ids: &[u32]) -> Result<Ids, KernelError> {
        let made = self.id_room(ids.len())?;
        self.write(&[(made.address(), &bytes_of_ids(ids))])?;
        Ok(made)
    }

    /// So many zeros.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn zeros(&self, len: usize) -> Result<Floats, KernelError> {
        let floats = self.room(len)?;
        self.fill(floats.address(), 4 * len as u64, 0)?;
        Ok(floats)
    }

    /// So many zeros.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn zero_ids(&self, len: usize) -> Result<Ids, KernelError> {
        let ids = self.id_room(len)?;
        self.fill(ids.address(), 4 * len as u64, 0)?;
        Ok(ids)
    }

    /// Wait for all that was asked for, and get activations.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn download(&self, floats: &Floats) -> Result<Vec<f32>, KernelError> {
        let mut values = vec![0.0; floats.len()];
        self.read(&mut [(floats.address(), crate::model::bytes_of_mut(&mut values))])?;
        Ok(values)
    }

    /// Wait for all that was asked for, and get ids.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn download_ids(&self, ids: &Ids) -> Result<Vec<u32>, KernelError> {
        let mut bytes = vec![0; 4 * ids.len()];
        self.read(&mut [(ids.address(), &mut bytes)])?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|&id| u32::from_le_bytes(id)).collect())
    }

    /// Bytes of device memory in use, or idle for the next tensor.
    pub fn memory(&self) -> u64 {
        self.state().memory.bytes
    }
}
