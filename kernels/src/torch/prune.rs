//! Masks, and the slices that stay.

use super::Torch;
use super::tensors::{count, largest, scalar, store};
use crate::backend::{GatherOp, KeepNOfMOp, ZeroBelowOp};
use crate::reference::check;
use crate::{DType, KernelError, Source};
use tch::{Kind, Tensor};

/// Groups of up to so many elements are ranked by comparing each pair: sorting many short rows is slower.
const PAIRS: usize = 32;

/// Elements that are finite, as integers of their width that keep every bit, and their magnitudes in f32.
///
/// # Safety
/// As [`super::tensors::Tensors::elements`].
unsafe fn finite(torch: &Torch, source: Source<'_>, start: u64) -> Result<(Tensor, Tensor), KernelError> {
    // SAFETY: the same contract
    let elements = unsafe { torch.tensors.elements(source) }?;
    let magnitudes = elements.f_to_kind(Kind::Float)?.f_abs()?;
    if !largest(&magnitudes)?.is_finite() {
        source.check(start)?;
    }
    let bits = match source.dtype() {
        DType::F64 => Kind::Int64,
        DType::F32 => Kind::Int,
        DType::F16 | DType::Bf16 => Kind::Int16,
        _ => Kind::Uint8,
    };
    Ok((elements.f_view_dtype(bits)?, magnitudes))
}

pub(super) fn zero_below(torch: &Torch, op: ZeroBelowOp<'_>) -> Result<(), KernelError> {
    check::zero_below(&op)?;
    // SAFETY: the tensors of this block do not outlive it, and nothing writes to them
    let (pruned, zeroed, taken) = unsafe {
        let (bits, magnitudes) = finite(torch, Source::new(op.dtype, op.bytes)?, op.start)?;
        let threshold = scalar(op.threshold);
        let below = magnitudes.f_alias_copy()?.f_lt_(threshold)?;
        let ties = magnitudes.f_alias_copy()?.f_eq_(threshold)?;
        let (zeroed, found) = (count(&below)?, count(&ties)?);
        let taken = found.min(*op.ties);
        let lost = if taken == 0 {
            below
        } else if taken == found {
            below.f_add(&ties)?
        } else {
            let first = ties.f_cumsum(0, Kind::Int64)?.f_le_(taken as i64)?.f_mul(&ties)?;
            below.f_add(&first)?
        };
        (without(&bits, &lost)?, zeroed, taken)
    };
    store(&pruned, op.bytes)?;
    *op.ties -= taken;
    *op.zeroed += zeroed + taken;
    Ok(())
}

pub(super) fn keep_n_of_m(torch: &Torch, op: KeepNOfMOp<'_>) -> Result<(), KernelError> {
    check::keep_n_of_m(&op)?;
    // SAFETY: the tensors of this block do not outlive it, and nothing writes to them
    let (pruned, groups) = unsafe {
        let (bits, magnitudes) = finite(torch, Source::new(op.dtype, op.bytes)?, op.start)?;
        if op.n >= op.m {
            return Ok(());
        }
        let shape = [-1, op.m as i64];
        let magnitudes = magnitudes.f_reshape(shape)?;
        let lost = if op.m <= PAIRS {
            by_pairs(&magnitudes, op.n, op.m)?
        } else {
            by_order(&magnitudes, op.n, op.m)?
        };
        (without(&bits.f_reshape(shape)?, &lost)?, bits.numel() / op.m)
    };
    store(&pruned, op.bytes)?;
    *op.zeroed += (groups * (op.m - op.n)) as u64;
    Ok(())
}

/// Integers where a mask of 0 and 1 is 0, and 0 elsewhere: by a product, since libtorch fills by a mask ten times slower.
fn without(bits: &Tensor, lost: &Tensor) -> Result<Tensor, KernelError> {
    let kept = lost.f_to_kind(bits.f_kind()?)?.f_bitwise_xor(1)?;
    Ok(bits.f_mul(&kept)?)
}

/// A mask of each row's elements that `n` others come before: the larger ones, and equal ones of a lower index.
fn by_pairs(magnitudes: &Tensor, n: usize, m: usize) -> Result<Tensor, KernelError> {
    let columns = magnitudes.f_transpose(0, 1)?.f_contiguous()?.f_unbind(0)?;
    // all later ones come before it, until one is found not to
    let mut ranks = Vec::with_capacity(m);
    for (index, column) in columns.iter().enumerate() {
        ranks.push(column.f_full_like((m - 1 - index) as i64)?);
    }
    for later in 1..m {
        for earlier in 0..later {
            let before = columns[earlier].f_alias_copy()?.f_ge_tensor_(&columns[later])?;
            let _ = ranks[later].f_add_(&before)?;
            let _ = ranks[earlier].f_sub_(&before)?;
        }
    }
    Ok(Tensor::f_stack(&ranks, 1)?.f_ge_(n as i64)?)
}

/// The same by sorting rows.
fn by_order(magnitudes: &Tensor, n: usize, m: usize) -> Result<Tensor, KernelError> {
    // descending, and what is equal stays in order
    let (_, order) = magnitudes.f_sort_stable(true, 1, true)?;
    let rest = order.f_narrow(1, n as i64, (m - n) as i64)?;
    Ok(magnitudes.f_zeros_like()?.f_scatter_value(1, &rest, 1)?)
}

pub(super) fn gather(torch: &Torch, op: GatherOp<'_>) -> Result<(), KernelError> {
    check::gather(&op)?;
    // SAFETY: `op` borrows its bytes for longer than the tensors of this function live
    let bytes = unsafe { torch.tensors.bytes(op.bytes) }?;
    let shape = [op.groups.outer, op.groups.axis, op.groups.inner * op.width].map(|length| length as i64);
    let keep: Vec<i64> = op.keep.iter().map(|&index| index as i64).collect();
    store(&bytes.f_reshape(shape)?.f_index_select(1, &torch.tensors.copy(&keep)?)?, op.destination)
}
