//! Error statistics of a tile in the lanes that [`crate::stats`] fixes.

use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, value, widen};
use crate::backend::CompareOp;
use crate::stats::{ErrorStats, LANES, TILE, TileSums};

/// Add the tiles of f32 bytes that start at a tile.
#[inline(always)]
pub(super) fn add_tiles<V: Lanes>(v: V, source: &[u8], decoded: &[u8], stats: &mut ErrorStats) {
    for (source, decoded) in source.chunks(4 * TILE).zip(decoded.chunks(4 * TILE)) {
        stats.add_tile(source.len() / 4, &tile(v, source, decoded));
    }
}

#[inline(always)]
fn tile<V: Lanes>(v: V, source: &[u8], decoded: &[u8]) -> TileSums {
    let mut sums = TileSums::default();
    let row = 4 * LANES;
    // 16 lanes of 4 sums do not fit in 16 registers of 4 doubles, so narrow vectors go over the tile twice
    for lane in (0..LANES).step_by(V::N) {
        let (mut signal, mut error) = ([v.dzero(); 2], [v.dzero(); 2]);
        let (mut square, mut largest) = ([v.dzero(); 2], [v.dzero(); 2]);
        for (source, decoded) in source.chunks_exact(row).zip(decoded.chunks_exact(row)) {
            let x = v.doubles(v.load(&source[4 * lane..]));
            let y = v.doubles(v.load(&decoded[4 * lane..]));
            for half in 0..2 {
                let e = v.dsub(x[half], y[half]);
                signal[half] = v.dadd(signal[half], v.dmul(x[half], x[half]));
                error[half] = v.dadd(error[half], v.dmul(e, e));
                square[half] = v.dadd(square[half], v.dmul(y[half], y[half]));
                largest[half] = v.dmax_abs(largest[half], e);
            }
        }
        for half in 0..2 {
            let lane = lane + half * V::N / 2;
            v.dstore(signal[half], &mut sums.signal[lane..]);
            v.dstore(error[half], &mut sums.error[lane..]);
            v.dstore(square[half], &mut sums.decoded[lane..]);
            v.dstore(largest[half], &mut sums.largest[lane..]);
        }
    }
    let elements = source.len() / 4;
    for index in elements / LANES * LANES..elements {
        sums.add(index, f64::from(value(source, index)), f64::from(value(decoded, index)));
    }
    sums
}

/// [`CompareOp`] on sources that f32 holds exactly.
pub(super) struct Compare<'a>(pub(super) CompareOp<'a>);

impl Kernel for Compare<'_> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        let op = self.0;
        let (mut left, mut right) = (Buffer::new(), Buffer::new());
        for from in (0..op.source.len()).step_by(TILE) {
            let source = widen(v, op.source.slice(from, from + TILE), &mut left);
            let decoded = widen(v, op.decoded.slice(from, from + TILE), &mut right);
            add_tiles(v, source, decoded, op.stats);
        }
    }
}
