//! What looks for NaN and infinity: on the device, so that nobody waits for each result.

use super::super::sources::ELEMENTWISE;
use super::memory::{Bytes, Floats, Ids};
use super::{Call, Device};
use crate::KernelError;
use crate::error::expect_length;

/// Bits of an index within a tensor; the tensor's number stands above them.
const INDEX: u32 = 40;

/// The first value that was NaN or infinite: the number of its tensor, and where in it.
pub type Seen = Option<(usize, usize)>;

/// Tensors that are looked at by one launch, which may be asked for before they are known.
pub struct Looks {
    table: Bytes,
    room: usize,
    tensors: Vec<Floats>,
}

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looks").field("tensors", &self.tensors.len()).finish_non_exhaustive()
    }
}

impl Device {
    /// A place that takes the first value that is NaN or infinite, of any of the tensors that are looked at.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn witness(&self) -> Result<Ids, KernelError> {
        let ids = self.id_room(2)?;
        self.begin_looking(&ids)?;
        Ok(ids)
    }

    /// Let a witness forget what it has seen.
    ///
    /// # Errors
    /// [`KernelError::Length`] for what is no witness; [`KernelError::Device`].
    pub fn begin_looking(&self, witness: &Ids) -> Result<(), KernelError> {
        expect_length("a witness", 2, witness.len())?;
        self.fill(witness.address(), 8, 0xff)
    }

    /// Look at a tensor, of which `number` tells; the first one counts.
    ///
    /// # Errors
    /// [`KernelError::Length`] for what is no witness; [`KernelError::Device`].
    pub fn look(&self, witness: &Ids, number: usize, x: &Floats) -> Result<(), KernelError> {
        expect_length("a witness", 2, witness.len())?;
        let words = [x.address(), x.len() as u64, witness.address(), number as u64];
        self.launch_each(ELEMENTWISE, "not_finite", x.len(), &words)
    }

    /// Room for so many tensors; until they are given nothing is looked at.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn looks(&self, room: usize) -> Result<Looks, KernelError> {
        let table = self.byte_room(16 * room.max(1))?;
        self.fill(table.address(), 16 * room as u64, 0)?;
        Ok(Looks { table, room, tensors: Vec::new() })
    }

    /// Look at all of them, numbered from 0 on.
    ///
    /// # Errors
    /// [`KernelError::Length`] for what is no witness; [`KernelError::Device`].
    pub fn look_at_all(&self, witness: &Ids, looks: &Looks) -> Result<(), KernelError> {
        expect_length("a witness", 2, witness.len())?;
        let words = [looks.table.address(), witness.address()];
        let (blocks, kernel) = (looks.room as u64, "not_finite_all");
        self.launch(&Call { family: ELEMENTWISE, kernel, blocks, threads: 256, words: &words })
    }

    /// Give the tensors, which are kept from now on.
    ///
    /// # Errors
    /// [`KernelError::Length`] when there are more than there is room for; [`KernelError::Device`].
    pub fn set_looks(&self, looks: &mut Looks, tensors: Vec<Floats>) -> Result<(), KernelError> {
        if tensors.len() > looks.room {
            return expect_length("tensors to look at", looks.room, tensors.len());
        }
        let words = tensors.iter().flat_map(|x| [x.address(), x.len() as u64]);
        let table: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        self.write(&[(looks.table.address(), &table)])?;
        looks.tensors = tensors;
        Ok(())
    }

    /// Wait for all that was asked for, and get what a witness has seen.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn seen(&self, witness: &Ids) -> Result<Seen, KernelError> {
        expect_length("a witness", 2, witness.len())?;
        let mut bytes = [0; 8];
        self.read(&mut [(witness.address(), &mut bytes)])?;
        Ok(told(bytes))
    }

    /// The same, and activations with it: one wait for both.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn seen_with(&self, witness: &Ids, floats: &Floats) -> Result<(Seen, Vec<f32>), KernelError> {
        expect_length("a witness", 2, witness.len())?;
        let (mut bytes, mut values) = ([0; 8], vec![0.0; floats.len()]);
        self.read(&mut [
            (witness.address(), &mut bytes),
            (floats.address(), crate::model::bytes_of_mut(&mut values)),
        ])?;
        Ok((told(bytes), values))
    }
}

fn told(bytes: [u8; 8]) -> Seen {
    let word = u64::from_le_bytes(bytes);
    let index = word & ((1 << INDEX) - 1);
    (word != u64::MAX).then_some(((word >> INDEX) as usize, index as usize))
}
