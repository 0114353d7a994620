//! Zeros by magnitude, sums that rank slices, and the slices that stay ([`crate::prune`]).

use crate::groups::Groups;
use crate::stats::TILE;
use crate::{DType, Source};

/// Zero what is below a threshold, and of what equals it the first elements.
#[derive(Debug)]
pub struct ZeroBelowOp<'a> {
    /// Element type, a float.
    pub dtype: DType,
    /// Elements, rewritten in place. The zeros are +0. NaN, infinity and f64 beyond f32 are errors.
    pub bytes: &'a mut [u8],
    /// Flat index of the first, for errors.
    pub start: u64,
    /// Magnitudes below become zero; compared in f32.
    pub threshold: f32,
    /// So many elements of exactly this magnitude may become zero, in the order of their indices; comes back as what is
    /// left.
    pub ties: &'a mut u64,
    /// Grows by the elements that were zeroed, those that had been zero among them.
    pub zeroed: &'a mut u64,
}

/// Keep the `n` largest magnitudes of each `m` neighbours and zero the rest; of equal ones the lower index stays.
#[derive(Debug)]
pub struct KeepNOfMOp<'a> {
    /// Element type, a float.
    pub dtype: DType,
    /// Whole groups of `m` elements, rewritten in place. The zeros are +0. NaN, infinity and f64 beyond f32 are errors.
    pub bytes: &'a mut [u8],
    /// Flat index of the first, for errors.
    pub start: u64,
    /// Elements that stay; all where it is `m` or more.
    pub n: usize,
    /// Elements of a group, at least 1.
    pub m: usize,
    /// Grows by the elements that were zeroed, those that had been zero among them.
    pub zeroed: &'a mut u64,
}

/// Sums of |w| and w² over the pieces of slices, which the caller adds exactly ([`crate::prune::Norms`]).
///
/// A piece is what a tile of [`TILE`] flat elements and `groups.inner` neighbours of one slice have in common. Within it
/// terms are added in the order of their indices, in f64, from 0: no other order gives the same bits, and pieces do not
/// depend on each other.
#[derive(Debug)]
pub struct NormsOp<'a> {
    /// Elements to look at. NaN, infinity and f64 beyond f32 are errors.
    pub source: Source<'a>,
    /// Flat index of the first, a multiple of [`TILE`].
    pub start: u64,
    /// The slices.
    pub groups: Groups,
    /// Σ|w| and Σw² of each piece: of tile `t` (from 0, counted in this range) piece `p` (from 0, counted in the tile) at
    /// `t * slots + p`, with `slots` from [`NormsOp::slots`]. Places without a piece are 0.
    pub sums: &'a mut [[f64; 2]],
}

impl NormsOp<'_> {
    /// Pieces that one tile can have, at most.
    pub const fn slots(groups: Groups) -> usize {
        let (tile, inner) = (TILE as u64, groups.inner);
        let slots = match inner {
            0 => 1,
            _ if inner.is_multiple_of(tile) => 1,
            _ if tile.is_multiple_of(inner) => tile / inner,
            _ => (tile - 2) / inner + 2,
        };
        slots as usize
    }
}

/// Copy the slices of an axis that stay.
#[derive(Debug)]
pub struct GatherOp<'a> {
    /// A whole tensor, `groups.elements() * width` bytes of any type.
    pub bytes: &'a [u8],
    /// The slices.
    pub groups: Groups,
    /// Bytes of an element.
    pub width: u64,
    /// Indices below `groups.axis`, in the order of the result.
    pub keep: &'a [u64],
    /// `groups.outer * keep.len() * groups.inner * width` bytes.
    pub destination: &'a mut [u8],
}
