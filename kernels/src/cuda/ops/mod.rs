//! Operations as launches, piece by piece: buffers, arguments, and what comes back.
//!
//! One file for each family of kernels. A piece is a range of elements that begins at a multiple of [`FLOOR`], so that it
//! holds whole tiles and blocks; where a device has too little memory, pieces become shorter.

mod cast;
mod code4;
mod compare;
mod int;
mod nested;
mod percentile;
mod prune;
mod ranges;
mod select;
mod tiles;
mod window;

use super::launch::{Fault, Lane, Place, Room, Work};
use crate::backend::Op;
use crate::reference::check;
use crate::{DType, KernelError, Source};
use std::ops::Range;

/// Pieces are multiples of so many elements, the last one excepted, and never shorter.
pub(super) const FLOOR: usize = 4096;

/// Threads of a block where nothing else matters.
const BLOCK: u32 = 256;

/// Neighbours that a thread works on, as in `numbers.cuh`.
const EACH: u64 = 8;

/// How far an operation is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Elements that are done.
    pub(super) done: usize,
    /// Elements of a piece, a multiple of [`FLOOR`].
    pub(super) piece: usize,
}

impl Progress {
    /// The next piece of `elements`, if there is one.
    fn next(&self, elements: usize) -> Option<Range<usize>> {
        (self.done < elements).then(|| self.done..elements.min(self.done + self.piece))
    }
}

/// Lengths and alignments, before anything is copied.
pub(super) fn check(op: &Op<'_>) -> Result<(), KernelError> {
    match op {
        Op::Cast(op) => check::cast(op),
        Op::Extents(op) => check::extents(op),
        Op::Percentiles(op) => check::percentiles(op),
        Op::GridErrors(op) => check::grid_errors(op),
        Op::QuantizeInt(op) => check::quantize_int(op),
        Op::QuantizeCode4(op) => check::quantize_code4(op),
        Op::DequantizeInt(op) => check::dequantize_int(op),
        Op::DequantizeCode4(op) => check::dequantize_code4(op),
        Op::Compare(op) => check::compare(op),
        Op::NestedEncode(op) => check::nested_encode(op),
        Op::NestedDecode(op) => check::nested_decode(op),
        Op::CountDigits(op) => check::count_digits(op),
        Op::KeepNOfM(op) => check::keep_n_of_m(op),
        Op::Norms(op) => check::norms(op),
        Op::Gather(op) => check::gather(op),
        Op::CountTies(_) | Op::ZeroBelow(_) => Ok(()),
    }
}

/// Do what is left. After [`Fault::Memory`] it can be called again with shorter pieces.
pub(super) fn run(lane: &mut dyn Lane, op: &mut Op<'_>, progress: &mut Progress) -> Result<(), Fault> {
    match op {
        Op::Cast(op) => cast::cast(lane, op, progress),
        Op::Extents(op) => ranges::extents(lane, op, progress),
        Op::Percentiles(op) => percentile::percentiles(lane, op, progress),
        Op::GridErrors(op) => ranges::grid_errors(lane, op, progress),
        Op::QuantizeInt(op) => int::quantize(lane, op, progress),
        Op::QuantizeCode4(op) => code4::quantize(lane, op, progress),
        Op::DequantizeInt(op) => int::dequantize(lane, op, progress),
        Op::DequantizeCode4(op) => code4::dequantize(lane, op, progress),
        Op::Compare(op) => compare::compare(lane, op, progress),
        Op::NestedEncode(op) => nested::encode(lane, op, progress),
        Op::NestedDecode(op) => nested::decode(lane, op, progress),
        Op::CountDigits(op) => select::count_digits(lane, op, progress),
        Op::CountTies(op) => select::count_ties(lane, op, progress),
        Op::ZeroBelow(op) => prune::zero_below(lane, op, progress),
        Op::KeepNOfM(op) => prune::keep_n_of_m(lane, op, progress),
        Op::Norms(op) => prune::norms(lane, op, progress),
        Op::Gather(op) => prune::gather(lane, op, progress),
    }
}

/// Where kernels report the least index of a value that ends the operation.
struct First(Place);

impl First {
    fn new(room: &mut Room) -> First {
        First(room.take(8))
    }

    /// Before the first launch.
    fn clear(&self, work: &mut Work<'_>) -> Result<(), KernelError> {
        work.fill(self.0, 0xff)
    }
}

/// The index that a kernel reported, in the piece.
fn reported(bytes: [u8; 8]) -> Option<usize> {
    let index = u64::from_le_bytes(bytes);
    (index != u64::MAX).then_some(index as usize)
}

/// The error of a source's element, which a kernel found and the reference words.
fn source_error(source: Source<'_>, index: usize, start: u64) -> KernelError {
    match source.slice(index, index + 1).check(start + index as u64) {
        Err(error) => error,
        Ok(()) => not_found(),
    }
}

fn not_found() -> KernelError {
    KernelError::Device { what: "internal error: the reference accepts what a kernel refused".to_owned() }
}

/// A number for an element type, as in `numbers.cuh`.
fn type_number(dtype: DType) -> Result<u64, KernelError> {
    match super::sources::type_index(dtype) {
        Some(index) => Ok(index as u64),
        None => Err(KernelError::UnsupportedDType { dtype }),
    }
}
