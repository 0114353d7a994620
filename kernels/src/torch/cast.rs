//! Casts. libtorch rounds f32 to the narrow types to nearest even as the format says; it rounds f64 to f32 first, which
//! would be two roundings, so that first one is made odd here.

use super::Torch;
use super::tensors::{count, largest, overflow_bound, round_to, scalar, store};
use crate::backend::{Backend, CastOp, CompareOp, Op};
use crate::narrow::Narrow;
use crate::reference::check;
use crate::{DType, KernelError, Reference, Source};
use tch::{Kind, Tensor};

pub(super) fn cast(torch: &Torch, op: CastOp<'_>) -> Result<(), KernelError> {
    check::cast(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let elements = unsafe { torch.tensors.elements(op.source) }?;
    let odd = op.source.dtype() == DType::F64 && op.to != DType::F32;
    let mut weights = if odd { round_to_odd(&elements)? } else { elements.f_to_kind(Kind::Float)? };
    let bound = overflow_bound(op.to);
    let mut clipped = 0;
    // not below it: above, or NaN
    let found = largest(&weights)?;
    if found.is_nan() || found >= bound {
        let finite = || -> Result<bool, KernelError> {
            Ok(elements.f_to_kind(Kind::Double)?.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1)
        };
        if !op.saturate || !finite()? {
            // it knows which element to name
            return Reference.run(Op::Cast(op));
        }
        clipped = count(&weights.f_abs()?.f_ge(scalar(bound))?)?;
        let top = scalar(Narrow::of(op.to).map_or(f32::MAX, |narrow| narrow.widen(narrow.largest())));
        weights = weights.f_clamp(-top, top)?;
    }
    store(&round_to(&weights, op.to)?, op.destination)?;
    let Some(stats) = op.stats else { return Ok(()) };
    stats.clipped += clipped;
    let decoded = Source::new(op.to, op.destination)?;
    torch.host.run(Op::Compare(CompareOp { source: op.source, decoded, start: op.start, stats }))
}

/// [`crate::narrow::round_to_odd`].
fn round_to_odd(elements: &Tensor) -> Result<Tensor, KernelError> {
    let nearest = elements.f_to_kind(Kind::Float)?;
    let back = nearest.f_to_kind(Kind::Double)?;
    let beyond = back.f_abs()?.f_gt_tensor(&elements.f_abs()?)?.f_to_kind(Kind::Int)?;
    let inexact = back.f_ne_tensor(elements)?.f_to_kind(Kind::Int)?;
    let bits = nearest.f_view_dtype(Kind::Int)?.f_sub(&beyond)?.f_bitwise_or_tensor(&inexact)?;
    Ok(bits.f_view_dtype(Kind::Float)?)
}
