//! Error statistics, tile by tile.

use super::check;
use crate::backend::CompareOp;
use crate::stats::{ErrorStats, TILE, TileSums, tile_scale};
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
    let elements = || (0..source.len()).map(|index| source.value(index));
    let scale = tile_scale(elements().fold(0, |largest, x| largest.max((x as f32).abs().to_bits())));
    let mut sums = TileSums::default();
    for (index, x) in elements().enumerate() {
        // of two f32 this is their f32 difference: f64 has more than twice the digits
        let error = (x - decoded(index)) as f32;
        sums.add(index, scale, x as f32, error);
    }
    stats.add_tile(source.len(), scale, &sums);
}
