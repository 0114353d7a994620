//! 4-bit codebooks, whole blocks at once and the tensor's shorter last one after them.

use super::Torch;
use super::pack::{pack, unpack};
use super::tensors::{append, floats, largest, overflow_bound, round_to, scalar, store};
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

/// Cells of equal width from -1 to 1: no two bounds lie in the same one.
const CELLS: usize = 1024;

/// The cell of a normalised value, computed as [`Book::places`] does it. It never falls when the value rises, which is
/// all that the look-up asks of it.
fn cell(y: f32) -> usize {
    (y * (CELLS / 2) as f32 + (CELLS / 2) as f32) as usize
}

/// A codebook on the device. A value lies above all bounds of lower cells and is compared with the one of its own:
/// libtorch's search of each value takes six times as long.
struct Book {
    /// The bound in each cell; infinity where there is none.
    bounds: Tensor,
    /// How many bounds lie in lower cells.
    lower: Tensor,
    /// Code and value by how many bounds lie below.
    codes: Tensor,
    values: Tensor,
}

impl Book {
    fn new(torch: &Torch, kind: Code4Kind) -> Result<Book, KernelError> {
        let (ascending, codes) = buckets(kind);
        let (mut bounds, mut lower) = ([f32::INFINITY; CELLS + 1], [0.0f32; CELLS + 1]);
        for bound in ascending {
            bounds[cell(bound)] = bound;
            lower[cell(bound) + 1..].iter_mut().for_each(|count| *count += 1.0);
        }
        let values = codes.map(|code| kind.codebook()[usize::from(code)]);
        let tensors = torch.tensors;
        Ok(Book {
            bounds: tensors.copy(&bounds)?,
            lower: tensors.copy(&lower)?,
            codes: tensors.copy(&codes)?,
            values: tensors.copy(&values)?,
        })
    }

    /// How many bounds lie below each normalised value, as flat `i32`. Takes the values' place.
    fn places(&self, normalised: Tensor) -> Result<Tensor, KernelError> {
        let half = (CELLS / 2) as f64;
        let mut flat = normalised.f_flatten(0, -1)?;
        let cells = flat.f_mul_scalar(half)?.f_add_scalar_(half)?.f_to_kind(Kind::Int)?;
        // 1 or 0 in f32: comparisons that give booleans are slower
        let mut places = flat.f_gt_tensor_(&self.bounds.f_index_select(0, &cells)?)?;
        Ok(places.f_add_(&self.lower.f_index_select(0, &cells)?)?.f_to_kind(Kind::Int)?)
    }
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
    let book = Book::new(torch, op.code4.kind)?;
    let (mut places, mut absmax, mut decoded) = (Vec::new(), Vec::new(), Vec::new());
    for (last, rows) in blocks(&weights, op.source.len(), op.code4.block as usize)?.into_iter().enumerate() {
        let Some(rows) = rows else { continue };
        let largest = rows.f_abs()?.f_amax([1i64], true)?;
        absmax.extend(floats(&largest)?);
        if absmax.iter().any(|absmax| !absmax.is_finite()) {
            op.source.check(op.start)?;
        }
        let divisor = largest.f_clamp_min(scalar(LEAST_ABSMAX))?;
        let normalised = if last == 1 {
            rows.f_div(&divisor)?
        } else {
            rows.f_mul(&divisor.f_full_like(1.0)?.f_div(&divisor)?)?
        };
        let found = book.places(normalised)?;
        if op.stats.is_some() {
            let values = book.values.f_index_select(0, &found)?.f_view_as(&rows)?;
            append(&values.f_mul(&largest)?, &mut decoded)?;
        }
        places.push(found);
    }
    let places = Tensor::f_cat(&places, 0)?;
    let codes = match op.code4.kind {
        Code4Kind::Nf4 => places.f_to_kind(Kind::Uint8)?,
        Code4Kind::Fp4 => book.codes.f_index_select(0, &places)?,
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

#[cfg(test)]
mod tests {
    use super::{CELLS, buckets, cell};
    use crate::format::Code4Kind;

    #[test]
    fn no_two_bounds_share_a_cell() {
        for kind in [Code4Kind::Nf4, Code4Kind::Fp4] {
            let cells = buckets(kind).0.map(cell);
            assert!(cells.is_sorted_by(|left, right| left < right), "{cells:?}");
        }
        // the largest quotient is a little above 1
        assert_eq!((cell(-1f32.next_up()), cell(1f32.next_up())), (0, CELLS));
    }
}
