//! Casts.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::tiles::Tiles;
use super::{BLOCK, EACH, First, Progress, not_found, reported, type_number};
use crate::backend::CastOp;
use crate::reference::cast_element;
use crate::{DType, KernelError};

pub(super) fn cast(lane: &mut dyn Lane, op: &mut CastOp<'_>, progress: &mut Progress) -> Result<(), Fault> {
    let width = op.to.width() as usize;
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let destination = &mut op.destination[range.start * width..range.end * width];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let from = room.take(source.bytes().len());
        let to = room.take(destination.len());
        let mut tiles = Tiles::new(&mut room, range.len(), op.stats.is_some());
        let mut work = room.open(lane, sources::CAST, source.dtype())?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, source.bytes())])?;
        let words = [At(from), At(to), Number(elements), Number(op.saturate.into()), At(first.0)];
        work.launch(kernel(op.to)?, elements.div_ceil(EACH), BLOCK, &words)?;
        if let Some(stats) = &mut op.stats {
            let words = [At(from), At(to), Number(elements), Number(type_number(op.to)?), At(tiles.place)];
            work.launch("measure_cast", tiles.threads(), BLOCK, &words)?;
            let mut index = [0; 8];
            work.copy_out(&mut [
                (to, &mut *destination),
                (tiles.place, &mut tiles.bytes),
                (first.0, &mut index),
            ])?;
            error(op.source, reported(index).map(|index| range.start + index), op.start, op.to, op.saturate)?;
            tiles.add_to(stats);
        } else {
            let mut index = [0; 8];
            work.copy_out(&mut [(to, &mut *destination), (first.0, &mut index)])?;
            error(op.source, reported(index).map(|index| range.start + index), op.start, op.to, op.saturate)?;
        }
        progress.done = range.end;
    }
    Ok(())
}

fn kernel(to: DType) -> Result<&'static str, KernelError> {
    match to {
        DType::F32 => Ok("cast_f32"),
        DType::F16 => Ok("cast_f16"),
        DType::Bf16 => Ok("cast_bf16"),
        DType::F8E4M3 => Ok("cast_f8_e4m3"),
        DType::F8E5M2 => Ok("cast_f8_e5m2"),
        dtype => Err(KernelError::UnsupportedDType { dtype }),
    }
}

/// The reference's error for the element that a kernel could not cast.
fn error(
    source: crate::Source<'_>,
    index: Option<usize>,
    start: u64,
    to: DType,
    saturate: bool,
) -> Result<(), KernelError> {
    let Some(index) = index else { return Ok(()) };
    let mut element = [0; 4];
    let element = &mut element[..to.width() as usize];
    match cast_element(source, index, start, to, saturate, element) {
        Err(error) => Err(error),
        Ok(_) => Err(not_found()),
    }
}
