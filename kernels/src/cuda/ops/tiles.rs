//! Lane sums of tiles, which come back from the device and are added here as the reference adds them.

use super::{Place, Room};
use crate::ErrorStats;
use crate::stats::{LANES, TILE, TileSums};

/// Bytes of `TileSums` in `tiles.cuh`: scale, clipped, and four times [`LANES`] floats.
const BYTES: usize = 4 * (2 + 4 * LANES);

/// Room for the tiles of `elements` and the bytes that they come back in; none where nothing is measured.
pub(super) struct Tiles {
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
    elements: usize,
}

impl Tiles {
    pub(super) fn new(room: &mut Room, elements: usize, measured: bool) -> Tiles {
        let count = if measured { elements.div_ceil(TILE) } else { 0 };
        Tiles { place: room.take(count * BYTES), bytes: vec![0; count * BYTES], elements }
    }

    /// Threads of a launch: half a warp a tile.
    pub(super) fn threads(&self) -> u64 {
        (self.bytes.len() / BYTES * LANES) as u64
    }

    pub(super) fn add_to(&self, stats: &mut ErrorStats) {
        for (index, bytes) in self.bytes.chunks_exact(BYTES).enumerate() {
            let word = |at: usize| {
                let b = &bytes[4 * at..4 * at + 4];
                u32::from_le_bytes([b[0], b[1], b[2], b[3]])
            };
            let lanes = |which: usize| -> [f32; LANES] {
                std::array::from_fn(|lane| f32::from_bits(word(2 + which * LANES + lane)))
            };
            let sums = TileSums { signal: lanes(0), error: lanes(1), cross: lanes(2), largest: lanes(3) };
            stats.clipped += u64::from(word(1));
            stats.add_tile(TILE.min(self.elements - index * TILE), f32::from_bits(word(0)), &sums);
        }
    }
}
