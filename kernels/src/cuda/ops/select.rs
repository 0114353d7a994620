//! One digit of a radix selection, and ties.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::window::Window;
use super::{BLOCK, EACH, First, Progress, reported, source_error};
use crate::backend::{CountDigitsOp, CountTiesOp};

/// Numbers as the device has them.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().copied().map(u32::from_le_bytes)
}

pub(super) fn count_digits(
    lane: &mut dyn Lane,
    op: &mut CountDigitsOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let window = Window::new(op.groups, op.start + range.start as u64, range.len());
        let prefixes: Vec<u8> =
            op.prefixes[window.groups.clone()].iter().flat_map(|prefix| prefix.to_le_bytes()).collect();
        let mut counts = vec![0; (4 * window.groups.len()) << op.width];
        let mut above = vec![0; 4 * window.groups.len()];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, of_group) = (room.take(source.bytes().len()), room.take(prefixes.len()));
        let (to, least) = (room.take(counts.len()), room.take(above.len()));
        let mut work = room.open(lane, sources::SELECT, source.dtype())?;
        first.clear(&mut work)?;
        work.fill(to, 0)?;
        work.fill(least, 0xff)?;
        work.copy_in(&[(from, source.bytes()), (of_group, &prefixes)])?;
        let [offset, axis, inner] = window.words();
        let (shift, width) = (Number(op.shift.into()), Number(op.width.into()));
        let words = [
            At(from),
            At(of_group),
            At(to),
            At(least),
            Number(elements),
            offset,
            axis,
            inner,
            shift,
            width,
            At(first.0),
        ];
        work.launch("count_digits", elements.div_ceil(EACH), BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, &mut counts), (least, &mut above)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        let bins = window.groups.start << op.width..window.groups.end << op.width;
        op.histogram[bins].iter_mut().zip(numbers(&counts)).for_each(|(sum, count)| *sum += u64::from(count));
        let least = op.above[window.groups].iter_mut().zip(numbers(&above));
        least.for_each(|(least, other)| *least = (*least).min(other));
        progress.done = range.end;
    }
    Ok(())
}

pub(super) fn count_ties(
    lane: &mut dyn Lane,
    op: &mut CountTiesOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let elements = range.len() as u64;
        let mut room = Room::default();
        let (from, to) = (room.take(source.bytes().len()), room.take(8));
        let mut work = room.open(lane, sources::SELECT, source.dtype())?;
        work.fill(to, 0)?;
        work.copy_in(&[(from, source.bytes())])?;
        let words = [At(from), At(to), Number(elements), Number(op.magnitude.to_bits().into())];
        work.launch("count_ties", elements.div_ceil(EACH), BLOCK, &words)?;
        let mut count = [0; 8];
        work.copy_out(&mut [(to, &mut count)])?;
        *op.count += u64::from_le_bytes(count);
        progress.done = range.end;
    }
    Ok(())
}
