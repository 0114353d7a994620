//! nf4 and fp4 blocks: absmax, codes and packing while a block is in the first-level cache.
//!
//! A code takes a table look-up and one exact comparison: values are cut into bins that hold one threshold at most, the
//! table says how many thresholds lie below a bin, the comparison decides on the one inside. No threshold lies near the
//! edge of a bin, so the rounding on the way to it does not matter; the comparison itself is exact.
//!
//! For nf4, 16 lanes look up in a table of 32 even bins. 8 lanes have 8 entries at once: there
//! `g(u) = u (13.37 - 6.06 u)` of the magnitude u spreads the thresholds over 8 bins for each sign (the last negative
//! one holds none), and the bin's number is the number of thresholds.

use super::compare::{add_tile, add_tiles};
use super::lanes::{Kernel, Lanes};
use super::tile::{
    Bf16, Buffer, F32, INFINITY_BITS, LONGEST, MAGNITUDE, Stored, largest_lanes, prefetch, set_value, value,
    widen,
};
use crate::backend::QuantizeCode4Op;
use crate::format::Code4Kind;
use crate::format::code4::{FP4_ASCENDING, fp4_thresholds, nf4_thresholds};
use crate::reference::{LEAST_ABSMAX, code4_code};
use crate::stats::TILE;
use crate::{DType, KernelError};

/// Threshold of each bin of nf4: 8 of positive values, then 8 of negative ones.
const NF4_BINS: [f32; 16] = {
    let thresholds = nf4_thresholds();
    // the last negative bin holds none: "-1 below, and above -infinity" is code 0
    let mut bins = [f32::NEG_INFINITY; 16];
    let mut bin = 0;
    while bin < 8 {
        bins[bin] = thresholds[7 + bin];
        if bin < 7 {
            bins[8 + bin] = thresholds[6 - bin];
        }
        bin += 1;
    }
    bins
};

/// Even bins of nf4: bin `round(14.598 y + 16)`. A threshold is at least 0.075 bins away from an edge.
pub(crate) const NF4_SLOPE: f32 = 14.598;

/// Added to a bin's place: the sum's low bits are the bin's number.
pub(crate) const NF4_SHIFT: f32 = 8_388_624.0;

/// Threshold of each even bin of nf4, infinite where it holds none, and the code below it.
pub(crate) const NF4_EVEN: ([f32; 32], [f32; 32]) = {
    let thresholds = nf4_thresholds();
    let (mut bins, mut below) = ([f32::INFINITY; 32], [0.0; 32]);
    let (mut bin, mut rank) = (0, 0);
    while bin < 32 {
        below[bin] = f32::from_bits(rank as u32);
        if rank < 15 && (thresholds[rank] * NF4_SLOPE + 16.5) as usize == bin {
            bins[bin] = thresholds[rank];
            rank += 1;
        }
        bin += 1;
    }
    assert!(rank == 15);
    (bins, below)
};

/// Threshold, code below and code above it for 16 even bins of the magnitude, for fp4.
pub(crate) const FP4_BINS: ([f32; 16], [f32; 16], [f32; 16]) = {
    let thresholds = fp4_thresholds();
    let (mut bins, mut below, mut above) = ([f32::INFINITY; 16], [0.0; 16], [0.0; 16]);
    let (mut bin, mut rank) = (0, 0);
    while bin < 16 {
        below[bin] = f32::from_bits(FP4_ASCENDING[rank] as u32);
        if rank < 7 && thresholds[rank] * 16.0 < (bin + 1) as f32 {
            bins[bin] = thresholds[rank];
            rank += 1;
        }
        above[bin] = f32::from_bits(FP4_ASCENDING[rank] as u32);
        bin += 1;
    }
    (bins, below, above)
};

/// The tables in registers.
#[derive(Clone, Copy)]
struct Tables<V: Lanes> {
    bins: V::T,
    below: V::T,
    above: V::T,
    even: [V::T; 2],
    even_below: [V::T; 2],
    book: V::T,
}

#[inline(always)]
fn tables<V: Lanes>(v: V, kind: Code4Kind) -> Tables<V> {
    let bins = if kind == Code4Kind::Nf4 { &NF4_BINS } else { &FP4_BINS.0 };
    let (below, above) = (v.table(&FP4_BINS.1), v.table(&FP4_BINS.2));
    Tables {
        bins: v.table(bins),
        below,
        above,
        even: v.wide_table(&NF4_EVEN.0),
        even_below: v.wide_table(&NF4_EVEN.1),
        book: v.table(&kind.codebook()),
    }
}

/// Codes of normalised values, |y| at most a little above 1.
#[inline(always)]
fn codes<V: Lanes, const NF4: bool>(v: V, tables: Tables<V>, y: V::F) -> V::I {
    if NF4 && V::N == 16 {
        let bin = v.bits(v.about_sub_mul(v.splat(NF4_SHIFT), v.splat(-NF4_SLOPE), y));
        let below = v.bits(v.look_up_wide(tables.even_below, bin));
        return v.count_gt(below, y, v.look_up_wide(tables.even, bin));
    }
    let bits = v.bits(y);
    let magnitude = v.iand(bits, v.isplat(MAGNITUDE));
    let u = v.of_bits(magnitude);
    let sign = v.sign(bits);
    if NF4 {
        let spread = v.mul(u, v.about_sub_mul(v.splat(13.37), v.splat(6.06), u));
        let bin = v.truncate(spread);
        let threshold = v.look_up_by_sign(tables.bins, bin, y);
        // 7 + bin thresholds lie below a positive bin, 6 - bin below a negative one
        v.count_gt(v.iadd(v.ixor(bin, sign), v.isplat(7)), y, threshold)
    } else {
        let bin = v.imin(v.truncate(v.mul(u, v.splat(16.0))), v.isplat(15));
        let threshold = v.bits(v.look_up(tables.bins, bin));
        let (below, above) = (v.bits(v.look_up(tables.below, bin)), v.bits(v.look_up(tables.above, bin)));
        let negative = v.pick_gt(magnitude, v.isplat(0), v.iand(sign, v.isplat(8)), v.isplat(0));
        v.ior(v.pick_gt(magnitude, threshold, above, below), negative)
    }
}

/// [`QuantizeCode4Op`], its lengths checked. `MEASURE` decodes for error statistics.
pub(super) struct Quantize<'a>(pub(super) QuantizeCode4Op<'a>);

impl Kernel for Quantize<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        match self.0.source.dtype() {
            DType::Bf16 => stored::<V, Bf16>(v, self.0),
            _ => stored::<V, F32>(v, self.0),
        }
    }
}

#[inline(always)]
fn stored<V: Lanes, S: Stored>(v: V, op: QuantizeCode4Op<'_>) -> Result<(), KernelError> {
    match (op.code4.kind, op.stats.is_some()) {
        (Code4Kind::Nf4, false) => quantize::<V, S, true, false>(v, op),
        (Code4Kind::Nf4, true) => quantize::<V, S, true, true>(v, op),
        (Code4Kind::Fp4, false) => quantize::<V, S, false, false>(v, op),
        (Code4Kind::Fp4, true) => quantize::<V, S, false, true>(v, op),
    }
}

#[inline(always)]
fn quantize<V: Lanes, S: Stored, const NF4: bool, const MEASURE: bool>(
    v: V,
    op: QuantizeCode4Op<'_>,
) -> Result<(), KernelError> {
    let QuantizeCode4Op { source, start, code4, destination, absmax, mut stats } = op;
    let block = code4.block as usize;
    let tile = block.clamp(TILE, LONGEST);
    let tables = tables(v, code4.kind);
    let (mut wide, mut decoded) = (Buffer::new(), Buffer::new());
    for from in (0..source.len()).step_by(tile) {
        let piece = source.slice(from, from + tile);
        let data = if S::WIDTH == 4 { widen(v, piece, &mut wide) } else { piece.bytes() };
        let decoded = decoded.values(piece.len());
        let full = piece.len() / block;
        let absmax = &mut absmax[from / block..];
        let packed = &mut destination[from / 2..];
        // all absmax of the tile first: their latencies overlap, and the codes need not wait for one at a time
        let mut inverses = [0.0; BLOCKS];
        let mut largest =
            tile_absmax::<V, S>(v, &data[..S::WIDTH * full * block], block, absmax, &mut inverses);
        if largest >= INFINITY_BITS {
            return Err(first_error(piece, start + from as u64));
        }
        let work = Blocks {
            data: &data[..S::WIDTH * full * block],
            absmax,
            inverses: &inverses,
            packed,
            decoded,
            // far enough ahead for memory, near enough to stay in the first-level cache
            later: source.slice(from + 2 * tile, from + 3 * tile).bytes(),
        };
        // the common length is known to the compiler: its blocks need no loop of their own
        if block == COMMON_BLOCK {
            full_blocks::<V, S, NF4, MEASURE>(v, tables, COMMON_BLOCK, work);
        } else {
            full_blocks::<V, S, NF4, MEASURE>(v, tables, block, work);
        }
        if full * block < piece.len() {
            let rest = piece.slice(full * block, piece.len());
            rest.check(start + (from + full * block) as u64)?;
            let (data, packed) = (&data[S::WIDTH * full * block..], &mut packed[full * block / 2..]);
            absmax[full] = short_block::<S>(code4.kind, data, packed, &mut decoded[4 * full * block..]);
            largest = largest.max(absmax[full].to_bits() as i32);
        }
        match stats.as_deref_mut() {
            Some(stats) if MEASURE && tile == TILE => add_tile::<V, S>(v, largest, data, decoded, stats),
            Some(stats) if MEASURE => add_tiles(v, widen(v, piece, &mut wide), decoded, stats),
            _ => {}
        }
    }
    Ok(())
}

/// The block that nearly every recipe asks for.
const COMMON_BLOCK: usize = 64;

/// Blocks of a tile at most: a block has 64 elements or more, and a tile of more than [`TILE`] is one block.
const BLOCKS: usize = TILE / 64;

/// Absmax and their inverses of a tile of full blocks, and the bits of the largest; as many side by side as there are
/// lanes.
#[inline(always)]
fn tile_absmax<V: Lanes, S: Stored>(
    v: V,
    data: &[u8],
    block: usize,
    absmax: &mut [f32],
    inverses: &mut [f32; BLOCKS],
) -> i32 {
    let (one, least, mut all) = (v.splat(1.0), v.splat(LEAST_ABSMAX), 0);
    let blocks =
        data.chunks(S::WIDTH * block * V::N).zip(absmax.chunks_mut(V::N)).zip(inverses.chunks_mut(V::N));
    for ((data, absmax), inverses) in blocks {
        let mut lanes = [v.isplat(0); 16];
        for (lanes, data) in lanes.iter_mut().zip(data.chunks_exact(S::WIDTH * block)) {
            *lanes = largest_lanes::<V, S>(v, data);
        }
        let largest = v.largest_of_each(&lanes[..V::N]);
        all = all.max(v.largest(largest));
        let (mut bytes, mut inverse_bytes) = ([0; 64], [0; 64]);
        v.store(v.of_bits(largest), &mut bytes);
        v.store(v.div(one, v.max(v.of_bits(largest), least)), &mut inverse_bytes);
        let pairs = absmax.iter_mut().zip(inverses).enumerate().take(data.len() / (S::WIDTH * block));
        for (index, (absmax, inverse)) in pairs {
            (*absmax, *inverse) = (value(&bytes, index), value(&inverse_bytes, index));
        }
    }
    all
}

/// The full blocks of a tile, and what a later tile will read.
struct Blocks<'a> {
    data: &'a [u8],
    absmax: &'a [f32],
    inverses: &'a [f32; BLOCKS],
    packed: &'a mut [u8],
    decoded: &'a mut [u8],
    later: &'a [u8],
}

#[inline(always)]
fn full_blocks<V: Lanes, S: Stored, const NF4: bool, const MEASURE: bool>(
    v: V,
    tables: Tables<V>,
    block: usize,
    work: Blocks<'_>,
) {
    let Blocks { data, absmax, inverses, packed, decoded, later } = work;
    let share = later.len() / (data.len() / (S::WIDTH * block)).max(1);
    let mut later = later.chunks(share.max(1).next_multiple_of(64));
    let scales = absmax.iter().zip(inverses);
    let bytes = data.chunks_exact(S::WIDTH * block).zip(packed.chunks_exact_mut(block / 2));
    for (((data, packed), decoded), (&largest, &inverse)) in
        bytes.zip(decoded.chunks_exact_mut(4 * block)).zip(scales)
    {
        prefetch(v, later.next().unwrap_or_default());
        let (largest, inverse) = (v.splat(largest), v.splat(inverse));
        let steps = data.chunks_exact(4 * S::WIDTH * V::N).zip(packed.chunks_exact_mut(2 * V::N));
        for ((data, packed), decoded) in steps.zip(decoded.chunks_exact_mut(16 * V::N)) {
            let mut quads = [v.isplat(0); 4];
            for (index, quad) in quads.iter_mut().enumerate() {
                let y = v.mul(S::load(v, &data[S::WIDTH * V::N * index..]), inverse);
                *quad = codes::<V, NF4>(v, tables, y);
                if MEASURE {
                    let at = 4 * V::N * index;
                    v.store(v.mul(v.look_up(tables.book, *quad), largest), &mut decoded[at..at + 4 * V::N]);
                }
            }
            v.store_codes(quads, packed);
        }
    }
}

/// The tensor's last block: few elements, one by one. Returns its absmax.
fn short_block<S: Stored>(kind: Code4Kind, data: &[u8], packed: &mut [u8], decoded: &mut [u8]) -> f32 {
    let elements = data.len() / S::WIDTH;
    let largest = (0..elements).fold(0.0f32, |largest, index| largest.max(S::value(data, index).abs()));
    let (divisor, book) = (largest.max(LEAST_ABSMAX), kind.codebook());
    let pad = code4_code(kind, 0.0);
    for (byte, first) in packed.iter_mut().zip((0..elements).step_by(2)) {
        let mut pair = [pad; 2];
        for (index, code) in (first..elements).zip(&mut pair) {
            *code = code4_code(kind, S::value(data, index) / divisor);
            set_value(decoded, index, book[usize::from(*code)] * largest);
        }
        *byte = pair[0] << 4 | pair[1];
    }
    largest
}

#[cold]
#[inline(never)]
fn first_error(piece: crate::Source<'_>, start: u64) -> KernelError {
    match piece.check(start) {
        Err(error) => error,
        Ok(()) => KernelError::Malformed { what: "internal error: a non-finite value is not found again" },
    }
}
