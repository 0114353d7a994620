//! Double quantisation of absmax.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::{First, Progress, reported};
use crate::backend::{NestedDecodeOp, NestedEncodeOp};
use crate::format::code4::NESTED_BLOCK;
use crate::{DType, KernelError};

/// A thread to an absmax.
const BLOCK: u32 = NESTED_BLOCK as u32;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn fill(values: &mut [f32], bytes: &[u8]) {
    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*bytes);
    }
}

pub(super) fn encode(
    lane: &mut dyn Lane,
    op: &mut NestedEncodeOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let block = NESTED_BLOCK as usize;
    let offset = Number(op.offset.to_bits().into());
    while let Some(range) = progress.next(op.absmax.len()) {
        let absmax = bytes(&op.absmax[range.clone()]);
        let codes = &mut op.codes[range.clone()];
        let scales = &mut op.scales[range.start / block..range.end.div_ceil(block)];
        let mut found = vec![0; 4 * scales.len()];
        let count = range.len() as u64;
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, to) = (room.take(absmax.len()), room.take(codes.len()));
        let largest = room.take(found.len());
        let mut work = room.open(lane, sources::NESTED, DType::F32)?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, &absmax)])?;
        let words = [At(from), At(to), At(largest), Number(count), offset, At(first.0)];
        work.launch("nested_encode", count, BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, codes), (largest, &mut found)])?;
        if reported(index).is_some() {
            return Err(KernelError::NestedOverflow.into());
        }
        fill(scales, &found);
        progress.done = range.end;
    }
    Ok(())
}

pub(super) fn decode(
    lane: &mut dyn Lane,
    op: &mut NestedDecodeOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let block = NESTED_BLOCK as usize;
    let offset = Number(op.offset.to_bits().into());
    while let Some(range) = progress.next(op.codes.len()) {
        let codes = &op.codes[range.clone()];
        let scales = bytes(&op.scales[range.start / block..range.end.div_ceil(block)]);
        let mut found = vec![0; 4 * range.len()];
        let count = range.len() as u64;
        let mut room = Room::default();
        let (from, largest) = (room.take(codes.len()), room.take(scales.len()));
        let to = room.take(found.len());
        let mut work = room.open(lane, sources::NESTED, DType::F32)?;
        work.copy_in(&[(from, codes), (largest, &scales)])?;
        let words = [At(from), At(largest), At(to), Number(count), offset];
        work.launch("nested_decode", count, BLOCK, &words)?;
        work.copy_out(&mut [(to, &mut found)])?;
        fill(&mut op.absmax[range.clone()], &found);
        progress.done = range.end;
    }
    Ok(())
}
