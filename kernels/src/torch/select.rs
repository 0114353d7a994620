//! Order statistics: digits and ties counted on the bits of magnitudes.

use super::Torch;
use super::pieces::pieces;
use super::tensors::{count, largest, scalar};
use crate::KernelError;
use crate::backend::{CountDigitsOp, CountTiesOp};
use crate::reference::check;
use tch::{Kind, Tensor};

/// Larger than the bits of any finite magnitude.
const NONE: i32 = i32::MAX;

pub(super) fn count_digits(torch: &Torch, op: CountDigitsOp<'_>) -> Result<(), KernelError> {
    check::count_digits(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    if !largest(&weights)?.is_finite() {
        op.source.check(op.start)?;
    }
    let bits = weights.f_abs()?.f_view_dtype(Kind::Int)?;
    for piece in pieces(op.groups, op.start, op.source.len()) {
        let bits = piece.of(&bits)?;
        let prefixes: Vec<i32> = op.prefixes[piece.groups()].iter().map(|&prefix| prefix as i32).collect();
        let prefixes = torch.tensors.copy(&prefixes)?.f_reshape([-1, 1])?;
        let leading = bits.f_bitwise_right_shift_tensor_scalar(i64::from(op.shift + op.width))?;
        let shared = leading.f_eq_tensor(&prefixes)?;
        let bins = piece.rows << op.width;
        // counters may be more than 32 bits can number
        let kind = if bins < i32::MAX as usize { Kind::Int } else { Kind::Int64 };
        let first: Vec<i64> = (0..piece.rows).map(|row| (row << op.width) as i64).collect();
        let first = torch.tensors.copy(&first)?.f_to_kind(kind)?.f_reshape([-1, 1])?;
        let digits = bits
            .f_bitwise_right_shift_tensor_scalar(i64::from(op.shift))?
            .f_bitwise_and((1i64 << op.width) - 1)?
            .f_add(&first)?;
        // what has another prefix falls into one more bin
        let numbered = digits.f_where_scalarother(&shared, bins as i64)?;
        let counted = numbered.f_flatten(0, -1)?.f_bincount(None::<Tensor>, bins as i64 + 1)?;
        let mut counts = vec![0i64; bins];
        counted.f_copy_data(&mut counts, bins)?;
        let range = piece.group << op.width..(piece.group << op.width) + bins;
        op.histogram[range].iter_mut().zip(counts).for_each(|(bin, more)| *bin += more as u64);
        if op.shift == 0 {
            let beyond = leading.f_gt_tensor(&prefixes)?;
            let least = bits.f_where_scalarother(&beyond, i64::from(NONE))?.f_amin([0i64, 2], false)?;
            let mut found = vec![NONE; piece.rows];
            least.f_copy_data(&mut found, piece.rows)?;
            for (above, least) in op.above[piece.groups()].iter_mut().zip(found) {
                if least != NONE {
                    *above = (*above).min(least as u32);
                }
            }
        }
    }
    Ok(())
}

pub(super) fn count_ties(torch: &Torch, op: CountTiesOp<'_>) -> Result<(), KernelError> {
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    *op.count += count(&weights.f_abs()?.f_eq(scalar(op.magnitude))?)?;
    Ok(())
}
