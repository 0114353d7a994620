//! Pruning: exact magnitude thresholds, masks, N:M patterns, norms of slices and kept slices.
//!
//! Magnitudes are |w| rounded to f32, so that ties and order are those of f32 also for f64 sources.

use crate::exact_sum::ExactSum;
use crate::groups::Groups;
use crate::select::Order;
use crate::stats::TILE;
use crate::{KernelError, Source};
use std::ops::Range;

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
pub fn count_ties(source: Source<'_>, magnitude: f32) -> u64 {
    source.weights().filter(|w| w.abs() == magnitude).count() as u64
}

/// Zero the elements of one chunk that a threshold takes: all below it, and those equal to it as long as `ties` lasts.
/// `ties` is what the chunks before have left, and comes back as what this one leaves. The zeros are +0.
///
/// # Errors
/// As [`Source::new`], and for NaN, infinity and f64 beyond f32, which are named by flat index from `start`.
pub fn zero_below(
    dtype: crate::DType,
    bytes: &mut [u8],
    start: u64,
    threshold: f32,
    ties: &mut u64,
) -> Result<u64, KernelError> {
    let source = Source::new(dtype, bytes)?;
    source.check(start)?;
    let width = dtype.width() as usize;
    let mut zeroed = 0;
    for index in 0..bytes.len() / width {
        let magnitude = Source::new(dtype, bytes)?.weight(index).abs();
        let tie = magnitude == threshold && *ties > 0;
        if tie || magnitude < threshold {
            *ties -= u64::from(tie);
            zeroed += 1;
            bytes[index * width..(index + 1) * width].fill(0);
        }
    }
    Ok(zeroed)
}

/// Keep the `n` largest magnitudes of each `m` neighbours and zero the rest; a tie keeps the lower index. The chunk is
/// whole groups of `m` (rows along the last axis, which `m` divides). Returns the number of elements zeroed.
///
/// # Errors
/// [`KernelError::Misaligned`] when the chunk is not whole groups; values as [`zero_below`].
pub fn keep_n_of_m(
    dtype: crate::DType,
    bytes: &mut [u8],
    start: u64,
    n: usize,
    m: usize,
) -> Result<u64, KernelError> {
    let width = dtype.width() as usize;
    let length = Source::new(dtype, bytes)?.len();
    if m == 0 || length % m != 0 {
        return Err(KernelError::Misaligned { index: start + length as u64, multiple: m as u64 });
    }
    Source::new(dtype, bytes)?.check(start)?;
    let mut zeroed = 0;
    let mut order: Vec<(u32, usize)> = Vec::with_capacity(m);
    for group in bytes.chunks_exact_mut(m * width) {
        let source = Source::new(dtype, group)?;
        order.clear();
        // ascending by descending magnitude, then by index
        order.extend((0..m).map(|index| (!source.weight(index).abs().to_bits(), index)));
        order.sort_unstable();
        for &(_, index) in order.iter().skip(n) {
            group[index * width..(index + 1) * width].fill(0);
            zeroed += 1;
        }
    }
    Ok(zeroed)
}

/// Exact sums over slices of a tensor, for ranking rows, channels or experts. Merging commutes: within a tile of
/// [`TILE`] flat elements the terms of a run are added in order in f64, and the tiles' sums are added exactly.
#[derive(Clone, Debug)]
pub struct Norms {
    groups: Groups,
    sums: Vec<(ExactSum, ExactSum)>,
}

impl Norms {
    /// For the slices of a tensor: with `groups` of an axis, one per index of that axis.
    pub fn new(groups: Groups) -> Norms {
        Norms { groups, sums: vec![Default::default(); groups.axis as usize] }
    }

    /// Add a chunk that begins at flat index `start`, a multiple of [`TILE`].
    ///
    /// # Errors
    /// [`KernelError::Misaligned`]; values as [`zero_below`].
    pub fn scan(&mut self, source: Source<'_>, start: u64) -> Result<(), KernelError> {
        crate::reference::check::tile(start)?;
        source.check(start)?;
        let mut weights = [0.0f32; TILE];
        for from in (0..source.len()).step_by(TILE) {
            let piece = source.slice(from, from + TILE);
            let weights = &mut weights[..piece.len()];
            piece.copy_weights(weights);
            for run in self.groups.runs(start + from as u64, weights.len()) {
                let (mut first, mut second) = (0.0, 0.0);
                for &w in &weights[run.offset..run.offset + run.length] {
                    let w = f64::from(w);
                    first += w.abs();
                    second += w * w;
                }
                let (l1, squares) = &mut self.sums[run.group];
                l1.add(first);
                squares.add(second);
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
pub fn gather(bytes: &[u8], groups: Groups, width: u64, keep: &[u64]) -> Result<Vec<u8>, KernelError> {
    let expected = groups.elements().saturating_mul(width);
    crate::error::expect_length("tensor", expected as usize, bytes.len())?;
    if let Some(&index) = keep.iter().find(|&&index| index >= groups.axis) {
        return Err(KernelError::Length { what: "axis", expected: index + 1, found: groups.axis });
    }
    let mut kept = Vec::new();
    for range in kept_ranges(groups, width, keep) {
        kept.extend_from_slice(&bytes[range.start as usize..range.end as usize]);
    }
    Ok(kept)
}
