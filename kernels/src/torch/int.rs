//! Integers with scales, a piece of the range at a time.

use super::Torch;
use super::pack::{pack, unpack};
use super::pieces::pieces;
use super::tensors::{append, count, largest, overflow_bound, round_to, store};
use crate::backend::{Backend, DequantizeIntOp, Op, QuantizeIntOp};
use crate::format::{Int, IntBits, Pack};
use crate::reference::check;
use crate::scale::GroupCode;
use crate::{KernelError, Reference};
use tch::{Kind, Tensor};

/// The scales and zero points of rows, as columns.
pub(super) struct Grid {
    scale: Tensor,
    divisor: Tensor,
    zero: Tensor,
}

/// One number per row, as a column: never a scalar, since libtorch on CUDA divides by a scalar by multiplying.
fn column(
    torch: &Torch,
    codes: &[GroupCode],
    value: impl Fn(&GroupCode) -> f32,
) -> Result<Tensor, KernelError> {
    let values: Vec<f32> = codes.iter().map(value).collect();
    Ok(torch.tensors.copy(&values)?.f_reshape([-1, 1])?)
}

impl Grid {
    pub(super) fn new(torch: &Torch, codes: &[GroupCode]) -> Result<Grid, KernelError> {
        Ok(Grid {
            scale: column(torch, codes, |code| code.scale)?,
            divisor: column(torch, codes, GroupCode::divisor)?,
            zero: column(torch, codes, |code| code.zero as f32)?,
        })
    }

    /// What codes stand for.
    pub(super) fn decode(&self, codes: &Tensor) -> Result<Tensor, KernelError> {
        Ok(codes.f_sub(&self.zero)?.f_mul(&self.scale)?)
    }
}

/// Codes of `[outer, rows, inner]` weights, in f32.
pub(super) fn encode(int: &Int, weights: &Tensor, grid: &Grid) -> Result<Tensor, KernelError> {
    let top = f64::from(int.top());
    let mut quotient = weights.f_div(&grid.divisor)?;
    if int.symmetric {
        return Ok(quotient.f_clamp_(-top, top)?.f_round_()?);
    }
    // as the format says: beyond ±512 the code is at its end whatever the zero point
    Ok(quotient.f_clamp_(-512.0, 512.0)?.f_round_()?.f_add_(&grid.zero)?.f_clamp_(0.0, top)?)
}

pub(super) fn quantize(torch: &Torch, op: QuantizeIntOp<'_>) -> Result<(), KernelError> {
    check::quantize_int(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    if !largest(&weights)?.is_finite() {
        op.source.check(op.start)?;
    }
    let (mut codes, mut decoded, mut clipped) = (Vec::new(), Vec::new(), 0);
    for piece in pieces(op.groups, op.start, op.source.len()) {
        let (values, rows) = (piece.of(&weights)?, &op.codes[piece.groups()]);
        let grid = Grid::new(torch, rows)?;
        let found = encode(&op.int, &values, &grid)?;
        if op.stats.is_some() {
            let below = values.f_lt_tensor(&column(torch, rows, |code| code.low)?)?;
            let above = values.f_gt_tensor(&column(torch, rows, |code| code.high)?)?;
            clipped += count(&below.f_logical_or(&above)?)?;
            append(&grid.decode(&found)?, &mut decoded)?;
        }
        let stored = if op.int.symmetric { Kind::Int8 } else { Kind::Uint8 };
        codes.push(found.f_to_kind(stored)?.f_view_dtype(Kind::Uint8)?.f_flatten(0, -1)?);
    }
    let codes = Tensor::f_cat(&codes, 0)?;
    match op.int.bits {
        IntBits::Eight => store(&codes, op.destination)?,
        IntBits::Four => {
            let nibbles = codes.f_bitwise_and(15)?;
            store(&pack(&nibbles, op.int.pack == Pack::High, 0)?, op.destination)?;
        }
    }
    let Some(stats) = op.stats else { return Ok(()) };
    stats.clipped += clipped;
    torch.compare(op.source, &weights, &decoded, op.start, stats)
}

pub(super) fn dequantize(torch: &Torch, op: DequantizeIntOp<'_>) -> Result<(), KernelError> {
    check::dequantize_int(&op)?;
    // SAFETY: `op` borrows its codes for longer than the tensors of this function live
    let bytes = unsafe { torch.tensors.bytes(op.codes) }?;
    let codes = match (op.int.bits, op.int.symmetric) {
        (IntBits::Eight, false) => bytes.f_to_kind(Kind::Float)?,
        (IntBits::Eight, true) => bytes.f_view_dtype(Kind::Int8)?.f_to_kind(Kind::Float)?,
        (IntBits::Four, signed) => {
            let nibbles = unpack(&bytes, op.int.pack == Pack::High, op.elements)?;
            if signed {
                // two's complement: flip the sign bit, then take its weight away
                nibbles.f_bitwise_xor(8)?.f_to_kind(Kind::Float)?.f_sub_scalar(8.0)?
            } else {
                nibbles.f_to_kind(Kind::Float)?
            }
        }
    };
    let (width, bound) = (op.to.width() as usize, overflow_bound(op.to));
    for piece in pieces(op.groups, op.start, op.elements) {
        let grid = Grid::new(torch, &op.group_codes[piece.groups()])?;
        let values = grid.decode(&piece.of(&codes)?)?;
        let found = largest(&values)?;
        if found.is_nan() || found >= bound {
            return Reference.run(Op::DequantizeInt(op));
        }
        let range = piece.offset * width..(piece.offset + piece.elements()) * width;
        store(&round_to(&values, op.to)?, &mut op.destination[range])?;
    }
    Ok(())
}
