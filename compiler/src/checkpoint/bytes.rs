//! Bounds-checked steps over the bytes of a header.

use super::error::{CheckpointError, Place, Result};

/// A position in bytes.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    position: usize,
    /// What they are, for errors.
    what: &'static str,
}

impl<'a> Bytes<'a> {
    /// A position in `bytes`, which errors call `what`.
    pub(super) fn new(bytes: &'a [u8], position: usize, what: &'static str) -> Bytes<'a> {
        Bytes { bytes, position, what }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// All that follows.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|n| self.position.checked_add(n));
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or_else(|| {
            let error = CheckpointError::truncated(format!(
                "the {} ends at byte {}, {} to follow",
                self.what,
                self.bytes.len(),
                if count == 1 { "1 byte was".to_owned() } else { format!("{count} bytes were") }
            ));
            error.at(Place::Byte(self.position as u64))
        })?;
        self.position += taken.len();
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}
