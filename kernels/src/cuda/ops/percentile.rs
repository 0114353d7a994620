//! Percentiles of whole groups.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::{BLOCK, First, Progress, reported, source_error};
use crate::backend::PercentilesOp;
use crate::format::Percentile;

/// Elements of a group that a thread holds, and a warp, as in `percentile.cu`.
const TINY: usize = 8;
const SHORT: usize = 256;
/// Elements of a group from which more threads are worth it.
const LONG: usize = 4096;

pub(super) fn percentiles(
    lane: &mut dyn Lane,
    op: &mut PercentilesOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    if op.length == 0 {
        return Ok(());
    }
    let (rank, fraction) = op.percentile.position(op.length as u64);
    let (kernel, block, of_group) = if op.length <= TINY {
        ("percentile_tiny", BLOCK, 1)
    } else if op.length <= SHORT {
        ("percentile_short", BLOCK, 32)
    } else if op.length < LONG {
        ("percentile", 128, 128)
    } else {
        ("percentile", 512, 512)
    };
    while progress.done < op.source.len() {
        // whole groups, one at least
        let count = (progress.piece / op.length).max(1) * op.length;
        let range = progress.done..op.source.len().min(progress.done + count);
        let source = op.source.slice(range.start, range.end);
        let groups = range.len() / op.length;
        let mut found = vec![0; 8 * groups];
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, to) = (room.take(source.bytes().len()), room.take(found.len()));
        let mut work = room.open(lane, sources::PERCENTILE, source.dtype())?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, source.bytes())])?;
        let (length, rank) = (Number(op.length as u64), Number(rank));
        let words = [At(from), At(to), length, rank, Number(groups as u64), At(first.0)];
        work.launch(kernel, groups as u64 * of_group, block, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, &mut found)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        let limits = op.limits[range.start / op.length..].iter_mut();
        for (limit, &[a, b, c, d, e, f, g, h]) in limits.zip(found.as_chunks::<8>().0) {
            let (low, next) = (f32::from_le_bytes([a, b, c, d]), f32::from_le_bytes([e, f, g, h]));
            *limit = Percentile::between(low, next, fraction);
        }
        progress.done = range.end;
    }
    Ok(())
}
