//! Ranges of groups, and the squared errors of candidates for narrower ones.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::window::Window;
use super::{BLOCK, EACH, First, Progress, reported, source_error};
use crate::backend::{ExtentsOp, GridErrorsOp};
use crate::format::{IntBits, ScaleDType};
use crate::scale::GRID;

/// Elements of a block of threads, and its threads, one for each candidate, as in `grid.cu`.
const STRETCH: u64 = 1024;
const GRID_BLOCK: u32 = 64;

pub(super) fn extents(
    lane: &mut dyn Lane,
    op: &mut ExtentsOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let window = Window::new(op.groups, op.start + range.start as u64, range.len());
        let mut found = vec![0; 8 * window.groups.len()];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, to) = (room.take(source.bytes().len()), room.take(found.len()));
        let mut work = room.open(lane, sources::EXTENTS, source.dtype())?;
        first.clear(&mut work)?;
        work.fill(to, 0)?;
        work.copy_in(&[(from, source.bytes())])?;
        let [offset, axis, inner] = window.words();
        let words = [At(from), At(to), Number(elements), offset, axis, inner, At(first.0)];
        work.launch("extents", elements.div_ceil(EACH), BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, &mut found)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        let pairs = op.extents[window.groups].iter_mut().zip(found.as_chunks::<8>().0);
        for (extent, &[a, b, c, d, e, f, g, h]) in pairs {
            extent.add(-f32::from_le_bytes([a, b, c, d]));
            extent.add(f32::from_le_bytes([e, f, g, h]));
        }
        progress.done = range.end;
    }
    Ok(())
}

pub(super) fn grid_errors(
    lane: &mut dyn Lane,
    op: &mut GridErrorsOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let kernel = match (op.int.bits, op.int.symmetric) {
        (IntBits::Eight, true) => "grid_int8",
        (IntBits::Eight, false) => "grid_int8_asymmetric",
        (IntBits::Four, true) => "grid_int4",
        (IntBits::Four, false) => "grid_int4_asymmetric",
    };
    let half = Number((op.int.scale == ScaleDType::F16).into());
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let window = Window::new(op.groups, op.start + range.start as u64, range.len());
        let both = op.extents[window.groups.clone()].iter().flat_map(|extent| [extent.low, extent.high]);
        let table: Vec<u8> = both.flat_map(f32::to_le_bytes).collect();
        let mut found = vec![0; 8 * GRID * window.groups.len()];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let from = room.take(source.bytes().len());
        let (ranges, to) = (room.take(table.len()), room.take(found.len()));
        let mut work = room.open(lane, sources::GRID, source.dtype())?;
        first.clear(&mut work)?;
        work.fill(to, 0)?;
        work.copy_in(&[(from, source.bytes()), (ranges, &table)])?;
        let [offset, axis, inner] = window.words();
        let words = [At(from), At(ranges), At(to), Number(elements), offset, axis, inner, half, At(first.0)];
        let threads = elements.div_ceil(STRETCH) * u64::from(GRID_BLOCK);
        work.launch(kernel, threads, GRID_BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, &mut found)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        let sums = op.sums[window.groups].iter_mut().flatten();
        for (sum, bytes) in sums.zip(found.as_chunks::<8>().0) {
            *sum = sum.saturating_add(u64::from_le_bytes(*bytes));
        }
        progress.done = range.end;
    }
    Ok(())
}
