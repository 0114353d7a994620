//! 4-bit codebooks.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::tiles::Tiles;
use super::{BLOCK, EACH, First, Progress, not_found, reported, source_error, type_number};
use crate::backend::{DequantizeCode4Op, QuantizeCode4Op};
use crate::format::Code4Kind;
use crate::reference::put_decoded;
use crate::{DType, KernelError};

pub(super) fn quantize(
    lane: &mut dyn Lane,
    op: &mut QuantizeCode4Op<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let block = op.code4.block as usize;
    let (kernel, measure) = match op.code4.kind {
        Code4Kind::Nf4 => ("quantize_nf4", "measure_nf4"),
        Code4Kind::Fp4 => ("quantize_fp4", "measure_fp4"),
    };
    let shift = Number(block.trailing_zeros().into());
    while let Some(range) = progress.next(op.source.len()) {
        let source = op.source.slice(range.start, range.end);
        let codes = &mut op.destination[range.start / 2..range.end.div_ceil(2)];
        let absmax = &mut op.absmax[range.start / block..range.end.div_ceil(block)];
        let mut absmax_bytes = vec![0; 4 * absmax.len()];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let from = room.take(source.bytes().len());
        let (to, scales) = (room.take(codes.len()), room.take(absmax_bytes.len()));
        let mut tiles = Tiles::new(&mut room, range.len(), op.stats.is_some());
        let mut work = room.open(lane, sources::CODE4, source.dtype())?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, source.bytes())])?;
        let words = [At(from), At(to), At(scales), Number(elements), shift, At(first.0)];
        // a block of threads holds whole blocks of elements
        let threads = if block > 2048 { 512 } else { BLOCK };
        work.launch(kernel, elements.div_ceil(EACH), threads, &words)?;
        let words = [At(from), At(to), At(scales), Number(elements), shift, At(tiles.place)];
        work.launch(measure, tiles.threads(), BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, codes), (scales, &mut absmax_bytes)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        for (absmax, bytes) in absmax.iter_mut().zip(absmax_bytes.as_chunks::<4>().0) {
            *absmax = f32::from_le_bytes(*bytes);
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
    op: &mut DequantizeCode4Op<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let width = op.to.width() as usize;
    let kernel = match op.kind {
        Code4Kind::Nf4 => "dequantize_nf4",
        Code4Kind::Fp4 => "dequantize_fp4",
    };
    while let Some(range) = progress.next(op.elements) {
        let codes = &op.codes[range.start / 2..range.end.div_ceil(2)];
        let absmax = &op.absmax[range.start / op.block..range.end.div_ceil(op.block)];
        let absmax_bytes: Vec<u8> = absmax.iter().flat_map(|value| value.to_le_bytes()).collect();
        let destination = &mut op.destination[range.start * width..range.end * width];
        let elements = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, scales) = (room.take(codes.len()), room.take(absmax_bytes.len()));
        let to = room.take(destination.len());
        let mut work = room.open(lane, sources::CODE4, DType::F32)?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, codes), (scales, &absmax_bytes)])?;
        let shift = Number(op.block.trailing_zeros().into());
        let kind = Number(type_number(op.to)?);
        let words = [At(from), At(scales), At(to), Number(elements), shift, kind, At(first.0)];
        work.launch(kernel, elements.div_ceil(EACH), BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, destination)])?;
        if let Some(index) = reported(index) {
            let code = codes[index / 2] >> (4 * (1 - index % 2)) & 15;
            let value = op.kind.codebook()[usize::from(code)] * absmax[index / op.block];
            return Err(overflow(op.to, value, op.start + (range.start + index) as u64).into());
        }
        progress.done = range.end;
    }
    Ok(())
}

/// The reference's error for a decoded value that the target cannot hold.
pub(super) fn overflow(to: DType, value: f32, index: u64) -> KernelError {
    let mut element = [0; 4];
    match put_decoded(to, value, index, &mut element[..to.width() as usize]) {
        Err(error) => error,
        Ok(()) => not_found(),
    }
}
