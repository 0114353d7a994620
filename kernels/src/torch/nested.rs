//! Double quantisation of absmax.

use super::Torch;
use super::code4::blocks;
use super::tensors::{floats, largest, scalar, store};
use crate::backend::{Backend, NestedDecodeOp, NestedEncodeOp, Op};
use crate::format::code4::NESTED_BLOCK;
use crate::format::dynamic_map::{DYNAMIC_MAP, DYNAMIC_MIDPOINTS};
use crate::reference::check;
use crate::{KernelError, Reference};
use tch::Kind;

const BLOCK: usize = NESTED_BLOCK as usize;

pub(super) fn encode(torch: &Torch, op: NestedEncodeOp<'_>) -> Result<(), KernelError> {
    check::nested_encode(&op)?;
    let steps = torch.tensors.copy(op.absmax)?.f_sub_scalar(scalar(op.offset))?;
    let midpoints = torch.tensors.copy(&DYNAMIC_MIDPOINTS)?;
    let (mut at, mut scales) = (0, Vec::new());
    for rows in blocks(&steps, op.absmax.len(), BLOCK)?.into_iter().flatten() {
        let found = floats(&rows.f_abs()?.f_amax([1i64], false)?)?;
        if found.iter().any(|scale| !scale.is_finite()) {
            return Err(KernelError::NestedOverflow);
        }
        let divisors: Vec<f32> =
            found.iter().map(|&scale| if scale == 0.0 { f32::INFINITY } else { scale }).collect();
        let divided = rows.f_div(&torch.tensors.copy(&divisors)?.f_reshape([-1, 1])?)?;
        let codes = divided.f_bucketize(&midpoints, true, false)?.f_to_kind(Kind::Uint8)?;
        store(&codes, &mut op.codes[at..at + rows.numel()])?;
        at += rows.numel();
        scales.extend(found);
    }
    op.scales.copy_from_slice(&scales);
    Ok(())
}

pub(super) fn decode(torch: &Torch, op: NestedDecodeOp<'_>) -> Result<(), KernelError> {
    check::nested_decode(&op)?;
    // SAFETY: `op` borrows its codes for longer than the tensors of this function live
    let codes = unsafe { torch.tensors.bytes(op.codes) }?.f_to_kind(Kind::Int)?;
    let values = torch.tensors.copy(&DYNAMIC_MAP)?.f_index_select(0, &codes)?;
    let scales = torch.tensors.copy(op.scales)?.f_reshape([-1, 1])?;
    let (mut row, mut at) = (0, 0);
    for rows in blocks(&values, op.codes.len(), BLOCK)?.into_iter().flatten() {
        let count = rows.numel().div_ceil(BLOCK) as i64;
        let decoded = rows.f_mul(&scales.f_narrow(0, row, count)?)?.f_add_scalar(scalar(op.offset))?;
        // a NaN of another device has other bits
        if largest(&decoded)?.is_nan() {
            return Reference.run(Op::NestedDecode(op));
        }
        op.absmax[at..at + rows.numel()].copy_from_slice(&floats(&decoded)?);
        (row, at) = (row + count, at + rows.numel());
    }
    Ok(())
}
