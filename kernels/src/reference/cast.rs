//! Casts, element by element.

use super::check;
use super::compare::add_tile;
use crate::backend::CastOp;
use crate::narrow::{Narrow, round_to_odd};
use crate::stats::TILE;
use crate::{DType, KernelError, Source};

pub(super) fn cast(op: CastOp<'_>) -> Result<(), KernelError> {
    let width = op.to.width() as usize;
    check::cast(&op)?;
    let mut clipped = 0;
    for (index, destination) in op.destination.chunks_exact_mut(width).enumerate() {
        clipped += u64::from(cast_element(op.source, index, op.start, op.to, op.saturate, destination)?);
    }
    if let Some(stats) = op.stats {
        stats.clipped += clipped;
        for from in (0..op.source.len()).step_by(TILE) {
            let end = op.destination.len().min((from + TILE) * width);
            let written = Source::new(op.to, &op.destination[from * width..end])?;
            add_tile(stats, op.source.slice(from, from + TILE), |index| written.value(index));
        }
    }
    Ok(())
}

/// Cast element `index`; true when it was saturated.
pub(crate) fn cast_element(
    source: Source<'_>,
    index: usize,
    start: u64,
    to: DType,
    saturate: bool,
    destination: &mut [u8],
) -> Result<bool, KernelError> {
    let value = source.value(index);
    let at = start + index as u64;
    if !value.is_finite() {
        return Err(KernelError::NonFinite { index: at, value });
    }
    let overflow = KernelError::Overflow { index: at, value, target: to };
    if to == DType::F32 {
        let rounded = value as f32;
        let clipped = !rounded.is_finite();
        if clipped && !saturate {
            return Err(overflow);
        }
        destination.copy_from_slice(&rounded.clamp(f32::MIN, f32::MAX).to_le_bytes());
        return Ok(clipped);
    }
    let narrow = Narrow::of(to).ok_or(KernelError::UnsupportedDType { dtype: to })?;
    let mut pattern = narrow.narrow(round_to_odd(value));
    let clipped = !narrow.is_finite(pattern);
    if clipped {
        if !saturate {
            return Err(overflow);
        }
        let sign = if value < 0.0 { !narrow.magnitude_mask() } else { 0 };
        pattern = narrow.largest() | sign;
    }
    destination.copy_from_slice(&pattern.to_le_bytes()[..destination.len()]);
    Ok(clipped)
}
