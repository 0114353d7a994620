//! Order statistics, masks, sums and kept slices, element by element.

use super::check;
use crate::backend::{CountDigitsOp, CountTiesOp, GatherOp, KeepNOfMOp, NormsOp, ZeroBelowOp};
use crate::prune::kept_ranges;
use crate::stats::TILE;
use crate::{KernelError, Source};

pub(super) fn count_digits(op: CountDigitsOp<'_>) -> Result<(), KernelError> {
    check::count_digits(&op)?;
    op.source.check(op.start)?;
    let digit = (1u32 << op.width) - 1;
    for run in op.groups.runs(op.start, op.source.len()) {
        let (prefix, bins) = (op.prefixes[run.group], run.group << op.width);
        for w in op.source.slice(run.offset, run.offset + run.length).weights() {
            let bits = w.abs().to_bits();
            let leading = bits >> (op.shift + op.width);
            if leading == prefix {
                op.histogram[bins + (bits >> op.shift & digit) as usize] += 1;
            } else if op.shift == 0 && leading > prefix {
                op.above[run.group] = op.above[run.group].min(bits);
            }
        }
    }
    Ok(())
}

pub(super) fn count_ties(op: CountTiesOp<'_>) -> Result<(), KernelError> {
    *op.count += op.source.weights().filter(|w| w.abs() == op.magnitude).count() as u64;
    Ok(())
}

pub(crate) fn zero_below(op: ZeroBelowOp<'_>) -> Result<(), KernelError> {
    check::zero_below(&op)?;
    Source::new(op.dtype, op.bytes)?.check(op.start)?;
    for element in op.bytes.chunks_exact_mut(op.dtype.width() as usize) {
        let magnitude = Source::new(op.dtype, element)?.weight(0).abs();
        let tie = magnitude == op.threshold && *op.ties > 0;
        if tie || magnitude < op.threshold {
            *op.ties -= u64::from(tie);
            *op.zeroed += 1;
            element.fill(0);
        }
    }
    Ok(())
}

pub(crate) fn keep_n_of_m(op: KeepNOfMOp<'_>) -> Result<(), KernelError> {
    check::keep_n_of_m(&op)?;
    Source::new(op.dtype, op.bytes)?.check(op.start)?;
    let width = op.dtype.width() as usize;
    let mut order: Vec<(u32, usize)> = Vec::with_capacity(op.m);
    for group in op.bytes.chunks_exact_mut(op.m * width) {
        let source = Source::new(op.dtype, group)?;
        order.clear();
        // ascending by descending magnitude, then by index
        order.extend((0..op.m).map(|index| (!source.weight(index).abs().to_bits(), index)));
        order.sort_unstable();
        for &(_, index) in order.iter().skip(op.n) {
            group[index * width..(index + 1) * width].fill(0);
            *op.zeroed += 1;
        }
    }
    Ok(())
}

pub(super) fn norms(op: NormsOp<'_>) -> Result<(), KernelError> {
    check::norms(&op)?;
    op.source.check(op.start)?;
    op.sums.fill([0.0; 2]);
    let slots = NormsOp::slots(op.groups);
    for (from, sums) in (0..op.source.len()).step_by(TILE).zip(op.sums.chunks_exact_mut(slots)) {
        let tile = op.source.slice(from, from + TILE);
        for (run, sum) in op.groups.runs(op.start + from as u64, tile.len()).zip(sums) {
            for w in tile.slice(run.offset, run.offset + run.length).weights() {
                let w = f64::from(w);
                sum[0] += w.abs();
                sum[1] += w * w;
            }
        }
    }
    Ok(())
}

pub(super) fn gather(op: GatherOp<'_>) -> Result<(), KernelError> {
    check::gather(&op)?;
    let mut rest = op.destination;
    for range in kept_ranges(op.groups, op.width, op.keep) {
        let from = &op.bytes[range.start as usize..range.end as usize];
        let (to, later) = rest.split_at_mut(from.len());
        to.copy_from_slice(from);
        rest = later;
    }
    Ok(())
}
