//! From stored parts back to floats, and how far from the source they are.

use crate::format::{Code4Kind, Int};
use crate::groups::Groups;
use crate::scale::GroupCode;
use crate::{DType, ErrorStats, Source};

/// Read integer codes back.
#[derive(Debug)]
pub struct DequantizeIntOp<'a> {
    /// Codes as stored.
    pub codes: &'a [u8],
    /// Flat index of the first element; even for int4.
    pub start: u64,
    /// Elements to write.
    pub elements: usize,
    /// Groups of the tensor.
    pub groups: Groups,
    /// The integer format.
    pub int: Int,
    /// One per group; only scale and zero point are looked at.
    pub group_codes: &'a [GroupCode],
    /// `f32 f16 bf16`.
    pub to: DType,
    /// Elements × width of `to` bytes.
    pub destination: &'a mut [u8],
}

/// Read 4-bit codebook codes back.
#[derive(Debug)]
pub struct DequantizeCode4Op<'a> {
    /// Codes as stored.
    pub codes: &'a [u8],
    /// Flat index of the first element; a multiple of the block.
    pub start: u64,
    /// Elements to write.
    pub elements: usize,
    /// Which codebook.
    pub kind: Code4Kind,
    /// Elements of a block.
    pub block: usize,
    /// One per block, already without nesting.
    pub absmax: &'a [f32],
    /// `f32 f16 bf16`.
    pub to: DType,
    /// Elements × width of `to` bytes.
    pub destination: &'a mut [u8],
}

/// Read absmax back that were quantised once more.
#[derive(Debug)]
pub struct NestedDecodeOp<'a> {
    /// Codes of whole blocks of 256; the tensor's last block may be shorter.
    pub codes: &'a [u8],
    /// One per 256 codes.
    pub scales: &'a [f32],
    /// The mean, which is put on again.
    pub offset: f32,
    /// One per code.
    pub absmax: &'a mut [f32],
}

/// Add the error statistics of decoded elements against their source.
#[derive(Debug)]
pub struct CompareOp<'a> {
    /// The source.
    pub source: Source<'a>,
    /// As many decoded elements.
    pub decoded: Source<'a>,
    /// Flat index of the first; a multiple of [`crate::stats::TILE`].
    pub start: u64,
    /// Takes the statistics.
    pub stats: &'a mut ErrorStats,
}
