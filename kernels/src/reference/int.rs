//! Integers with scales, element by element.

use super::check;
use super::compare::add_tile;
use crate::backend::{DequantizeIntOp, ExtentsOp, GridErrorsOp, PercentilesOp, QuantizeIntOp};
use crate::format::{Int, IntBits, Pack};
use crate::scale::{Extent, GRID, GroupCode};
use crate::source::write_float;
use crate::stats::TILE;
use crate::{KernelError, Source};

pub(super) fn extents(op: ExtentsOp<'_>) -> Result<(), KernelError> {
    check::extents(&op)?;
    op.source.check(op.start)?;
    for run in op.groups.runs(op.start, op.source.len()) {
        let values = op.source.slice(run.offset, run.offset + run.length);
        values.weights().for_each(|w| op.extents[run.group].add(w));
    }
    Ok(())
}

pub(super) fn percentiles(op: PercentilesOp<'_>) -> Result<(), KernelError> {
    check::percentiles(&op)?;
    op.source.check(op.start)?;
    if op.length == 0 {
        return Ok(());
    }
    let (rank, fraction) = op.percentile.position(op.length as u64);
    for (group, limit) in op.limits.iter_mut().enumerate() {
        let values = op.source.slice(group * op.length, (group + 1) * op.length);
        let mut magnitudes: Vec<f32> = values.weights().map(f32::abs).collect();
        magnitudes.sort_unstable_by(f32::total_cmp);
        let low = magnitudes[rank as usize];
        let high = magnitudes.get(rank as usize + 1).copied().unwrap_or(low);
        *limit = crate::format::Percentile::between(low, high, fraction);
    }
    Ok(())
}

/// The candidates of a group; none where the scale is unusable.
pub(crate) fn candidates(int: &Int, extent: Extent) -> [Option<GroupCode>; GRID] {
    std::array::from_fn(|index| GroupCode::new(int, extent.candidate(index)).ok())
}

/// Squared error of `w` under a candidate, in units of (absmax × 2⁻¹⁶)².
pub(crate) fn squared_error(int: &Int, code: &GroupCode, w: f32, absmax: f32) -> u64 {
    let error = (w - code.decode(code.encode(int, w))).abs();
    let units = (error / absmax * 65536.0).round_ties_even() as u64;
    units * units
}

pub(super) fn grid_errors(op: GridErrorsOp<'_>) -> Result<(), KernelError> {
    check::grid_errors(&op)?;
    op.source.check(op.start)?;
    for run in op.groups.runs(op.start, op.source.len()) {
        let extent = op.extents[run.group];
        let absmax = extent.absmax();
        if absmax == 0.0 {
            continue;
        }
        let values = op.source.slice(run.offset, run.offset + run.length);
        for (sum, code) in op.sums[run.group].iter_mut().zip(candidates(&op.int, extent)) {
            let Some(code) = code else {
                *sum = u64::MAX;
                continue;
            };
            *sum = values
                .weights()
                .fold(*sum, |sum, w| sum.saturating_add(squared_error(&op.int, &code, w, absmax)));
        }
    }
    Ok(())
}

pub(super) fn quantize(op: QuantizeIntOp<'_>) -> Result<(), KernelError> {
    check::quantize_int(&op)?;
    op.source.check(op.start)?;
    op.destination.fill(0);
    let mut clipped = 0;
    for run in op.groups.runs(op.start, op.source.len()) {
        let code = op.codes[run.group];
        for index in run.offset..run.offset + run.length {
            let w = op.source.weight(index);
            clipped += u64::from(code.clips(w));
            put_code(&op.int, op.destination, index, code.encode(&op.int, w));
        }
    }
    let Some(stats) = op.stats else { return Ok(()) };
    stats.clipped += clipped;
    for from in (0..op.source.len()).step_by(TILE) {
        let source = op.source.slice(from, from + TILE);
        let weights: Vec<u8> = source.weights().flat_map(f32::to_le_bytes).collect();
        add_tile(stats, Source::f32(&weights), |index| {
            let group = op.groups.group_of(op.start + (from + index) as u64);
            f64::from(op.codes[group as usize].decode(get_code(&op.int, op.destination, from + index)))
        });
    }
    Ok(())
}

pub(super) fn dequantize(op: DequantizeIntOp<'_>) -> Result<(), KernelError> {
    check::dequantize_int(&op)?;
    let width = op.to.width() as usize;
    for run in op.groups.runs(op.start, op.elements) {
        let code = op.group_codes[run.group];
        for index in run.offset..run.offset + run.length {
            let value = code.decode(get_code(&op.int, op.codes, index));
            let destination = &mut op.destination[index * width..(index + 1) * width];
            put_decoded(op.to, value, op.start + index as u64, destination)?;
        }
    }
    Ok(())
}

/// Write a decoded value in `f32 f16 bf16`.
pub(crate) fn put_decoded(
    to: crate::DType,
    value: f32,
    index: u64,
    destination: &mut [u8],
) -> Result<(), KernelError> {
    write_float(to, value, destination);
    if Source::new(to, destination)?.value(0).is_finite() {
        return Ok(());
    }
    Err(KernelError::Overflow { index, value: f64::from(value), target: to })
}

fn put_code(int: &Int, destination: &mut [u8], index: usize, code: i32) {
    match int.bits {
        IntBits::Eight => destination[index] = code as u8,
        IntBits::Four => destination[index / 2] |= (code as u8 & 15) << nibble_shift(int.pack, index),
    }
}

/// The code of element `index` as the number that it stands for.
pub(crate) fn get_code(int: &Int, codes: &[u8], index: usize) -> i32 {
    let signed = int.symmetric;
    match int.bits {
        IntBits::Eight if signed => i32::from(codes[index] as i8),
        IntBits::Eight => i32::from(codes[index]),
        IntBits::Four => {
            let nibble = i32::from(codes[index / 2] >> nibble_shift(int.pack, index) & 15);
            if signed && nibble > 7 { nibble - 16 } else { nibble }
        }
    }
}

fn nibble_shift(pack: Pack, index: usize) -> u32 {
    match (pack, index % 2) {
        (Pack::Low, 0) | (Pack::High, 1) => 0,
        _ => 4,
    }
}
