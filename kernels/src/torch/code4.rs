//! 4-bit codebooks, whole blocks at once and the tensor's shorter last one after them.

use super::Torch;
use super::pack::{pack, unpack};
use super::tensors::{floats, largest, overflow_bound, round_to, scalar, store};
use crate::backend::{Backend, DequantizeCode4Op, Op, QuantizeCode4Op};
use crate::format::Code4Kind;
use crate::format::code4::{FP4_ASCENDING, fp4_thresholds, nf4_thresholds};
use crate::reference::{LEAST_ABSMAX, check, code4_code};
use crate::{KernelError, Reference};
use tch::{Kind, Tensor};

/// Ascending bounds, and the code of a value by how many bounds lie below it.
fn buckets(kind: Code4Kind) -> ([f32; 15], [u8; 16]) {
    let mut codes = std::array::from_fn(|index| index as u8);
    if kind == Code4Kind::Nf4 {
        return (nf4_thresholds(), codes);
    }
    // negative magnitudes fall, then positive ones rise; a tie goes to the smaller magnitude, and -0.0 counts as 0.0
    let positive = fp4_thresholds();
    let bounds = std::array::from_fn(|index| match index {
        0..7 => (-positive[6 - index]).next_down(),
        7 => 0f32.next_down(),
        _ => positive[index - 8],
    });
    for (index, &magnitude) in FP4_ASCENDING.iter().enumerate() {
        (codes[7 - index], codes[8 + index]) = (magnitude | 8, magnitude);
    }
    (bounds, codes)
}

/// Blocks of a flat tensor: its whole ones as rows, and the shorter last one as a row.
pub(super) fn blocks(
    flat: &Tensor,
    elements: usize,
    block: usize,
) -> Result<[Option<Tensor>; 2], KernelError> {
    let (whole, rest) = ((elements / block) as i64, (elements % block) as i64);
    let (block, part) = (block as i64, |from: i64, length: i64| flat.f_narrow(0, from, length));
    let rows = (whole > 0).then(|| part(0, whole * block)?.f_reshape([whole, block])).transpose()?;
    let last = (rest > 0).then(|| part(whole * block, rest)?.f_reshape([1, rest])).transpose()?;
    Ok([rows, last])
}

pub(super) fn quantize(torch: &Torch, op: QuantizeCode4Op<'_>) -> Result<(), KernelError> {
    check::quantize_code4(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    let (bounds, ascending) = buckets(op.code4.kind);
    let bounds = torch.tensors.copy(&bounds)?;
    let book = op.code4.kind.codebook();
    let book = torch.tensors.copy(&ascending.map(|code| book[usize::from(code)]))?;
    let (mut places, mut absmax, mut decoded) = (Vec::new(), Vec::new(), Vec::new());
    for (last, rows) in blocks(&weights, op.source.len(), op.code4.block as usize)?.into_iter().enumerate() {
        let Some(rows) = rows else { continue };
        let largest = rows.f_abs()?.f_amax([1i64], true)?;
        let found = floats(&largest)?;
        if found.iter().any(|absmax| !absmax.is_finite()) {
            op.source.check(op.start)?;
        }
        absmax.extend(found);
        let divisor = largest.f_clamp_min(scalar(LEAST_ABSMAX))?;
        let normalised = if last == 1 {
            rows.f_div(&divisor)?
        } else {
            rows.f_mul(&divisor.f_full_like(1.0)?.f_div(&divisor)?)?
        };
        let below = normalised.f_bucketize(&bounds, true, false)?;
        if op.stats.is_some() {
            let values = book.f_index_select(0, &below.f_flatten(0, -1)?)?.f_view_as(&rows)?;
            decoded.extend(floats(&values.f_mul(&largest)?)?);
        }
        places.push(below.f_flatten(0, -1)?);
    }
    let places = Tensor::f_cat(&places, 0)?;
    let codes = if op.code4.kind == Code4Kind::Nf4 {
        places.f_to_kind(Kind::Uint8)?
    } else {
        torch.tensors.copy(&ascending)?.f_index_select(0, &places)?
    };
    store(&pack(&codes, true, code4_code(op.code4.kind, 0.0))?, op.destination)?;
    op.absmax.copy_from_slice(&absmax);
    let Some(stats) = op.stats else { return Ok(()) };
    torch.compare(op.source, &weights, &decoded, op.start, stats)
}

pub(super) fn dequantize(torch: &Torch, op: DequantizeCode4Op<'_>) -> Result<(), KernelError> {
    check::dequantize_code4(&op)?;
    // SAFETY: `op` borrows its codes for longer than the tensors of this function live
    let bytes = unsafe { torch.tensors.bytes(op.codes) }?;
    let places = unpack(&bytes, true, op.elements)?.f_to_kind(Kind::Int)?;
    let values = torch.tensors.copy(&op.kind.codebook())?.f_index_select(0, &places)?;
    let absmax = torch.tensors.copy(op.absmax)?.f_reshape([-1, 1])?;
    let (width, bound) = (op.to.width() as usize, overflow_bound(op.to));
    let (mut row, mut at) = (0, 0);
    for rows in blocks(&values, op.elements, op.block)?.into_iter().flatten() {
        let count = rows.numel().div_ceil(op.block) as i64;
        let decoded = rows.f_mul(&absmax.f_narrow(0, row, count)?)?;
        let found = largest(&decoded)?;
        if found.is_nan() || found >= bound {
            return Reference.run(Op::DequantizeCode4(op));
        }
        let end = at + decoded.numel() * width;
        store(&round_to(&decoded, op.to)?, &mut op.destination[at..end])?;
        (row, at) = (row + count, end);
    }
    Ok(())
}
