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
    let mut nested = Nested { codes: Vec::with_capacity(absmax.len()), absmax: Vec::new() };
    for block in absmax.chunks(NESTED_BLOCK as usize) {
        let largest = block.iter().fold(0.0f32, |largest, &value| largest.max((value - offset).abs()));
        if !largest.is_finite() || block.iter().any(|value| !value.is_finite()) {
            return Err(KernelError::NestedOverflow);
        }
        nested.absmax.push(largest);
        nested.codes.extend(block.iter().map(|&value| {
            let y = if largest == 0.0 { 0.0 } else { (value - offset) / largest };
            DYNAMIC_MIDPOINTS.partition_point(|&midpoint| y > midpoint) as u8
        }));
    }
    Ok(nested)
}

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
