//! Integers with given scales.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::code4::overflow;
use super::tiles::Tiles;
use super::window::Window;
use super::{BLOCK, EACH, First, Progress, reported, source_error, type_number};
use crate::backend::{DequantizeIntOp, QuantizeIntOp};
use crate::format::{Int, IntBits, Pack};
use crate::reference::check::code_bytes;
use crate::reference::get_code;
use crate::{DType, KernelError};

/// Where the codes of a piece lie; it begins with an even element.
fn code_range(int: &Int, range: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    code_bytes(int, range.start)..code_bytes(int, range.end)
}

pub(super) fn quantize(
    lane: &mut dyn Lane,
    op: &mut QuantizeIntOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let int = op.int;
    let (kernel, measure) = match (int.bits, int.symmetric) {
        (IntBits::Eight, true) => ("quantize_int8", "measure_int8"),
        (IntBits::Eight, false) => ("quantize_int8_asymmetric", "measure_int8_asymmetric"),
        (IntBits::Four, true) => ("quantize_int4", "measure_int4"),
        (IntBits::Four, false) => ("quantize_int4_asymmetric", "measure_int4_asymmetric"),
    };
    let high = Number((int.pack == Pack::High).into());
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let codes = &mut op.destination[code_range(&int, &range)];
        let window = Window::new(op.groups, op.start + range.start as u64, range.len());
        let table = window.codes(op.codes);
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let from = room.take(source.bytes().len());
        let (to, of_group) = (room.take(codes.len()), room.take(table.len()));
        let mut tiles = Tiles::new(&mut room, range.len(), op.stats.is_some());
        let mut work = room.open(lane, sources::INT, source.dtype())?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, source.bytes()), (of_group, &table)])?;
        let [offset, axis, inner] = window.words();
        let start = [At(from), At(to), At(of_group), Number(elements), offset, axis, inner, high];
        work.launch(kernel, elements.div_ceil(EACH), BLOCK, &[&start[..], &[At(first.0)]].concat())?;
        work.launch(measure, tiles.threads(), BLOCK, &[&start[..], &[At(tiles.place)]].concat())?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, codes)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        if let Some(stats) = &mut op.stats {
            work.copy_out(&mut [(tiles.place, &mut tiles.bytes)])?;
            tiles.add_to(stats);
        }
        progress.done = range.end;
    }
    Ok(())
}

pub(super) fn dequantize(
    lane: &mut dyn Lane,
    op: &mut DequantizeIntOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let (int, width) = (op.int, op.to.width() as usize);
    let kernel = match (int.bits, int.symmetric) {
        (IntBits::Eight, true) => "dequantize_int8",
        (IntBits::Eight, false) => "dequantize_int8_asymmetric",
        (IntBits::Four, true) => "dequantize_int4",
        (IntBits::Four, false) => "dequantize_int4_asymmetric",
    };
    let high = Number((int.pack == Pack::High).into());
    while let Some(range) = progress.next(op.elements) {
        let codes = &op.codes[code_range(&int, &range)];
        let destination = &mut op.destination[range.start * width..range.end * width];
        let window = Window::new(op.groups, op.start + range.start as u64, range.len());
        let table = window.codes(op.group_codes);
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, of_group) = (room.take(codes.len()), room.take(table.len()));
        let to = room.take(destination.len());
        let mut work = room.open(lane, sources::INT, DType::F32)?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, codes), (of_group, &table)])?;
        let [offset, axis, inner] = window.words();
        let kind = Number(type_number(op.to)?);
        let words =
            [At(from), At(of_group), At(to), Number(elements), offset, axis, inner, high, kind, At(first.0)];
        work.launch(kernel, elements.div_ceil(EACH), BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, destination)])?;
        if let Some(index) = reported(index) {
            return Err(error(op, range.start + index).into());
        }
        progress.done = range.end;
    }
    Ok(())
}

fn error(op: &DequantizeIntOp<'_>, index: usize) -> KernelError {
    let flat = op.start + index as u64;
    let code = op.group_codes[op.groups.group_of(flat) as usize];
    overflow(op.to, code.decode(get_code(&op.int, op.codes, index)), flat)
}
