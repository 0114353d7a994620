//! Ranges of groups, and percentiles of whole groups.

use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, INFINITY_BITS, MAGNITUDE, largest_bits, value, widen, widen_into};
use crate::backend::{ExtentsOp, PercentilesOp};
use crate::format::Percentile;
use crate::scale::Extent;
use crate::stats::TILE;
use crate::{DType, KernelError};

/// [`ExtentsOp`], its lengths checked.
pub(super) struct Extents<'a>(pub(super) ExtentsOp<'a>);

impl Kernel for Extents<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let ExtentsOp { source, start, groups, extents } = self.0;
        let mut wide = Buffer::new();
        for from in (0..source.len()).step_by(TILE) {
            let piece = source.slice(from, from + TILE);
            let data = widen(v, piece, &mut wide);
            if largest_bits(v, data) >= INFINITY_BITS {
                piece.check(start + from as u64)?;
            }
            if groups.inner == 1 && groups.axis >= V::N as u64 {
                columns(v, data, groups.group_of(start + from as u64) as usize, extents);
                continue;
            }
            for run in groups.runs(start + from as u64, piece.len()) {
                let data = &data[4 * run.offset..4 * (run.offset + run.length)];
                extents[run.group].merge(extent(v, data));
            }
        }
        Ok(())
    }
}

#[inline(always)]
fn extent<V: Lanes>(v: V, data: &[u8]) -> Extent {
    let mut extent = Extent::default();
    let vectors = data.chunks_exact(4 * V::N);
    let rest = vectors.remainder();
    if rest.len() < data.len() {
        let (mut low, mut high) = (v.splat(0.0), v.splat(0.0));
        for vector in vectors {
            let x = v.load(vector);
            low = v.min(x, low);
            high = v.max(x, high);
        }
        // both are on their side of 0, so that magnitudes order as integers
        extent.add(f32::from_bits(v.largest(v.bits(high)) as u32));
        extent.add(-f32::from_bits(v.largest(v.iand(v.bits(low), v.isplat(MAGNITUDE))) as u32));
    }
    (0..rest.len() / 4).for_each(|index| extent.add(value(rest, index)));
    extent
}

/// Neighbours in neighbouring groups, `first` the group of the first.
#[inline(always)]
fn columns<V: Lanes>(_v: V, mut data: &[u8], mut first: usize, extents: &mut [Extent]) {
    while !data.is_empty() {
        let length = (data.len() / 4).min(extents.len() - first);
        let (now, later) = data.split_at(4 * length);
        // a plain loop, without branches: the compiler takes vectors for it
        for (extent, w) in extents[first..first + length].iter_mut().zip(now.as_chunks::<4>().0) {
            let w = f32::from_le_bytes(*w);
            extent.low = if w < extent.low { w } else { extent.low };
            extent.high = if w > extent.high { w } else { extent.high };
        }
        (data, first) = (later, 0);
    }
}

/// [`PercentilesOp`], its lengths checked and its groups not empty.
///
/// Near the top (99.99% of 4096 values is the second largest) only few values matter: the maxima of short segments
/// give a bound that at least as many values reach as are wanted, and only the values from there on are ordered.
/// Further down, all magnitudes are partitioned.
pub(super) struct Percentiles<'a>(pub(super) PercentilesOp<'a>);

impl Kernel for Percentiles<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let PercentilesOp { source, start, length, percentile, limits } = self.0;
        let (rank, fraction) = percentile.position(length as u64);
        let mut wide = Vec::new();
        let mut magnitudes = Vec::new();
        let mut maxima = Vec::new();
        if source.dtype() != DType::F32 {
            wide.resize(4 * length, 0);
        }
        for (group, limit) in limits.iter_mut().enumerate() {
            let whole = source.slice(group * length, (group + 1) * length);
            let data = if source.dtype() == DType::F32 {
                whole.bytes()
            } else {
                widen_into(v, whole, &mut wide);
                &wide[..]
            };
            magnitudes.clear();
            // from the top: `wanted` values include the one of `rank` and the next
            let wanted = length - rank as usize;
            let largest = candidates(v, data, wanted, &mut magnitudes, &mut maxima);
            if largest >= INFINITY_BITS {
                whole.check(start + (group * length) as u64)?;
            }
            let rank = magnitudes.len() - wanted;
            let (_, &mut low, above) = magnitudes.select_nth_unstable(rank);
            let high = above.iter().copied().min().unwrap_or(low);
            *limit = Percentile::between(f32::from_bits(low as u32), f32::from_bits(high as u32), fraction);
        }
        Ok(())
    }
}

/// Elements of a segment: a few vectors.
const SEGMENT: usize = 64;

/// Gather bits of magnitudes, the `wanted` largest among them; returns the largest.
#[inline(always)]
fn candidates<V: Lanes>(
    v: V,
    data: &[u8],
    wanted: usize,
    magnitudes: &mut Vec<i32>,
    maxima: &mut Vec<i32>,
) -> i32 {
    let elements = data.len() / 4;
    let segments = elements / SEGMENT;
    if wanted * 2 > segments {
        magnitudes.extend((0..elements).map(|index| value(data, index).to_bits() as i32 & MAGNITUDE));
        return magnitudes.iter().copied().fold(0, i32::max);
    }
    maxima.clear();
    let rest = &data[4 * segments * SEGMENT..];
    let mut largest = largest_bits(v, rest);
    for segment in data.chunks_exact(4 * SEGMENT) {
        let maximum = largest_bits(v, segment);
        largest = largest.max(maximum);
        maxima.push(maximum);
    }
    // at least `wanted` values reach the `wanted`-th largest maximum
    let bound = if wanted == 1 {
        maxima.iter().copied().fold(0, i32::max)
    } else {
        let mut ordered = maxima.clone();
        *ordered.select_nth_unstable(segments - wanted).1
    };
    let below = v.isplat(bound - 1);
    let magnitude = v.isplat(MAGNITUDE);
    for (segment, &maximum) in data.chunks_exact(4 * SEGMENT).zip(maxima.iter()) {
        if maximum < bound {
            continue;
        }
        for vector in segment.chunks_exact(4 * V::N) {
            let mut mask = v.mask_gt(v.iand(v.bits(v.load(vector)), magnitude), below);
            while mask != 0 {
                let lane = mask.trailing_zeros() as usize;
                magnitudes.push(value(vector, lane).to_bits() as i32 & MAGNITUDE);
                mask &= mask - 1;
            }
        }
    }
    magnitudes.extend((0..rest.len() / 4).map(|index| value(rest, index).to_bits() as i32 & MAGNITUDE));
    largest
}
