//! Error statistics, tile by tile.

use super::check;
use crate::backend::CompareOp;
use crate::stats::{ErrorStats, TILE, TileSums};
use crate::{KernelError, Source};

pub(super) fn compare(op: CompareOp<'_>) -> Result<(), KernelError> {
    check::compare(&op)?;
    for from in (0..op.source.len()).step_by(TILE) {
        let (source, decoded) = (op.source.slice(from, from + TILE), op.decoded.slice(from, from + TILE));
        add_tile(op.stats, source, |index| decoded.value(index));
    }
    Ok(())
}

/// Add one tile whose element `index` reads back as `decoded(index)`.
pub(super) fn add_tile(stats: &mut ErrorStats, source: Source<'_>, decoded: impl Fn(usize) -> f64) {
    let mut sums = TileSums::default();
    for index in 0..source.len() {
        sums.add(index, source.value(index), decoded(index));
    }
    stats.add_tile(source.len(), &sums);
}
