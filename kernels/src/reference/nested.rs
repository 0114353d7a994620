//! Double quantisation of absmax ([`crate::format::code4`]).

use crate::KernelError;
use crate::exact_sum::ExactSum;
use crate::format::code4::NESTED_BLOCK;
use crate::format::dynamic_map::{DYNAMIC_MAP, DYNAMIC_MIDPOINTS};

/// Codes and nested absmax of a vector of absmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Nested {
    /// One per absmax.
    pub codes: Vec<u8>,
    /// One per 256 of them.
    pub absmax: Vec<f32>,
}

/// The offset: f64 sums of each run of 256, added exactly, divided by their number in f64, rounded to f32. 0 for none.
pub fn mean_of_absmax(absmax: &[f32]) -> f32 {
    let mut total = ExactSum::default();
    add_runs(&mut total, absmax);
    mean(&total, absmax.len() as u64)
}

/// Add the f64 sums of runs of 256; every piece but a tensor's last is a multiple of 256 long.
pub(crate) fn add_runs(total: &mut ExactSum, absmax: &[f32]) {
    for run in absmax.chunks(NESTED_BLOCK as usize) {
        total.add(run.iter().fold(0.0, |sum, &value| sum + f64::from(value)));
    }
}

pub(crate) fn mean(total: &ExactSum, count: u64) -> f32 {
    if count == 0 { 0.0 } else { (total.value() / count as f64) as f32 }
}

/// Code absmax around `offset`; a piece of a longer vector begins at a multiple of 256.
///
/// # Errors
/// [`KernelError::NestedOverflow`] when a difference is not finite.
pub fn nested_encode(absmax: &[f32], offset: f32) -> Result<Nested, KernelError> {
    let cells: &[u8] = &CELLS;
    let mut nested = Nested { codes: Vec::with_capacity(absmax.len()), absmax: Vec::new() };
    let mut steps = [0.0f32; NESTED_BLOCK as usize];
    for block in absmax.chunks(NESTED_BLOCK as usize) {
        let steps = &mut steps[..block.len()];
        steps.iter_mut().zip(block).for_each(|(step, &value)| *step = value - offset);
        // as integers, magnitudes order and NaN comes last
        let largest = steps.iter().fold(0, |largest, step| largest.max(step.to_bits() as i32 & 0x7fff_ffff));
        let largest = f32::from_bits(largest as u32);
        if !largest.is_finite() {
            return Err(KernelError::NestedOverflow);
        }
        nested.absmax.push(largest);
        let divisor = if largest == 0.0 { f32::INFINITY } else { largest };
        steps.iter_mut().for_each(|step| *step /= divisor);
        nested.codes.extend(steps.iter().map(|&y| nearest(cells, y)));
    }
    Ok(nested)
}

/// The code of a value within ±1: the number of midpoints that it exceeds. A table over the leading bits says how many lie
/// below the value's cell, which holds one at most.
fn nearest(cells: &[u8], y: f32) -> u8 {
    let bits = y.to_bits();
    let cell = ((bits >> CELL_SHIFT & 0x7fff) as usize).clamp(FIRST_CELL, LAST_CELL) - FIRST_CELL;
    let below = cells[2 * cell + (bits >> 31) as usize];
    below + u8::from(DYNAMIC_MIDPOINTS.get(usize::from(below)).is_some_and(|&midpoint| y > midpoint))
}

/// Sign, exponent and 7 mantissa bits remain.
const CELL_SHIFT: u32 = 16;
/// The cell of 2^-24: no midpoint is nearer to 0.
const FIRST_CELL: usize = (127 - 24) << 7;
/// The cell of 1.
const LAST_CELL: usize = 127 << 7;

/// For each cell of magnitudes, positive then negative, the least code in it.
static CELLS: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
    let code = |y: f32| DYNAMIC_MIDPOINTS.partition_point(|&midpoint| y > midpoint) as u8;
    let edge = |cell: usize| f32::from_bits((cell << CELL_SHIFT) as u32);
    // everything nearer to 0 than the first cell counts as in it
    let low = |cell: usize| if cell == FIRST_CELL { 0.0 } else { edge(cell) };
    let pair = |cell: usize| [code(low(cell)), code(-edge(cell + 1))];
    (FIRST_CELL..=LAST_CELL).flat_map(pair).collect()
});

/// Read absmax back.
///
/// # Errors
/// [`KernelError::Length`] when there are not as many nested absmax as blocks of 256 codes.
pub fn nested_decode(codes: &[u8], absmax: &[f32], offset: f32) -> Result<Vec<f32>, KernelError> {
    crate::error::expect_length("nested absmax", codes.len().div_ceil(NESTED_BLOCK as usize), absmax.len())?;
    let blocks = codes.chunks(NESTED_BLOCK as usize).zip(absmax);
    Ok(blocks
        .flat_map(|(block, &largest)| {
            block.iter().map(move |&c| DYNAMIC_MAP[usize::from(c)] * largest + offset)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{CELLS, DYNAMIC_MAP, DYNAMIC_MIDPOINTS};

    #[test]
    fn the_table_finds_what_a_search_finds() {
        let nearest = |y: f32| super::nearest(&CELLS, y);
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
