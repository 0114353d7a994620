//! Pruning: exact magnitude thresholds, masks, N:M patterns, norms of slices and kept slices.
//!
//! Magnitudes are |w| rounded to f32, so that ties and order are those of f32 also for f64 sources.

use crate::backend::{Backend, CountTiesOp, GatherOp, KeepNOfMOp, NormsOp, Op, ZeroBelowOp};
use crate::exact_sum::ExactSum;
use crate::groups::Groups;
use crate::select::Order;
use crate::stats::TILE;
use crate::{DType, KernelError, Source};
use std::ops::Range;

/// Sums that a backend gives back at once, at most: 1 MiB.
const PIECES: usize = 1 << 16;

/// What `zero_below` needs to zero exactly `count` elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Magnitudes below become zero.
    pub magnitude: f32,
    /// So many elements with this very magnitude become zero, in order of their indices.
    pub ties: u64,
}

impl Threshold {
    /// From the order statistic of rank `count - 1`, for `count` of 1 or more.
    pub fn from_order(order: Order, count: u64) -> Threshold {
        Threshold { magnitude: order.value, ties: count.saturating_sub(order.below).min(order.equal) }
    }
}

/// Elements of a chunk with exactly this magnitude: their number before a chunk says which ties are its own.
///
/// # Errors
/// [`KernelError::Device`].
pub fn count_ties(backend: &dyn Backend, source: Source<'_>, magnitude: f32) -> Result<u64, KernelError> {
    let mut count = 0;
    backend.run(Op::CountTies(CountTiesOp { source, magnitude, count: &mut count }))?;
    Ok(count)
}

/// Zero the elements of one chunk that a threshold takes: all below it, and those equal to it as long as `ties` lasts.
/// `ties` is what the chunks before have left, and comes back as what this one leaves. The zeros are +0.
///
/// # Errors
/// As [`Source::new`], and for NaN, infinity and f64 beyond f32, which are named by flat index from `start`.
pub fn zero_below(
    backend: &dyn Backend,
    dtype: DType,
    bytes: &mut [u8],
    start: u64,
    threshold: f32,
    ties: &mut u64,
) -> Result<u64, KernelError> {
    let mut zeroed = 0;
    let op = ZeroBelowOp { dtype, bytes, start, threshold, ties, zeroed: &mut zeroed };
    backend.run(Op::ZeroBelow(op))?;
    Ok(zeroed)
}

/// Keep the `n` largest magnitudes of each `m` neighbours and zero the rest; a tie keeps the lower index. The chunk is
/// whole groups of `m` (rows along the last axis, which `m` divides). Returns the number of elements zeroed.
///
/// # Errors
/// [`KernelError::Misaligned`] when the chunk is not whole groups; values as [`zero_below`].
pub fn keep_n_of_m(
    backend: &dyn Backend,
    dtype: DType,
    bytes: &mut [u8],
    start: u64,
    n: usize,
    m: usize,
) -> Result<u64, KernelError> {
    let mut zeroed = 0;
    backend.run(Op::KeepNOfM(KeepNOfMOp { dtype, bytes, start, n, m, zeroed: &mut zeroed }))?;
    Ok(zeroed)
}

/// Exact sums over slices of a tensor, for ranking rows, channels or experts. Merging commutes: within a tile of
/// [`TILE`] flat elements the terms of a run are added in order in f64, and the tiles' sums are added exactly.
#[derive(Clone, Debug)]
pub struct Norms {
    groups: Groups,
    sums: Vec<(ExactSum, ExactSum)>,
    /// What a backend gives back, kept from chunk to chunk.
    pieces: Vec<[f64; 2]>,
}

impl Norms {
    /// For the slices of a tensor: with `groups` of an axis, one per index of that axis.
    pub fn new(groups: Groups) -> Norms {
        Norms { groups, sums: vec![Default::default(); groups.axis as usize], pieces: Vec::new() }
    }

    /// Add a chunk that begins at flat index `start`, a multiple of [`TILE`].
    ///
    /// # Errors
    /// [`KernelError::Misaligned`]; values as [`zero_below`].
    pub fn scan(&mut self, backend: &dyn Backend, source: Source<'_>, start: u64) -> Result<(), KernelError> {
        let (groups, slots) = (self.groups, NormsOp::slots(self.groups));
        let step = (PIECES / slots).max(1) * TILE;
        for from in (0..source.len()).step_by(step) {
            let (piece, start) = (source.slice(from, from + step), start + from as u64);
            self.pieces.resize(piece.len().div_ceil(TILE) * slots, [0.0; 2]);
            backend.run(Op::Norms(NormsOp { source: piece, start, groups, sums: &mut self.pieces }))?;
            for (tile, pieces) in self.pieces.chunks_exact(slots).enumerate() {
                let length = TILE.min(piece.len() - tile * TILE);
                let runs = groups.runs(start + (tile * TILE) as u64, length);
                for (run, &[first, second]) in runs.zip(pieces) {
                    let (l1, squares) = &mut self.sums[run.group];
                    l1.add(first);
                    squares.add(second);
                }
            }
        }
        Ok(())
    }

    /// Add the sums of other chunks.
    pub fn merge(&mut self, other: &Norms) {
        for ((l1, squares), (more_l1, more_squares)) in self.sums.iter_mut().zip(&other.sums) {
            l1.merge(more_l1);
            squares.merge(more_squares);
        }
    }

    /// Σ|w| of each slice.
    pub fn l1(&self) -> Vec<f64> {
        self.sums.iter().map(|(l1, _)| l1.value()).collect()
    }

    /// √Σw² of each slice.
    pub fn l2(&self) -> Vec<f64> {
        self.sums.iter().map(|(_, squares)| squares.value().sqrt()).collect()
    }

    /// Σw² of each slice, to add up over several tensors before the root.
    pub fn squares(&self) -> Vec<f64> {
        self.sums.iter().map(|(_, squares)| squares.value()).collect()
    }
}

/// Byte ranges of the slices `keep` (ascending) of an axis, in the order of the result: reading them one after the other
/// gives the pruned tensor. Neighbouring slices come as one range.
pub fn kept_ranges(groups: Groups, width: u64, keep: &[u64]) -> impl Iterator<Item = Range<u64>> + '_ {
    let slice = groups.inner * width;
    let mut merged: Vec<Range<u64>> = Vec::new();
    for &index in keep {
        match merged.last_mut() {
            Some(last) if last.end == index * slice => last.end += slice,
            _ => merged.push(index * slice..(index + 1) * slice),
        }
    }
    let whole = groups.axis * slice;
    (0..groups.outer).flat_map(move |outer| {
        merged.clone().into_iter().map(move |range| outer * whole + range.start..outer * whole + range.end)
    })
}

/// Gather the slices `keep` of an axis out of a whole tensor's bytes.
///
/// # Errors
/// [`KernelError::Length`] when the bytes are not the tensor or an index is out of range.
pub fn gather(
    backend: &dyn Backend,
    bytes: &[u8],
    groups: Groups,
    width: u64,
    keep: &[u64],
) -> Result<Vec<u8>, KernelError> {
    let slice = groups.group_length().saturating_mul(width);
    let mut kept = vec![0; slice.saturating_mul(keep.len() as u64) as usize];
    backend.run(Op::Gather(GatherOp { bytes, groups, width, keep, destination: &mut kept }))?;
    Ok(kept)
}
