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
        let bins = piece.rows << op.width;
        // counters may be more than 32 bits can number
        let kind = if bins < i32::MAX as usize { Kind::Int } else { Kind::Int64 };
        let first: Vec<i64> = (0..piece.rows).map(|row| (row << op.width) as i64).collect();
        let first = torch.tensors.copy(&first)?.f_to_kind(kind)?.f_reshape([-1, 1])?;
        let digits = bits
            .f_bitwise_right_shift_tensor_scalar(i64::from(op.shift))?
            .f_bitwise_and_((1i64 << op.width) - 1)?
            .f_add(&first)?;
        // what has another prefix falls into one more bin
        let mut shared = leading.f_alias_copy()?;
        let numbered = choose(&digits, &shared.f_eq_tensor_(&prefixes)?, bins as i64)?;
        let counted = numbered.f_flatten(0, -1)?.f_bincount(None::<Tensor>, bins as i64 + 1)?;
        let mut counts = vec![0i64; bins];
        counted.f_copy_data(&mut counts, bins)?;
        let range = piece.group << op.width..(piece.group << op.width) + bins;
        op.histogram[range].iter_mut().zip(counts).for_each(|(bin, more)| *bin += more as u64);
        if op.shift == 0 {
            let mut beyond = leading;
            let least = choose(&bits, &beyond.f_gt_tensor_(&prefixes)?, i64::from(NONE))?;
            let least = least.f_amin([0i64, 2], false)?;
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

/// `values` where the mask of integers is 1, and `other` where it is 0: libtorch's own choice by booleans takes ten times as
/// long. Neither of them is negative.
fn choose(values: &Tensor, mask: &Tensor, other: i64) -> Result<Tensor, KernelError> {
    Ok(values.f_sub_scalar(other)?.f_mul_(mask)?.f_add_scalar_(other)?)
}

pub(super) fn count_ties(torch: &Torch, op: CountTiesOp<'_>) -> Result<(), KernelError> {
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    *op.count += count(&weights.f_abs()?.f_eq_(scalar(op.magnitude))?)?;
    Ok(())
}
