//! 4-bit codebooks, element by element.

use super::check;
use super::compare::add_tile;
use super::int::put_decoded;
use crate::backend::{DequantizeCode4Op, QuantizeCode4Op};
use crate::format::Code4Kind;
use crate::format::code4::{FP4_ASCENDING, fp4_thresholds, nf4_thresholds};
use crate::stats::TILE;
use crate::{KernelError, Source};

/// Below it an absmax is taken as this, so that its inverse is finite.
pub(crate) const LEAST_ABSMAX: f32 = 1e-38;

/// The code of a normalised value.
pub(crate) fn code(kind: Code4Kind, y: f32) -> u8 {
    match kind {
        Code4Kind::Nf4 => nf4_thresholds().iter().filter(|&&threshold| y > threshold).count() as u8,
        Code4Kind::Fp4 => {
            let above = fp4_thresholds().iter().filter(|&&threshold| y.abs() > threshold).count();
            FP4_ASCENDING[above] | if y < 0.0 { 8 } else { 0 }
        }
    }
}

pub(super) fn quantize(op: QuantizeCode4Op<'_>) -> Result<(), KernelError> {
    check::quantize_code4(&op)?;
    op.source.check(op.start)?;
    op.destination.fill(0);
    let block = op.code4.block as usize;
    for (number, absmax) in op.absmax.iter_mut().enumerate() {
        let values = op.source.slice(number * block, (number + 1) * block);
        *absmax = values.weights().fold(0.0, |largest: f32, w| largest.max(w.abs()));
        let divisor = absmax.max(LEAST_ABSMAX);
        let inverse = 1.0 / divisor;
        for (index, w) in values.weights().enumerate() {
            let y = if values.len() == block { w * inverse } else { w / divisor };
            let index = number * block + index;
            op.destination[index / 2] |= code(op.code4.kind, y) << (4 * (1 - index % 2));
        }
    }
    if op.source.len() % 2 == 1 {
        op.destination[op.source.len() / 2] |= code(op.code4.kind, 0.0);
    }
    let Some(stats) = op.stats else { return Ok(()) };
    let book = op.code4.kind.codebook();
    for from in (0..op.source.len()).step_by(TILE) {
        let source = op.source.slice(from, from + TILE);
        let weights: Vec<u8> = source.weights().flat_map(f32::to_le_bytes).collect();
        add_tile(stats, Source::f32(&weights), |index| {
            let index = from + index;
            f64::from(book[nibble(op.destination, index)] * op.absmax[index / block])
        });
    }
    Ok(())
}

pub(super) fn dequantize(op: DequantizeCode4Op<'_>) -> Result<(), KernelError> {
    check::dequantize_code4(&op)?;
    let (book, width) = (op.kind.codebook(), op.to.width() as usize);
    for (index, destination) in op.destination.chunks_exact_mut(width).enumerate() {
        let value = book[nibble(op.codes, index)] * op.absmax[index / op.block];
        put_decoded(op.to, value, op.start + index as u64, destination)?;
    }
    Ok(())
}

fn nibble(codes: &[u8], index: usize) -> usize {
    usize::from(codes[index / 2] >> (4 * (1 - index % 2)) & 15)
}
