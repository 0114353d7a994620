//! Double quantisation of absmax ([`crate::format::code4`]).

use super::check;
use crate::KernelError;
use crate::backend::{NestedDecodeOp, NestedEncodeOp};
use crate::exact_sum::ExactSum;
use crate::format::code4::NESTED_BLOCK;
use crate::format::dynamic_map::{DYNAMIC_MAP, DYNAMIC_MIDPOINTS};

/// The offset: f64 sums of each run of 256 (in eight lanes, element i in lane i mod 8), added exactly, divided by their
/// number in f64, rounded to f32. 0 for none.
pub fn mean_of_absmax(absmax: &[f32]) -> f32 {
    let mut total = ExactSum::default();
    add_runs(&mut total, absmax);
    mean(&total, absmax.len() as u64)
}

/// Add the f64 sums of runs of 256; every piece but a tensor's last is a multiple of 256 long.
pub(crate) fn add_runs(total: &mut ExactSum, absmax: &[f32]) {
    for run in absmax.chunks(NESTED_BLOCK as usize) {
        let (eights, rest) = run.as_chunks::<8>();
        let mut lanes = [0.0f64; 8];
        for eight in eights {
            lanes.iter_mut().zip(eight).for_each(|(lane, &value)| *lane += f64::from(value));
        }
        lanes.iter_mut().zip(rest).for_each(|(lane, &value)| *lane += f64::from(value));
        total.add(lanes.iter().sum());
    }
}

pub(crate) fn mean(total: &ExactSum, count: u64) -> f32 {
    if count == 0 { 0.0 } else { (total.value() / count as f64) as f32 }
}

/// An error where a difference from the offset is not finite.
pub(super) fn encode(op: NestedEncodeOp<'_>) -> Result<(), KernelError> {
    check::nested_encode(&op)?;
    let mut steps = [0.0f32; NESTED_BLOCK as usize];
    let mut cells = [0u16; NESTED_BLOCK as usize];
    let blocks = op.absmax.chunks(NESTED_BLOCK as usize).zip(op.codes.chunks_mut(NESTED_BLOCK as usize));
    // each loop does one thing to a whole block: those without tables become vector instructions
    for ((block, codes), scale) in blocks.zip(op.scales) {
        let (steps, cells) = (&mut steps[..block.len()], &mut cells[..block.len()]);
        steps.iter_mut().zip(block).for_each(|(step, &value)| *step = value - op.offset);
        // as integers, magnitudes order and NaN comes last
        let largest = steps.iter().fold(0, |largest, step| largest.max(step.to_bits() as i32 & 0x7fff_ffff));
        let largest = f32::from_bits(largest as u32);
        if !largest.is_finite() {
            return Err(KernelError::NestedOverflow);
        }
        *scale = largest;
        let divisor = if largest == 0.0 { f32::INFINITY } else { largest };
        steps.iter_mut().for_each(|step| *step /= divisor);
        cells.iter_mut().zip(&*steps).for_each(|(cell, &y)| *cell = cell_of(y));
        let values = cells.iter().zip(&*steps);
        codes.iter_mut().zip(values).for_each(|(code, (&cell, &y))| *code = nearest(cell, y));
    }
    Ok(())
}

/// The code of a value within ±1, which lies in `cell`: the number of midpoints that it exceeds. A table says how many lie
/// below the cell, which holds one at most.
#[inline(always)]
fn nearest(cell: u16, y: f32) -> u8 {
    let below = CELLS[usize::from(cell) % CELLS.len()];
    below + u8::from(y > NEXT_MIDPOINT[usize::from(below)])
}

/// Sign and leading bits of a value within ±1; what is nearer to 0 than 2^-24 counts as 2^-24.
#[inline(always)]
fn cell_of(y: f32) -> u16 {
    let magnitude = (y.to_bits() >> CELL_SHIFT & 0x7fff) as i16;
    let sign = ((y.to_bits() >> 31) as u16) << 12;
    (magnitude.max(FIRST_CELL) - FIRST_CELL) as u16 | sign
}

/// The midpoint above each code; none above the last.
static NEXT_MIDPOINT: [f32; 256] = {
    let mut next = [f32::INFINITY; 256];
    let mut code = 0;
    while code < DYNAMIC_MIDPOINTS.len() {
        next[code] = DYNAMIC_MIDPOINTS[code];
        code += 1;
    }
    next
};

/// Sign, exponent and 7 mantissa bits remain.
const CELL_SHIFT: u32 = 16;
/// The cell of 2^-24: no midpoint is nearer to 0.
const FIRST_CELL: i16 = (127 - 24) << 7;

/// The least code in each cell: 4096 cells of positive values from [`FIRST_CELL`] to beyond 1, then those of negative ones.
static CELLS: [u8; 8192] = {
    let mut cells = [0; 8192];
    // codes rise with the magnitude for positive values and fall for negative ones
    let (mut positive, mut negative) = (0, DYNAMIC_MIDPOINTS.len());
    let mut cell = 0;
    while cell < 4096 {
        let bits = (FIRST_CELL as u32 + cell as u32) << CELL_SHIFT;
        // everything nearer to 0 than the first cell counts as in it
        let low = if cell == 0 { 0.0 } else { f32::from_bits(bits) };
        let high = -f32::from_bits(bits + (1 << CELL_SHIFT));
        while positive < DYNAMIC_MIDPOINTS.len() && low > DYNAMIC_MIDPOINTS[positive] {
            positive += 1;
        }
        while negative > 0 && high <= DYNAMIC_MIDPOINTS[negative - 1] {
            negative -= 1;
        }
        cells[cell] = positive as u8;
        cells[4096 + cell] = negative as u8;
        cell += 1;
    }
    cells
};

pub(super) fn decode(op: NestedDecodeOp<'_>) -> Result<(), KernelError> {
    check::nested_decode(&op)?;
    let blocks = op.codes.chunks(NESTED_BLOCK as usize).zip(op.absmax.chunks_mut(NESTED_BLOCK as usize));
    for ((codes, absmax), &scale) in blocks.zip(op.scales) {
        for (value, &code) in absmax.iter_mut().zip(codes) {
            *value = DYNAMIC_MAP[usize::from(code)] * scale + op.offset;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DYNAMIC_MAP, DYNAMIC_MIDPOINTS, cell_of};

    #[test]
    fn the_table_finds_what_a_search_finds() {
        let nearest = |y: f32| super::nearest(cell_of(y), y);
        let search = |y: f32| DYNAMIC_MIDPOINTS.partition_point(|&midpoint| y > midpoint) as u8;
        let near = |y: &f32| [y.next_down(), *y, y.next_up()];
        let spread = (0..200_000u32).map(|step| f32::from_bits(0x3f80_0000 - step * 4001));
        let special = DYNAMIC_MIDPOINTS.iter().chain(&DYNAMIC_MAP).flat_map(near).filter(|y| y.abs() <= 1.0);
        for y in spread.chain(special).chain([0.0, f32::MIN_POSITIVE, 1e-45]) {
            assert_eq!(nearest(y), search(y), "{y}");
            assert_eq!(nearest(-y), search(-y), "-{y}");
        }
        for (code, &value) in DYNAMIC_MAP.iter().enumerate() {
            assert_eq!(usize::from(nearest(value)), code);
        }
    }
}
