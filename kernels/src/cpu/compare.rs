//! Error statistics of a tile in the lanes that [`crate::stats`] fixes.

use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, F32, Stored, largest_bits, value, widen};
use crate::backend::CompareOp;
use crate::stats::{ErrorStats, LANES, TILE, TileSums, tile_scale};

/// Add the tiles of f32 bytes that start at a tile.
#[inline(always)]
pub(super) fn add_tiles<V: Lanes>(v: V, source: &[u8], decoded: &[u8], stats: &mut ErrorStats) {
    for (source, decoded) in source.chunks(4 * TILE).zip(decoded.chunks(4 * TILE)) {
        add_tile::<V, F32>(v, largest_bits(v, source), source, decoded, stats);
    }
}

/// Add a tile, the bits of whose largest magnitude are known, decoded to f32 bytes.
#[inline(always)]
pub(super) fn add_tile<V: Lanes, S: Stored>(
    v: V,
    largest_bits: i32,
    source: &[u8],
    decoded: &[u8],
    stats: &mut ErrorStats,
) {
    let scale = tile_scale(largest_bits as u32);
    let sums = if scale == 1.0 {
        tile::<V, S, false>(v, scale, source, decoded)
    } else {
        tile::<V, S, true>(v, scale, source, decoded)
    };
    stats.add_tile(decoded.len() / 4, scale, &sums);
}

#[inline(always)]
fn tile<V: Lanes, S: Stored, const SCALED: bool>(
    v: V,
    scale: f32,
    source: &[u8],
    decoded: &[u8],
) -> TileSums {
    let (zero, factor) = (v.splat(0.0), v.splat(scale));
    // lanes 0..N, then N..16 where vectors are narrower
    let (mut signal, mut error) = ([zero; 2], [zero; 2]);
    let (mut cross, mut largest) = ([zero; 2], [zero; 2]);
    let rows = source.chunks_exact(S::WIDTH * LANES).zip(decoded.chunks_exact(4 * LANES));
    for (source, decoded) in rows {
        for part in 0..LANES / V::N {
            let mut x = S::load(v, &source[S::WIDTH * V::N * part..]);
            let mut e = v.sub(x, v.load(&decoded[4 * V::N * part..]));
            largest[part] = v.max_magnitude(e, largest[part]);
            if SCALED {
                (x, e) = (v.mul(x, factor), v.mul(e, factor));
            }
            signal[part] = v.mul_add(x, x, signal[part]);
            error[part] = v.mul_add(e, e, error[part]);
            cross[part] = v.mul_add(x, e, cross[part]);
        }
    }
    let lanes = |sums: [V::F; 2]| {
        let mut bytes = [0; 4 * LANES];
        for part in 0..LANES / V::N {
            v.store(sums[part], &mut bytes[4 * V::N * part..]);
        }
        std::array::from_fn(|lane| value(&bytes, lane))
    };
    let mut sums =
        TileSums { signal: lanes(signal), error: lanes(error), cross: lanes(cross), largest: lanes(largest) };
    let elements = decoded.len() / 4;
    for index in elements / LANES * LANES..elements {
        let x = S::value(source, index);
        sums.add(index, scale, x, x - value(decoded, index));
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
