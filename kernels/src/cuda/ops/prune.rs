//! Zeros by magnitude, and sums that rank slices.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::{BLOCK, EACH, First, Progress, reported, source_error};
use crate::backend::{GatherOp, KeepNOfMOp, NormsOp, ZeroBelowOp};
use crate::stats::TILE;
use crate::{DType, Source};

pub(super) fn zero_below(
    lane: &mut dyn Lane,
    op: &mut ZeroBelowOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let width = op.dtype.width() as usize;
    while let Some(range) = progress.next(Source::new(op.dtype, op.bytes)?.len()) {
        let bytes = &mut op.bytes[range.start * width..range.end * width];
        let elements = range.len() as u64;
        let threads = elements.div_ceil(EACH);
        let mut ties = vec![0; 4 * threads.div_ceil(BLOCK.into()) as usize];
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (place, zeroed) = (room.take(bytes.len()), room.take(8));
        let of_block = room.take(ties.len());
        let mut work = room.open(lane, sources::PRUNE, op.dtype)?;
        first.clear(&mut work)?;
        work.fill(zeroed, 0)?;
        work.copy_in(&[(place, &*bytes)])?;
        let threshold = Number(op.threshold.to_bits().into());
        let words = [At(place), At(of_block), At(zeroed), Number(elements), threshold, At(first.0)];
        work.launch("find_ties", threads, BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (of_block, &mut ties)])?;
        if let Some(index) = reported(index) {
            let source = Source::new(op.dtype, bytes)?;
            return Err(source_error(source, index, op.start + range.start as u64).into());
        }
        // ties become zero in their order: how many of each block may
        let mut left = *op.ties;
        for word in ties.as_chunks_mut::<4>().0 {
            let may = left.min(u32::from_le_bytes(*word).into());
            left -= may;
            *word = (may as u32).to_le_bytes();
        }
        work.copy_in(&[(of_block, &ties)])?;
        work.launch("zero_below", threads, BLOCK, &words)?;
        let mut count = [0; 8];
        work.copy_out(&mut [(place, bytes), (zeroed, &mut count)])?;
        *op.ties = left;
        *op.zeroed += u64::from_le_bytes(count);
        progress.done = range.end;
    }
    Ok(())
}

pub(super) fn keep_n_of_m(
    lane: &mut dyn Lane,
    op: &mut KeepNOfMOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let width = op.dtype.width() as usize;
    let length = Source::new(op.dtype, op.bytes)?.len();
    while progress.done < length {
        // whole groups, one at least
        let count = (progress.piece / op.m).max(1) * op.m;
        let range = progress.done..length.min(progress.done + count);
        let bytes = &mut op.bytes[range.start * width..range.end * width];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, to) = (room.take(bytes.len()), room.take(bytes.len()));
        let zeroed = room.take(8);
        let mut work = room.open(lane, sources::PRUNE, op.dtype)?;
        first.clear(&mut work)?;
        work.fill(zeroed, 0)?;
        work.copy_in(&[(from, &*bytes)])?;
        let (n, m) = (Number(op.n as u64), Number(op.m as u64));
        let words = [At(from), At(to), At(zeroed), Number(elements), n, m, At(first.0)];
        work.launch("keep_n_of_m", elements, BLOCK, &words)?;
        let (mut index, mut count) = ([0; 8], [0; 8]);
        work.copy_out(&mut [(first.0, &mut index), (zeroed, &mut count)])?;
        if let Some(index) = reported(index) {
            let source = Source::new(op.dtype, bytes)?;
            return Err(source_error(source, index, op.start + range.start as u64).into());
        }
        work.copy_out(&mut [(to, bytes)])?;
        *op.zeroed += u64::from_le_bytes(count);
        progress.done = range.end;
    }
    Ok(())
}

pub(super) fn norms(lane: &mut dyn Lane, op: &mut NormsOp<'_>, progress: &mut Progress) -> Result<(), Fault> {
    let (slots, inner) = (NormsOp::slots(op.groups), op.groups.inner.max(1));
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let sums = &mut op.sums[range.start / TILE * slots..range.end.div_ceil(TILE) * slots];
        let mut found = vec![0; 16 * sums.len()];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, to) = (room.take(source.bytes().len()), room.take(found.len()));
        let mut work = room.open(lane, sources::PRUNE, source.dtype())?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, source.bytes())])?;
        let words = [At(from), Number(elements), At(first.0)];
        work.launch("check", elements.div_ceil(EACH), BLOCK, &words)?;
        let offset = Number((op.start + range.start as u64) % inner);
        let words = [At(from), At(to), Number(elements), offset, Number(inner), Number(slots as u64)];
        work.launch("norms", sums.len() as u64, BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, &mut found)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        let values = found.as_chunks::<8>().0.iter().copied().map(f64::from_le_bytes);
        sums.as_flattened_mut().iter_mut().zip(values).for_each(|(sum, value)| *sum = value);
        progress.done = range.end;
    }
    Ok(())
}

/// Pieces are bytes of the result; of the tensor what lies between the first and the last byte that a piece takes is copied.
pub(super) fn gather(
    lane: &mut dyn Lane,
    op: &mut GatherOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let slice = op.groups.inner * op.width;
    let kept = op.keep.len() as u64;
    let keep: Vec<u8> = op.keep.iter().flat_map(|index| index.to_le_bytes()).collect();
    while let Some(range) = progress.next(op.destination.len()) {
        let numbers = range.start as u64 / slice..=(range.end as u64 - 1) / slice;
        let (mut first, mut last) = (u64::MAX, 0);
        for number in numbers {
            let from = number / kept * op.groups.axis + op.keep[(number % kept) as usize];
            (first, last) = (first.min(from), last.max(from));
        }
        let window = &op.bytes[(first * slice) as usize..((last + 1) * slice) as usize];
        let destination = &mut op.destination[range.clone()];
        let mut room = Room::default();
        let (from, indices) = (room.take(window.len()), room.take(keep.len()));
        let to = room.take(destination.len());
        let mut work = room.open(lane, sources::PRUNE, DType::F32)?;
        work.copy_in(&[(from, window), (indices, &keep)])?;
        let [bytes, start] = [range.len() as u64, range.start as u64].map(Number);
        let [slice, kept, axis] = [slice, kept, op.groups.axis].map(Number);
        let words = [
            At(from),
            At(indices),
            At(to),
            bytes,
            start,
            slice,
            kept,
            axis,
            Number(first * op.groups.inner * op.width),
        ];
        work.launch("gather", (range.len() as u64).div_ceil(EACH), BLOCK, &words)?;
        work.copy_out(&mut [(to, destination)])?;
        progress.done = range.end;
    }
    Ok(())
}
