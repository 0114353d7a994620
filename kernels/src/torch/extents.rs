//! What a scale is taken from: extents and percentiles of groups.

use super::Torch;
use super::pieces::pieces;
use super::tensors::{floats, largest};
use crate::KernelError;
use crate::backend::{ExtentsOp, PercentilesOp};
use crate::format::Percentile;
use crate::reference::check;

pub(super) fn extents(torch: &Torch, op: ExtentsOp<'_>) -> Result<(), KernelError> {
    check::extents(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    let mut found = Vec::new();
    for piece in pieces(op.groups, op.start, op.source.len()) {
        let values = piece.of(&weights)?;
        let across = [0i64, 2];
        found.push((piece, floats(&values.f_amin(across, false)?)?, floats(&values.f_amax(across, false)?)?));
    }
    // minima and maxima of libtorch keep a NaN
    if found.iter().any(|(_, low, high)| low.iter().chain(high).any(|limit| !limit.is_finite())) {
        op.source.check(op.start)?;
    }
    for (piece, low, high) in found {
        for ((extent, low), high) in op.extents[piece.groups()].iter_mut().zip(low).zip(high) {
            extent.add(low);
            extent.add(high);
        }
    }
    Ok(())
}

pub(super) fn percentiles(torch: &Torch, op: PercentilesOp<'_>) -> Result<(), KernelError> {
    check::percentiles(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    if !largest(&weights)?.is_finite() {
        op.source.check(op.start)?;
    }
    let (rank, fraction) = op.percentile.position(op.length as u64);
    let (rank, length) = (rank as i64, op.length as i64);
    let magnitudes = weights.f_abs()?.f_reshape([op.limits.len() as i64, length])?;
    // whichever end is nearer, sorted from there
    let from_top = length - rank <= rank + 2;
    let count = if from_top { length - rank } else { rank + 2 };
    let (sorted, _) = magnitudes.f_topk(count, 1, from_top, true)?;
    let column = |index: i64| floats(&sorted.f_select(1, index)?);
    let low = column(if from_top { count - 1 } else { rank })?;
    let high =
        if rank + 1 == length { low.clone() } else { column(if from_top { count - 2 } else { rank + 1 })? };
    for ((limit, low), high) in op.limits.iter_mut().zip(low).zip(high) {
        *limit = Percentile::between(low, high, fraction);
    }
    Ok(())
}
