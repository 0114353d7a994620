//! Order statistics, masks, sums and kept slices, with a spread of arguments.

use super::cases::Case;
use super::operations::{Work, finish, groupings, source};
use crate::backend::*;
use crate::groups::Groups;
use crate::{ErrorStats, KernelError};

pub(super) fn operations<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    digits(case, all);
    masks(case, all);
    norms(case, all);
    gathers(case, all);
}

fn words(
    result: Result<(), KernelError>,
    words: impl IntoIterator<Item = u64>,
) -> crate::conformance::Outcome {
    finish(result, words.into_iter().flat_map(u64::to_le_bytes).collect(), ErrorStats::default())
}

/// An element of the case by its place, in f32; 0 where there is none.
fn weight(case: &Case, numerator: usize, denominator: usize) -> f32 {
    let index = case.elements * numerator / denominator;
    if index < case.elements { source(case).weight(index).abs() } else { 0.0 }
}

/// The first digit, one in the middle and the last, with prefixes that some elements have.
fn digits<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for (groups, start) in groupings(case.elements as u64) {
        for (shift, width) in [(15, 16), (7, 8), (0, 15), (0, 4), (20, 11)] {
            if groups.axis << width > 1 << 16 {
                continue;
            }
            let work = move |backend: &dyn Backend| {
                let below = shift + width;
                let prefix = |group: u64| {
                    let bits = weight(case, group as usize % 7, 7).to_bits();
                    if below == 31 { 0 } else { bits >> below }
                };
                let prefixes: Vec<u32> = (0..groups.axis).map(prefix).collect();
                let mut histogram = vec![3; (groups.axis as usize) << width];
                let mut above = vec![u32::MAX; groups.axis as usize];
                let op = CountDigitsOp {
                    source: source(case),
                    start,
                    groups,
                    shift,
                    width,
                    prefixes: &prefixes,
                    histogram: &mut histogram,
                    above: &mut above,
                };
                let result = backend.run(Op::CountDigits(op));
                words(result, histogram.into_iter().chain(above.into_iter().map(u64::from)))
            };
            all.push((format!("{width} bits above {shift} of {groups:?}"), Box::new(work)));
        }
    }
}

fn masks<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for at in [0, 3, 5] {
        let work = move |backend: &dyn Backend| {
            let mut count = 5;
            let magnitude = weight(case, at, 7);
            let op = CountTiesOp { source: source(case), magnitude, count: &mut count };
            words(backend.run(Op::CountTies(op)), [count])
        };
        all.push((format!("ties with element {at}/7"), Box::new(work)));
        for left in [0, 1, 20, u64::MAX] {
            let work = move |backend: &dyn Backend| {
                let (mut bytes, mut ties, mut zeroed) = (case.bytes.clone(), left, 7);
                let op = ZeroBelowOp {
                    dtype: case.dtype,
                    bytes: &mut bytes,
                    start: 77,
                    threshold: weight(case, at, 7),
                    ties: &mut ties,
                    zeroed: &mut zeroed,
                };
                let result = backend.run(Op::ZeroBelow(op));
                bytes.extend([ties, zeroed].into_iter().flat_map(u64::to_le_bytes));
                finish(result, bytes, ErrorStats::default())
            };
            all.push((format!("zeros below element {at}/7 with {left} ties"), Box::new(work)));
        }
    }
    for (n, m) in [(2, 4), (1, 4), (3, 4), (4, 8), (1, 2), (0, 5), (3, 3), (2, 13), (9, 4), (1, 0)] {
        let work = move |backend: &dyn Backend| {
            let width = case.dtype.width() as usize;
            // whole groups, but for one argument that is an error where it does not divide the length
            let length = if n == 3 || m == 0 { case.elements } else { case.elements / m * m };
            let (mut bytes, mut zeroed) = (case.bytes[..length * width].to_vec(), 7);
            let op =
                KeepNOfMOp { dtype: case.dtype, bytes: &mut bytes, start: 78, n, m, zeroed: &mut zeroed };
            let result = backend.run(Op::KeepNOfM(op));
            bytes.extend(zeroed.to_le_bytes());
            finish(result, bytes, ErrorStats::default())
        };
        all.push((format!("{n} of {m}"), Box::new(work)));
    }
}

fn norms<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for (groups, start) in groupings(case.elements as u64) {
        let work = move |backend: &dyn Backend| {
            let slots = NormsOp::slots(groups);
            let mut sums = vec![[9.0; 2]; case.elements.div_ceil(crate::stats::TILE) * slots];
            let op = NormsOp { source: source(case), start, groups, sums: &mut sums };
            let result = backend.run(Op::Norms(op));
            words(result, sums.into_iter().flatten().map(f64::to_bits))
        };
        all.push((format!("norms of {groups:?}"), Box::new(work)));
    }
}

fn gathers<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    let width = case.dtype.width();
    for (axis, inner) in [(4, 1), (5, 3), (3, 20)] {
        for keep in [&[][..], &[0], &[1, 2], &[2, 0, 0], &[0, 1, 2], &[1, 4]] {
            let work = move |backend: &dyn Backend| {
                let groups = Groups { outer: case.elements as u64 / (axis * inner), axis, inner };
                let slice = groups.group_length() * width;
                let mut destination = vec![0xee; (slice * keep.len() as u64) as usize];
                let op = GatherOp {
                    bytes: &case.bytes[..(groups.elements() * width) as usize],
                    groups,
                    width,
                    keep,
                    destination: &mut destination,
                };
                finish(backend.run(Op::Gather(op)), destination, ErrorStats::default())
            };
            all.push((format!("slices {keep:?} of {axis} times {inner}"), Box::new(work)));
        }
    }
}
