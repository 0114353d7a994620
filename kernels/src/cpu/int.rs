//! Integers with given scales.

use super::compare::add_tiles;
use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, INFINITY_BITS, MAGNITUDE, set_value, value, widen};
use crate::KernelError;
use crate::backend::QuantizeIntOp;
use crate::format::{Int, IntBits, Pack};
use crate::groups::Groups;
use crate::scale::GroupCode;
use crate::stats::{ErrorStats, TILE};

/// Runs from this length on share their group's values in registers; shorter ones spread them over a tile.
const LONG_RUN: u64 = 64;

/// What a vector of weights needs.
#[derive(Clone, Copy)]
struct Scale<V: Lanes> {
    divisor: V::F,
    scale: V::F,
    low: V::F,
    high: V::F,
    zero: V::I,
}

/// Ends of the codes.
#[derive(Clone, Copy)]
struct Ends<V: Lanes> {
    least: V::I,
    most: V::I,
}

/// What is gathered along the way.
#[derive(Clone, Copy)]
struct Seen<V: Lanes> {
    clipped: V::I,
    bits: V::I,
}

#[inline(always)]
fn encode<V: Lanes>(v: V, ends: Ends<V>, at: Scale<V>, x: V::F, seen: &mut Seen<V>) -> V::I {
    seen.bits = v.imax(seen.bits, v.iand(v.bits(x), v.isplat(MAGNITUDE)));
    seen.clipped = v.count_gt(v.count_gt(seen.clipped, x, at.high), at.low, x);
    let quotient = v.max(v.min(v.div(x, at.divisor), v.splat(512.0)), v.splat(-512.0));
    v.imin(v.imax(v.iadd(v.round(quotient), at.zero), ends.least), ends.most)
}

#[inline(always)]
fn decode<V: Lanes>(v: V, at: Scale<V>, code: V::I) -> V::F {
    v.mul(v.float(v.isub(code, at.zero)), at.scale)
}

/// [`QuantizeIntOp`], its lengths checked.
pub(super) struct Quantize<'a>(pub(super) QuantizeIntOp<'a>);

impl Kernel for Quantize<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        match (self.0.int.symmetric, self.0.stats.is_some()) {
            (true, false) => quantize::<V, true, false>(v, self.0),
            (true, true) => quantize::<V, true, true>(v, self.0),
            (false, false) => quantize::<V, false, false>(v, self.0),
            (false, true) => quantize::<V, false, true>(v, self.0),
        }
    }
}

#[inline(always)]
fn quantize<V: Lanes, const SIGNED: bool, const MEASURE: bool>(
    v: V,
    op: QuantizeIntOp<'_>,
) -> Result<(), KernelError> {
    let QuantizeIntOp { source, start, groups, int, codes, destination, mut stats } = op;
    let mut work = Work { int, seen: Seen { clipped: v.isplat(0), bits: v.isplat(0) }, scalar: (0, 0) };
    let (mut wide, mut decoded, mut bytes) = (Buffer::new(), Buffer::new(), [0u8; TILE]);
    let mut spread = if groups.inner < LONG_RUN { Some(Box::new(Spread::new())) } else { None };
    for from in (0..source.len()).step_by(TILE) {
        let piece = source.slice(from, from + TILE);
        let data = widen(v, piece, &mut wide);
        let decoded = decoded.values(piece.len());
        let at = start + from as u64;
        let written = match int.bits {
            IntBits::Eight => &mut destination[from..from + piece.len()],
            IntBits::Four => &mut bytes[..piece.len()],
        };
        if let Some(spread) = &mut spread {
            spread.fill(groups, codes, at, piece.len());
            work.spread_codes::<SIGNED, MEASURE>(v, spread, data, written, decoded);
        } else {
            for run in groups.runs(at, piece.len()) {
                let (low, high) = (run.offset, run.offset + run.length);
                let (data, decoded) = (&data[4 * low..4 * high], &mut decoded[4 * low..4 * high]);
                work.run_codes::<SIGNED, MEASURE>(
                    v,
                    &codes[run.group],
                    data,
                    &mut written[low..high],
                    decoded,
                );
            }
        }
        if v.largest(work.seen.bits).max(work.scalar.1) >= INFINITY_BITS {
            piece.check(at)?;
        }
        if int.bits == IntBits::Four {
            let packed = &mut destination[from / 2..(from + piece.len()).div_ceil(2)];
            pack(v, int.pack, &bytes[..piece.len()], packed);
        }
        if let (true, Some(stats)) = (MEASURE, stats.as_deref_mut()) {
            add_tiles(v, data, decoded, stats);
        }
        work.flush(v, stats.as_deref_mut());
    }
    Ok(())
}

/// State of one call.
struct Work<V: Lanes> {
    int: Int,
    seen: Seen<V>,
    /// Clipped values and largest bits among the elements that fill no vector.
    scalar: (u64, i32),
}

impl<V: Lanes> Work<V> {
    #[inline(always)]
    fn ends(&self, v: V) -> Ends<V> {
        let top = self.int.top();
        Ends { least: v.isplat(if self.int.symmetric { -top } else { 0 }), most: v.isplat(top) }
    }

    /// Hand the clipped count over, before the lanes' counters could overflow.
    #[inline(always)]
    fn flush(&mut self, v: V, stats: Option<&mut ErrorStats>) {
        let clipped = v.total(self.seen.clipped) as u64 + self.scalar.0;
        if let Some(stats) = stats {
            stats.clipped += clipped;
        }
        self.seen.clipped = v.isplat(0);
        self.scalar.0 = 0;
    }

    /// A run of one group.
    #[inline(always)]
    fn run_codes<const SIGNED: bool, const MEASURE: bool>(
        &mut self,
        v: V,
        code: &GroupCode,
        data: &[u8],
        written: &mut [u8],
        decoded: &mut [u8],
    ) {
        let ends = self.ends(v);
        let at = Scale {
            divisor: v.splat(code.divisor()),
            scale: v.splat(code.scale),
            low: v.splat(code.low),
            high: v.splat(code.high),
            zero: v.isplat(code.zero),
        };
        let mut seen = self.seen;
        let step = 4 * V::N;
        let groups = data.chunks_exact(4 * step).zip(written.chunks_exact_mut(step));
        for ((data, written), decoded) in groups.zip(decoded.chunks_exact_mut(4 * step)) {
            let mut quads = [v.isplat(0); 4];
            for (index, quad) in quads.iter_mut().enumerate() {
                let (low, high) = (index * step, (index + 1) * step);
                *quad = encode(v, ends, at, v.load(&data[low..high]), &mut seen);
                if MEASURE {
                    v.store(decode(v, at, *quad), &mut decoded[low..high]);
                }
            }
            v.store_bytes(v.narrow::<SIGNED>(quads), written);
        }
        self.seen = seen;
        for index in written.len() / step * step..written.len() {
            written[index] = self.element(code, value(data, index), index, decoded);
        }
    }

    /// A tile whose groups change every few elements.
    #[inline(always)]
    fn spread_codes<const SIGNED: bool, const MEASURE: bool>(
        &mut self,
        v: V,
        spread: &Spread,
        data: &[u8],
        written: &mut [u8],
        decoded: &mut [u8],
    ) {
        let ends = self.ends(v);
        let mut seen = self.seen;
        let step = 4 * V::N;
        let whole = written.len() / step * step;
        for first in (0..whole).step_by(step) {
            let mut quads = [v.isplat(0); 4];
            for (index, quad) in quads.iter_mut().enumerate() {
                let low = 4 * first + index * step;
                let range = low..low + step;
                let at = Scale {
                    divisor: v.load(&spread.divisor[range.clone()]),
                    scale: v.load(&spread.scale[range.clone()]),
                    low: v.load(&spread.low[range.clone()]),
                    high: v.load(&spread.high[range.clone()]),
                    zero: v.bits(v.load(&spread.zero[range.clone()])),
                };
                *quad = encode(v, ends, at, v.load(&data[range.clone()]), &mut seen);
                if MEASURE {
                    v.store(decode(v, at, *quad), &mut decoded[range]);
                }
            }
            v.store_bytes(v.narrow::<SIGNED>(quads), &mut written[first..first + step]);
        }
        self.seen = seen;
        for (index, byte) in written.iter_mut().enumerate().skip(whole) {
            *byte = self.element(&spread.code(index), value(data, index), index, decoded);
        }
    }

    #[inline(always)]
    fn element(&mut self, code: &GroupCode, w: f32, index: usize, decoded: &mut [u8]) -> u8 {
        self.scalar.0 += u64::from(code.clips(w));
        self.scalar.1 = self.scalar.1.max(w.to_bits() as i32 & MAGNITUDE);
        let encoded = code.encode(&self.int, w);
        set_value(decoded, index, code.decode(encoded));
        encoded as u8
    }
}

/// The group's values of each element of a tile, as bytes of f32 (the zero point: i32).
struct Spread {
    divisor: [u8; 4 * TILE],
    scale: [u8; 4 * TILE],
    low: [u8; 4 * TILE],
    high: [u8; 4 * TILE],
    zero: [u8; 4 * TILE],
}

impl Spread {
    fn new() -> Spread {
        let empty = [0; 4 * TILE];
        Spread { divisor: empty, scale: empty, low: empty, high: empty, zero: empty }
    }

    #[inline(always)]
    fn fill(&mut self, groups: Groups, codes: &[GroupCode], start: u64, elements: usize) {
        if groups.inner == 1 {
            let mut group = groups.group_of(start) as usize;
            for index in 0..elements {
                self.set(index, &codes[group]);
                group = if group + 1 == codes.len() { 0 } else { group + 1 };
            }
            return;
        }
        for run in groups.runs(start, elements) {
            let code = &codes[run.group];
            for index in run.offset..run.offset + run.length {
                self.set(index, code);
            }
        }
    }

    #[inline(always)]
    fn set(&mut self, index: usize, code: &GroupCode) {
        set_value(&mut self.divisor, index, code.divisor());
        set_value(&mut self.scale, index, code.scale);
        set_value(&mut self.low, index, code.low);
        set_value(&mut self.high, index, code.high);
        set_value(&mut self.zero, index, f32::from_bits(code.zero as u32));
    }

    fn code(&self, index: usize) -> GroupCode {
        GroupCode {
            scale: value(&self.scale, index),
            zero: value(&self.zero, index).to_bits() as i32,
            low: value(&self.low, index),
            high: value(&self.high, index),
        }
    }
}

/// Two codes in a byte; an odd one leaves a 0.
#[inline(always)]
fn pack<V: Lanes>(v: V, order: Pack, codes: &[u8], packed: &mut [u8]) {
    let step = 4 * V::N;
    for (codes, packed) in codes.chunks_exact(step).zip(packed.chunks_exact_mut(step / 2)) {
        match order {
            Pack::Low => v.store_nibbles::<false>(v.load_bytes(codes), packed),
            Pack::High => v.store_nibbles::<true>(v.load_bytes(codes), packed),
        }
    }
    let done = codes.len() / step * step;
    for (pair, byte) in codes[done..].chunks(2).zip(&mut packed[done / 2..]) {
        let (first, second) = (pair[0] & 15, pair.get(1).map_or(0, |code| code & 15));
        *byte = match order {
            Pack::Low => first | second << 4,
            Pack::High => first << 4 | second,
        };
    }
}
