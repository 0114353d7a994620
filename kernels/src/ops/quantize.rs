//! From floats to stored parts.

use crate::format::{Code4, Int, Percentile};
use crate::groups::Groups;
use crate::scale::{Extent, GRID, GroupCode};
use crate::{DType, ErrorStats, Source};

/// Round elements to another float type ([`crate::format::cast`]).
#[derive(Debug)]
pub struct CastOp<'a> {
    /// Elements to round.
    pub source: Source<'a>,
    /// Flat index of the first; a multiple of [`crate::stats::TILE`] when `stats` is there.
    pub start: u64,
    /// `f32 f16 bf16 f8_e4m3 f8_e5m2`.
    pub to: DType,
    /// Take the largest finite value on overflow.
    pub saturate: bool,
    /// Elements × width of `to` bytes.
    pub destination: &'a mut [u8],
    /// Takes the error statistics and the saturated count.
    pub stats: Option<&'a mut ErrorStats>,
}

/// Widen the extents of the groups that a range touches.
#[derive(Debug)]
pub struct ExtentsOp<'a> {
    /// Elements to look at.
    pub source: Source<'a>,
    /// Flat index of the first.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// One per group.
    pub extents: &'a mut [Extent],
}

/// The percentile of |w| in each of several whole groups that lie side by side.
#[derive(Debug)]
pub struct PercentilesOp<'a> {
    /// Whole groups.
    pub source: Source<'a>,
    /// Flat index of the first element, for errors.
    pub start: u64,
    /// Elements of a group, at least 1.
    pub length: usize,
    /// Which percentile.
    pub percentile: Percentile,
    /// One per group.
    pub limits: &'a mut [f32],
}

/// Add the squared errors of each candidate of `clip: mse` ([`crate::format::int`]).
#[derive(Debug)]
pub struct GridErrorsOp<'a> {
    /// Elements to look at.
    pub source: Source<'a>,
    /// Flat index of the first.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// The integer format.
    pub int: Int,
    /// Whole extents of the groups.
    pub extents: &'a [Extent],
    /// Sums per group and candidate.
    pub sums: &'a mut [[u64; GRID]],
}

/// Quantise to integers with given scales.
#[derive(Debug)]
pub struct QuantizeIntOp<'a> {
    /// Elements to quantise.
    pub source: Source<'a>,
    /// Flat index of the first: even for int4, a multiple of [`crate::stats::TILE`] when `stats` is there.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// The integer format.
    pub int: Int,
    /// One per group.
    pub codes: &'a [GroupCode],
    /// One byte per element, or one per two.
    pub destination: &'a mut [u8],
    /// Takes the error statistics and the clipped count.
    pub stats: Option<&'a mut ErrorStats>,
}

/// Quantise blocks to a 4-bit codebook.
#[derive(Debug)]
pub struct QuantizeCode4Op<'a> {
    /// Whole blocks; the tensor's last one may be shorter.
    pub source: Source<'a>,
    /// Flat index of the first: a multiple of the block, and of [`crate::stats::TILE`] when `stats` is there.
    pub start: u64,
    /// The format; `double` is not looked at.
    pub code4: Code4,
    /// One byte per two elements.
    pub destination: &'a mut [u8],
    /// One per block.
    pub absmax: &'a mut [f32],
    /// Takes the error statistics, against the f32 absmax.
    pub stats: Option<&'a mut ErrorStats>,
}

/// Quantise absmax once more ([`crate::format::code4`]).
#[derive(Debug)]
pub struct NestedEncodeOp<'a> {
    /// Absmax of whole blocks of 256, counted from the tensor's first; its last block may be shorter.
    pub absmax: &'a [f32],
    /// Their mean over the tensor, which is taken off first.
    pub offset: f32,
    /// One per absmax.
    pub codes: &'a mut [u8],
    /// One per 256 absmax: the largest distance from the mean.
    pub scales: &'a mut [f32],
}
