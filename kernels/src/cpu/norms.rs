//! Sums of |w| and w² over pieces of slices.
//!
//! The terms of a piece are added one after the other, and each addition waits for the last. Pieces do not, so several are
//! summed side by side: [`SIDE`] cursors walk over as many pieces, and one that has reached its end takes the next.

use super::lanes::{Kernel, Lanes};
use super::tile::{INFINITY_BITS, largest_bits, value, widen_into};
use crate::KernelError;
use crate::backend::NormsOp;
use crate::stats::TILE;

/// Cursors: their sums fill two vectors of doubles, or more.
const SIDE: usize = 8;

/// Tiles at a time: where slices are long each cursor has several, so that few are left to the end.
const TILES: usize = 32;

/// [`NormsOp`], its lengths checked.
pub(super) struct Norms<'a>(pub(super) NormsOp<'a>);

impl Kernel for Norms<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let NormsOp { source, start, groups, sums } = self.0;
        let slots = NormsOp::slots(groups);
        let mut wide = Vec::new();
        sums.fill([0.0; 2]);
        for (from, sums) in (0..source.len()).step_by(TILES * TILE).zip(sums.chunks_mut(TILES * slots)) {
            let piece = source.slice(from, from + TILES * TILE);
            let start = start + from as u64;
            let data = if source.dtype() == crate::DType::F32 {
                piece.bytes()
            } else {
                wide.resize(4 * piece.len(), 0);
                widen_into(v, piece, &mut wide);
                &wide[..]
            };
            if largest_bits(v, data) >= INFINITY_BITS {
                piece.check(start)?;
            }
            if groups.inner == 1 {
                // every piece is one element
                for (sum, w) in sums.iter_mut().zip(data.as_chunks::<4>().0) {
                    let w = f64::from(f32::from_le_bytes(*w));
                    *sum = [w.abs(), w * w];
                }
                continue;
            }
            let pieces = (0..piece.len()).step_by(TILE).enumerate().flat_map(|(tile, from)| {
                let runs = groups.runs(start + from as u64, TILE.min(piece.len() - from));
                runs.enumerate().map(move |(slot, run)| Piece {
                    at: from + run.offset,
                    left: run.length,
                    slot: tile * slots + slot,
                })
            });
            walk(v, data, pieces, sums);
        }
        Ok(())
    }
}

/// The rest of a piece.
#[derive(Clone, Copy, Default)]
struct Piece {
    at: usize,
    left: usize,
    slot: usize,
}

#[inline(always)]
fn walk<V: Lanes>(_v: V, data: &[u8], mut pieces: impl Iterator<Item = Piece>, sums: &mut [[f64; 2]]) {
    let mut cursors = [Piece::default(); SIDE];
    let (mut first, mut second) = ([0.0f64; SIDE], [0.0f64; SIDE]);
    loop {
        for (side, cursor) in cursors.iter_mut().enumerate() {
            if cursor.left > 0 {
                continue;
            }
            match pieces.next() {
                Some(next) => {
                    *cursor = next;
                    [first[side], second[side]] = [0.0; 2];
                }
                None => {
                    // too few are left to go on side by side; none of the others has been written
                    for (side, cursor) in cursors.iter().enumerate().filter(|(_, cursor)| cursor.left > 0) {
                        sums[cursor.slot] = finish(data, cursor, [first[side], second[side]]);
                    }
                    return;
                }
            }
        }
        let step = cursors.iter().fold(usize::MAX, |least, cursor| least.min(cursor.left));
        let rows: [&[u8]; SIDE] = std::array::from_fn(|side| {
            let at = 4 * cursors[side].at;
            &data[at..at + 4 * step]
        });
        for index in 0..step {
            for side in 0..SIDE {
                let w = f64::from(value(rows[side], index));
                first[side] += w.abs();
                second[side] += w * w;
            }
        }
        for (side, cursor) in cursors.iter_mut().enumerate() {
            cursor.at += step;
            cursor.left -= step;
            if cursor.left == 0 {
                sums[cursor.slot] = [first[side], second[side]];
            }
        }
    }
}

/// A piece's sums, from those of its beginning.
#[inline(always)]
fn finish(data: &[u8], piece: &Piece, [mut first, mut second]: [f64; 2]) -> [f64; 2] {
    for index in piece.at..piece.at + piece.left {
        let w = f64::from(value(data, index));
        first += w.abs();
        second += w * w;
    }
    [first, second]
}
