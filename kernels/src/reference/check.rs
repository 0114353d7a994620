//! Lengths and alignments of an operation, checked once for every variant.

use crate::backend::{
    CastOp, CompareOp, CountDigitsOp, DequantizeCode4Op, DequantizeIntOp, ExtentsOp, GatherOp, GridErrorsOp,
    KeepNOfMOp, NestedDecodeOp, NestedEncodeOp, NormsOp, PercentilesOp, QuantizeCode4Op, QuantizeIntOp,
    ZeroBelowOp,
};
use crate::error::expect_length;
use crate::format::code4::NESTED_BLOCK;
use crate::format::{Cast, Int, IntBits};
use crate::groups::Groups;
use crate::stats::TILE;
use crate::{DType, KernelError, Source};

pub(crate) fn cast(op: &CastOp<'_>) -> Result<(), KernelError> {
    if Cast::new(op.to, false).is_none() {
        return Err(KernelError::UnsupportedDType { dtype: op.to });
    }
    expect_length("destination", op.source.len() * op.to.width() as usize, op.destination.len())?;
    if op.stats.is_some() { tile(op.start) } else { Ok(()) }
}

pub(crate) fn extents(op: &ExtentsOp<'_>) -> Result<(), KernelError> {
    range(op.groups, op.start, op.source.len())?;
    expect_length("extents", op.groups.axis as usize, op.extents.len())
}

pub(crate) fn percentiles(op: &PercentilesOp<'_>) -> Result<(), KernelError> {
    expect_length("source", op.limits.len() * op.length, op.source.len())
}

pub(crate) fn grid_errors(op: &GridErrorsOp<'_>) -> Result<(), KernelError> {
    range(op.groups, op.start, op.source.len())?;
    expect_length("extents", op.groups.axis as usize, op.extents.len())?;
    expect_length("sums", op.groups.axis as usize, op.sums.len())
}

pub(crate) fn quantize_int(op: &QuantizeIntOp<'_>) -> Result<(), KernelError> {
    range(op.groups, op.start, op.source.len())?;
    expect_length("scales", op.groups.axis as usize, op.codes.len())?;
    expect_length("destination", code_bytes(&op.int, op.source.len()), op.destination.len())?;
    even(&op.int, op.start)?;
    if op.stats.is_some() { tile(op.start) } else { Ok(()) }
}

pub(crate) fn dequantize_int(op: &DequantizeIntOp<'_>) -> Result<(), KernelError> {
    range(op.groups, op.start, op.elements)?;
    expect_length("scales", op.groups.axis as usize, op.group_codes.len())?;
    expect_length("codes", code_bytes(&op.int, op.elements), op.codes.len())?;
    expect_length("destination", op.elements * op.to.width() as usize, op.destination.len())?;
    decoded(op.to)?;
    even(&op.int, op.start)
}

pub(crate) fn quantize_code4(op: &QuantizeCode4Op<'_>) -> Result<(), KernelError> {
    let (length, elements) = (op.code4.block as usize, op.source.len());
    block(op.start, length)?;
    expect_length("destination", elements.div_ceil(2), op.destination.len())?;
    expect_length("absmax", elements.div_ceil(length), op.absmax.len())?;
    if op.stats.is_some() { tile(op.start) } else { Ok(()) }
}

pub(crate) fn dequantize_code4(op: &DequantizeCode4Op<'_>) -> Result<(), KernelError> {
    decoded(op.to)?;
    block(op.start, op.block)?;
    expect_length("codes", op.elements.div_ceil(2), op.codes.len())?;
    expect_length("absmax", op.elements.div_ceil(op.block), op.absmax.len())?;
    expect_length("destination", op.elements * op.to.width() as usize, op.destination.len())
}

pub(crate) fn compare(op: &CompareOp<'_>) -> Result<(), KernelError> {
    expect_length("decoded", op.source.len(), op.decoded.len())?;
    tile(op.start)
}

pub(crate) fn nested_encode(op: &NestedEncodeOp<'_>) -> Result<(), KernelError> {
    expect_length("codes", op.absmax.len(), op.codes.len())?;
    expect_length("nested absmax", op.absmax.len().div_ceil(NESTED_BLOCK as usize), op.scales.len())
}

pub(crate) fn nested_decode(op: &NestedDecodeOp<'_>) -> Result<(), KernelError> {
    expect_length("absmax", op.codes.len(), op.absmax.len())?;
    expect_length("nested absmax", op.codes.len().div_ceil(NESTED_BLOCK as usize), op.scales.len())
}

pub(crate) fn count_digits(op: &CountDigitsOp<'_>) -> Result<(), KernelError> {
    if !(1..=16).contains(&op.width) || op.shift > 31 - op.width {
        return Err(KernelError::Malformed { what: "digits have 1 to 16 of 31 bits" });
    }
    range(op.groups, op.start, op.source.len())?;
    let groups = op.groups.axis as usize;
    expect_length("prefixes", groups, op.prefixes.len())?;
    expect_length("histogram", groups << op.width, op.histogram.len())?;
    expect_length("above", groups, op.above.len())
}

pub(crate) fn zero_below(op: &ZeroBelowOp<'_>) -> Result<(), KernelError> {
    Source::new(op.dtype, op.bytes).map(|_| ())
}

pub(crate) fn keep_n_of_m(op: &KeepNOfMOp<'_>) -> Result<(), KernelError> {
    let length = Source::new(op.dtype, op.bytes)?.len();
    if op.m == 0 || !length.is_multiple_of(op.m) {
        return Err(KernelError::Misaligned { index: op.start + length as u64, multiple: op.m as u64 });
    }
    Ok(())
}

pub(crate) fn norms(op: &NormsOp<'_>) -> Result<(), KernelError> {
    tile(op.start)?;
    range(op.groups, op.start, op.source.len())?;
    expect_length("sums", op.source.len().div_ceil(TILE) * NormsOp::slots(op.groups), op.sums.len())
}

pub(crate) fn gather(op: &GatherOp<'_>) -> Result<(), KernelError> {
    let whole = op.groups.elements().saturating_mul(op.width);
    expect_length("tensor", whole as usize, op.bytes.len())?;
    if let Some(&index) = op.keep.iter().find(|&&index| index >= op.groups.axis) {
        return Err(KernelError::Length { what: "axis", expected: index + 1, found: op.groups.axis });
    }
    let slice = op.groups.group_length().saturating_mul(op.width);
    expect_length("destination", slice.saturating_mul(op.keep.len() as u64) as usize, op.destination.len())
}

/// A range with statistics begins with a tile.
pub(crate) fn tile(start: u64) -> Result<(), KernelError> {
    aligned(start, TILE as u64)
}

/// Bytes of `elements` codes.
pub(crate) const fn code_bytes(int: &Int, elements: usize) -> usize {
    match int.bits {
        IntBits::Eight => elements,
        IntBits::Four => elements.div_ceil(2),
    }
}

fn aligned(index: u64, multiple: u64) -> Result<(), KernelError> {
    if index.is_multiple_of(multiple) { Ok(()) } else { Err(KernelError::Misaligned { index, multiple }) }
}

fn range(groups: Groups, start: u64, length: usize) -> Result<(), KernelError> {
    let end = start.saturating_add(length as u64);
    if end > groups.elements() {
        return Err(KernelError::Length { what: "tensor", expected: groups.elements(), found: end });
    }
    Ok(())
}

/// Decoders write `f32 f16 bf16`.
fn decoded(to: DType) -> Result<(), KernelError> {
    match to {
        DType::F32 | DType::F16 | DType::Bf16 => Ok(()),
        dtype => Err(KernelError::UnsupportedDType { dtype }),
    }
}

fn even(int: &Int, start: u64) -> Result<(), KernelError> {
    if int.bits == IntBits::Four { aligned(start, 2) } else { Ok(()) }
}

/// Blocks that every variant can cut into whole vectors.
fn block(start: u64, length: usize) -> Result<(), KernelError> {
    if !length.is_power_of_two() || !(64..=4096).contains(&length) {
        return Err(KernelError::Malformed { what: "4-bit blocks are powers of two from 64 to 4096" });
    }
    aligned(start, length as u64)
}
