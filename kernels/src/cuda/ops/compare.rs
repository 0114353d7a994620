//! Error statistics of decoded elements.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::tiles::Tiles;
use super::{BLOCK, Progress, type_number};
use crate::backend::CompareOp;

pub(super) fn compare(
    lane: &mut dyn Lane,
    op: &mut CompareOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let decoded = op.decoded.slice(range.start, range.end);
        let mut room = Room::default();
        let (left, right) = (room.take(source.bytes().len()), room.take(decoded.bytes().len()));
        let mut tiles = Tiles::new(&mut room, range.len(), true);
        let mut work = room.open(lane, sources::COMPARE, source.dtype())?;
        work.copy_in(&[(left, source.bytes()), (right, decoded.bytes())])?;
        let kind = Number(type_number(decoded.dtype())?);
        let words = [At(left), At(right), Number(range.len() as u64), kind, At(tiles.place)];
        work.launch("compare", tiles.threads(), BLOCK, &words)?;
        work.copy_out(&mut [(tiles.place, &mut tiles.bytes)])?;
        tiles.add_to(op.stats);
        progress.done = range.end;
    }
    Ok(())
}
