//! Content hashes of stored arrays, whatever the order in which their bytes come.
//!
//! An array is cut into pieces of [`PIECE`] bytes, the last one shorter; each piece is hashed by XXH3-128; the content
//! hash is XXH3-128 of the pieces' hashes, 16 little-endian bytes each, in order. So neither threads nor chunk
//! lengths can change it, and a piece is hashed while it is in a cache.

use std::collections::BTreeMap;
use std::sync::Mutex;

use xxhash_rust::xxh3::xxh3_128;

/// Bytes of a piece.
pub const PIECE: usize = 1 << 20;

/// Gathers the pieces of one array.
#[derive(Debug)]
pub struct Content {
    bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    hashes: Vec<Option<u128>>,
    /// Pieces of which some bytes are still to come.
    open: BTreeMap<usize, Open>,
    /// Buffers of pieces that are complete.
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Open {
    bytes: Vec<u8>,
    missing: usize,
}

impl Content {
    /// Of an array of `bytes` bytes.
    pub fn new(bytes: u64) -> Content {
        let pieces = usize::try_from(bytes.div_ceil(PIECE as u64)).unwrap_or(0);
        let state = State { hashes: vec![None; pieces], open: BTreeMap::new(), spare: Vec::new() };
        Content { bytes, state: Mutex::new(state) }
    }

    fn piece_length(&self, piece: usize) -> usize {
        let start = (piece as u64).saturating_mul(PIECE as u64);
        usize::try_from(self.bytes.saturating_sub(start)).unwrap_or(PIECE).min(PIECE)
    }

    /// Takes in `bytes` that begin at `offset` of the array; every byte comes once.
    pub fn add(&self, offset: u64, bytes: &[u8]) {
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let Ok(piece) = usize::try_from(offset / PIECE as u64) else { return };
            let within = (offset % PIECE as u64) as usize;
            let length = self.piece_length(piece);
            let take = length.saturating_sub(within).min(rest.len());
            let Some((part, later)) = rest.split_at_checked(take).filter(|_| take > 0) else { return };
            if part.len() == length {
                let hash = xxh3_128(part);
                self.record(piece, hash, None);
            } else {
                self.fill(piece, within, length, part);
            }
            rest = later;
            offset = offset.saturating_add(take as u64);
        }
    }

    fn fill(&self, piece: usize, within: usize, length: usize, part: &[u8]) {
        let Ok(mut state) = self.state.lock() else { return };
        let State { open, spare, .. } = &mut *state;
        let entry = open.entry(piece).or_insert_with(|| {
            let mut bytes = spare.pop().unwrap_or_default();
            bytes.resize(length, 0);
            Open { bytes, missing: length }
        });
        if let Some(target) = entry.bytes.get_mut(within..within.saturating_add(part.len())) {
            target.copy_from_slice(part);
            entry.missing = entry.missing.saturating_sub(part.len());
        }
        if entry.missing == 0 {
            let complete = open.remove(&piece);
            drop(state);
            if let Some(Open { bytes, .. }) = complete {
                let hash = xxh3_128(&bytes);
                self.record(piece, hash, Some(bytes));
            }
        }
    }

    fn record(&self, piece: usize, hash: u128, buffer: Option<Vec<u8>>) {
        if let Ok(mut state) = self.state.lock() {
            if let Some(slot) = state.hashes.get_mut(piece) {
                *slot = Some(hash);
            }
            state.spare.extend(buffer);
        }
    }

    /// The content hash (hex); nothing when bytes are missing.
    pub fn finish(&self) -> Option<String> {
        let state = self.state.lock().ok()?;
        let mut list = Vec::with_capacity(state.hashes.len().saturating_mul(16));
        for hash in &state.hashes {
            list.extend_from_slice(&(*hash)?.to_le_bytes());
        }
        Some(format!("{:032x}", xxh3_128(&list)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> String {
        let list: Vec<u8> = bytes.chunks(PIECE).flat_map(|piece| xxh3_128(piece).to_le_bytes()).collect();
        format!("{:032x}", xxh3_128(&list))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn order_and_length_do_not_matter(length in 0usize..3 * PIECE, cuts in prop::collection::vec(0usize..3 * PIECE, 0..6), seed in any::<u64>()) {
            let bytes: Vec<u8> = (0..length).map(|i| (i as u64).wrapping_mul(seed | 1).to_le_bytes()[3]).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(length)).chain([0, length]).collect();
            cuts.sort_unstable();
            let mut parts: Vec<(usize, usize)> = cuts.windows(2).map(|w| (w[0], w[1])).collect();
            parts.sort_by_key(|p| (p.0 as u64).wrapping_mul(seed | 1));
            let content = Content::new(length as u64);
            for (from, to) in parts {
                content.add(from as u64, &bytes[from..to]);
            }
            prop_assert_eq!(content.finish(), Some(whole(&bytes)));
            if length > 0 {
                let short = Content::new(length as u64);
                short.add(0, &bytes[..length - 1]);
                prop_assert_eq!(short.finish(), None);
            }
        }
    }
}
