//! Percentiles of whole groups.

use super::super::launch::{Fault, Lane, Room, Word::*};
use super::super::sources;
use super::select::numbers;
use super::{BLOCK, EACH, First, Progress, reported, source_error};
use crate::Source;
use crate::backend::PercentilesOp;
use crate::format::Percentile;
use crate::groups::Groups;
use crate::select::{Counts, Order, Selector};

/// Elements of a group that a thread holds, and a warp, as in `percentile.cu`.
const TINY: usize = 8;
const SHORT: usize = 256;
/// Elements of a group from which all threads work on one group, unless there are many groups.
const LONG: usize = 4096;
const FEW: usize = 32;

pub(super) fn percentiles(
    lane: &mut dyn Lane,
    op: &mut PercentilesOp<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    if op.length == 0 {
        return Ok(());
    }
    let (rank, fraction) = op.percentile.position(op.length as u64);
    let (kernel, block, of_group) = if op.length <= TINY {
        ("percentile_tiny", BLOCK, 1)
    } else if op.length <= SHORT {
        ("percentile_short", BLOCK, 32)
    } else {
        ("percentile", BLOCK, u64::from(BLOCK))
    };
    while progress.done < op.source.len() {
        // whole groups, one at least
        let count = (progress.piece / op.length).max(1) * op.length;
        let range = progress.done..op.source.len().min(progress.done + count);
        let source = op.source.slice(range.start, range.end);
        let groups = range.len() / op.length;
        if op.length >= LONG && groups <= FEW {
            let limits = &mut op.limits[range.start / op.length..range.end / op.length];
            let found = select(lane, source, op.start + range.start as u64, groups, rank)?;
            for (limit, order) in limits.iter_mut().zip(&found) {
                *limit = Percentile::between(order.value, order.next, fraction);
            }
            progress.done = range.end;
            continue;
        }
        let mut found = vec![0; 8 * groups];
        let mut room = Room::default();
        let first = First::new(&mut room);
        let (from, to) = (room.take(source.bytes().len()), room.take(found.len()));
        let mut work = room.open(lane, sources::PERCENTILE, source.dtype())?;
        first.clear(&mut work)?;
        work.copy_in(&[(from, source.bytes())])?;
        let (length, rank) = (Number(op.length as u64), Number(rank));
        let words = [At(from), At(to), length, rank, Number(groups as u64), At(first.0)];
        work.launch(kernel, groups as u64 * of_group, block, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (to, &mut found)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(op.source, range.start + index, op.start).into());
        }
        let limits = op.limits[range.start / op.length..].iter_mut();
        for (limit, &[a, b, c, d, e, f, g, h]) in limits.zip(found.as_chunks::<8>().0) {
            let (low, next) = (f32::from_le_bytes([a, b, c, d]), f32::from_le_bytes([e, f, g, h]));
            *limit = Percentile::between(low, next, fraction);
        }
        progress.done = range.end;
    }
    Ok(())
}

/// The order statistic of each of a few long groups, digit by digit: the values stay on the device, counts come back.
fn select(
    lane: &mut dyn Lane,
    source: Source<'_>,
    start: u64,
    groups: usize,
    rank: u64,
) -> Result<Vec<Order>, Fault> {
    let length = source.len() / groups;
    let mut selector = Selector::new(Groups::contiguous(groups as u64, length as u64), rank);
    let (_, widest, _) = selector.digit();
    let mut counts = vec![0; (4 * groups) << widest];
    let mut above = vec![0; 4 * groups];
    let mut room = Room::default();
    let first = First::new(&mut room);
    let (from, prefixes) = (room.take(source.bytes().len()), room.take(4 * groups));
    let (bins, least) = (room.take(counts.len()), room.take(above.len()));
    let mut work = room.open(lane, sources::SELECT, source.dtype())?;
    first.clear(&mut work)?;
    work.copy_in(&[(from, source.bytes())])?;
    let elements = source.len() as u64;
    while !selector.is_done() {
        let (shift, width, found) = selector.digit();
        let found: Vec<u8> = found.iter().flat_map(|prefix| prefix.to_le_bytes()).collect();
        counts.truncate((4 * groups) << width);
        let bins = bins.first(counts.len());
        work.fill(bins, 0)?;
        work.fill(least, 0xff)?;
        work.copy_in(&[(prefixes, &found)])?;
        let grouping = [Number(0), Number(groups as u64), Number(length as u64)];
        let digit = [Number(shift.into()), Number(width.into()), At(first.0)];
        let words = [At(from), At(prefixes), At(bins), At(least), Number(elements)];
        let words = [&words[..], &grouping, &digit].concat();
        work.launch("count_digits", elements.div_ceil(EACH), BLOCK, &words)?;
        let mut index = [0; 8];
        work.copy_out(&mut [(first.0, &mut index), (bins, &mut counts), (least, &mut above)])?;
        if let Some(index) = reported(index) {
            return Err(source_error(source, index, start).into());
        }
        let histogram = numbers(&counts).map(u64::from).collect();
        selector.absorb(&Counts::from_parts(histogram, numbers(&above).collect()));
    }
    Ok(selector.orders().to_vec())
}
