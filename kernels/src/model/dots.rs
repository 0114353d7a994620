//! Rows of a weight, as they are stored, times tokens.
//!
//! Vector i of a row is added to partial sum i mod 4 (of nibbles: i mod 2 within a step of 8 vectors). Elements with one scale in a row
//! are scaled at its end; others in runs of 64, whose sum is scaled and added to that of the row. So the order of a sum is that of
//! the format and the vectors' width, however many rows and tokens are taken at a time.

use super::scales::Scales;
use super::weight::{Codes, Weight};
use crate::cpu::lanes::Lanes;

/// Elements that have one scale in every layout that is not decoded first.
pub(super) const RUN: usize = 64;
/// Partial sums, so that a multiplication need not wait for the one before.
const SUMS: usize = 4;
/// Bytes of each of several rows that are asked for before they are needed, as measured. Not a multiple of 4096, which would take the
/// places of the line itself in the cache.
pub(super) const AHEAD: usize = 2112;
/// The same of rows that are taken one at a time.
const AHEAD_ALONE: usize = 4160;

/// Rows times tokens.
pub(super) trait Product {
    /// Rows that are taken together with one token, as measured: more of them load its values less often, fewer read memory in
    /// longer runs.
    fn together(&self) -> usize {
        4
    }

    /// Get ready for some rows.
    fn begin(&mut self, row: usize, count: usize);
    /// Each of R rows with each of M tokens.
    fn sums<const R: usize, const M: usize>(&self, row: usize, x: [&[u8]; M]) -> [[f32; M]; R];
}

/// How the elements of a row become floats.
pub(super) trait Element: Copy {
    const WIDTH: usize;
    /// N elements.
    fn load<V: Lanes>(self, v: V, bytes: &[u8], zero: V::I) -> V::F;
}

macro_rules! element {
    ($name:ident, $width:literal, |$v:ident, $bytes:ident, $zero:ident| $load:expr) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name;
        impl Element for $name {
            const WIDTH: usize = $width;
            #[inline(always)]
            fn load<V: Lanes>(self, $v: V, $bytes: &[u8], $zero: V::I) -> V::F {
                $load
            }
        }
    };
}

element!(F32, 4, |v, bytes, _zero| v.load(bytes));
element!(F16, 2, |v, bytes, _zero| v.load_f16(bytes));
element!(Bf16, 2, |v, bytes, _zero| v.load_bf16(bytes));
element!(Signed, 1, |v, bytes, _zero| v.float(v.load_i8(bytes)));
element!(Unsigned, 1, |v, bytes, zero| v.float(v.isub(v.load_u8(bytes), zero)));

/// What a product takes: rows of a weight from `first` on, whose bytes begin with `bytes`, in which the last vector of each row
/// lies whole.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) weight: &'a Weight<'a>,
    pub(super) first: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// Its bytes, of which a row has `length`.
    #[inline(always)]
    fn rows_of(self, length: usize) -> Bytes<'a> {
        Bytes { bytes: self.bytes, length }
    }
}

/// Some rows of a weight: bytes from the first one on, and bytes of a row.
struct Bytes<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Bytes<'a> {
    #[inline(always)]
    fn rows<const R: usize>(&self, first: usize) -> [&'a [u8]; R] {
        let mut rows: [&[u8]; R] = [&[]; R];
        for (number, row) in rows.iter_mut().enumerate() {
            let start = (first + number) * self.length;
            *row = &self.bytes[start..start + self.length];
        }
        rows
    }

    /// A vector from a place of a row on, which may reach into what lies behind.
    #[inline(always)]
    fn vector(&self, row: usize, at: usize, length: usize) -> &'a [u8] {
        let start = row * self.length + at;
        &self.bytes[start..start + length]
    }

    /// Ask for what lies `ahead` of some bytes of R rows: in the rows themselves or those that are taken after them.
    #[inline(always)]
    fn prefetch<V: Lanes, const R: usize>(&self, v: V, ahead: usize, first: usize, at: usize, length: usize) {
        let row = if at + ahead < self.length { first } else { first + R - 1 };
        for number in 0..R {
            let start = (row + number) * self.length + at + ahead;
            for line in (0..length).step_by(64) {
                v.prefetch(self.bytes, start + line);
            }
        }
    }
}

/// All bits of so many lanes, the first ones.
#[inline(always)]
fn first_lanes<V: Lanes>(v: V, count: usize) -> V::I {
    const MASKS: [u8; 128] = {
        let mut masks = [0; 128];
        let mut byte = 0;
        while byte < 64 {
            masks[byte] = 255;
            byte += 1;
        }
        masks
    };
    v.bits(v.load(&MASKS[64 - 4 * count.min(V::N)..]))
}

/// A scale for a row at most.
pub(super) struct Straight<'a, V, E> {
    v: V,
    element: E,
    bytes: Bytes<'a>,
    codes: Option<&'a Codes<'a>>,
    /// Flat index of the first element of the first row.
    start: usize,
    columns: usize,
    scales: [(f32, f32); 4],
}

impl<'a, V: Lanes, E: Element> Straight<'a, V, E> {
    /// Floats without a scale.
    pub(super) fn floats(v: V, element: E, part: Part<'a>) -> Self {
        let (start, columns) = (part.weight.start(part.first), part.weight.columns());
        let bytes = part.rows_of(columns * E::WIDTH);
        Straight { v, element, bytes, codes: None, start, columns, scales: [(1.0, 0.0); 4] }
    }

    /// Codes with a scale for each row.
    pub(super) fn codes(v: V, element: E, part: Part<'a>, codes: &'a Codes<'a>) -> Self {
        Straight { codes: Some(codes), ..Straight::floats(v, element, part) }
    }
}

impl<V: Lanes, E: Element> Product for Straight<'_, V, E> {
    #[inline(always)]
    fn begin(&mut self, row: usize, count: usize) {
        let Some(codes) = self.codes else { return };
        for number in 0..count {
            let group = codes.groups.group_of((self.start + (row + number) * self.columns) as u64) as usize;
            self.scales[number] = (codes.scale(group), codes.zero(group));
        }
    }

    #[inline(always)]
    fn sums<const R: usize, const M: usize>(&self, first: usize, x: [&[u8]; M]) -> [[f32; M]; R] {
        let (v, element) = (self.v, self.element);
        let rows = self.bytes.rows::<R>(first);
        let (vector, floats) = (V::N * E::WIDTH, 4 * V::N);
        let mut zeros = [v.isplat(0); R];
        for (zero, scale) in zeros.iter_mut().zip(&self.scales) {
            *zero = v.isplat(scale.1 as i32);
        }
        let mut sums = [[[v.splat(0.0); SUMS]; M]; R];
        let whole = self.bytes.length / (SUMS * vector);
        for piece in 0..whole {
            let at = piece * SUMS * vector;
            self.bytes.prefetch::<V, R>(v, AHEAD, first, at, SUMS * vector);
            let mut w: [&[u8]; R] = [&[]; R];
            for row in 0..R {
                w[row] = &rows[row][at..at + SUMS * vector];
            }
            let mut tokens: [&[u8]; M] = [&[]; M];
            for token in 0..M {
                tokens[token] = &x[token][piece * SUMS * floats..(piece + 1) * SUMS * floats];
            }
            for part in 0..SUMS {
                let mut inputs = [v.splat(0.0); M];
                for token in 0..M {
                    inputs[token] = v.load(&tokens[token][part * floats..(part + 1) * floats]);
                }
                for row in 0..R {
                    let value = element.load(v, &w[row][part * vector..(part + 1) * vector], zeros[row]);
                    for token in 0..M {
                        sums[row][token][part] = v.mul_add(value, inputs[token], sums[row][token][part]);
                    }
                }
            }
        }
        #[expect(
            clippy::needless_range_loop,
            reason = "sums are picked by a constant, so that they stay in registers"
        )]
        for part in 0..SUMS {
            let at = (whole * SUMS + part) * vector;
            if at >= self.bytes.length {
                break;
            }
            let keep = first_lanes(v, (self.bytes.length - at) / E::WIDTH);
            let place = (whole * SUMS + part) * floats;
            for row in 0..R {
                let value = element.load(v, self.bytes.vector(first + row, at, vector), zeros[row]);
                let value = v.of_bits(v.iand(v.bits(value), keep));
                for token in 0..M {
                    let input = v.load(&x[token][place..place + floats]);
                    sums[row][token][part] = v.mul_add(value, input, sums[row][token][part]);
                }
            }
        }
        let mut totals = [[0.0; M]; R];
        for row in 0..R {
            for token in 0..M {
                let [a, b, c, d] = sums[row][token];
                totals[row][token] = v.sum(v.add(v.add(a, b), v.add(c, d))) * self.scales[row].0;
            }
        }
        totals
    }
}

/// 8 bits, a scale for each run.
pub(super) struct Runs<'a, V, E> {
    v: V,
    element: E,
    bytes: Bytes<'a>,
    scales: Scales<'a>,
}

impl<'a, V: Lanes, E: Element> Runs<'a, V, E> {
    pub(super) fn new(v: V, element: E, part: Part<'a>, codes: &'a Codes<'a>) -> Self {
        let bytes = part.rows_of(part.weight.columns());
        Runs { v, element, bytes, scales: Scales::new(part.weight, part.first, codes, 1) }
    }
}

impl<V: Lanes, E: Element> Product for Runs<'_, V, E> {
    #[inline(always)]
    fn begin(&mut self, row: usize, count: usize) {
        self.scales.begin(row, count);
    }

    #[inline(always)]
    fn sums<const R: usize, const M: usize>(&self, first: usize, x: [&[u8]; M]) -> [[f32; M]; R] {
        let (v, element, floats) = (self.v, self.element, 4 * V::N);
        let rows = self.bytes.rows::<R>(first);
        let mut totals = [[v.splat(0.0); M]; R];
        for run in 0..self.bytes.length / RUN {
            self.bytes.prefetch::<V, R>(v, AHEAD, first, run * RUN, RUN);
            let mut tokens: [&[u8]; M] = [&[]; M];
            for token in 0..M {
                tokens[token] = &x[token][4 * run * RUN..4 * (run + 1) * RUN];
            }
            for row in 0..R {
                let w = &rows[row][run * RUN..(run + 1) * RUN];
                let scale = v.splat(self.scales.scales[row * self.scales.stride + run]);
                let zero = self.scales.zeros.get(row * self.scales.stride + run);
                let zero = v.isplat(zero.map_or(0, |&zero| zero as i32));
                let mut sums = [[v.splat(0.0); SUMS]; M];
                for vector in 0..RUN / V::N {
                    let value = element.load(v, &w[vector * V::N..(vector + 1) * V::N], zero);
                    for token in 0..M {
                        let input = v.load(&tokens[token][vector * floats..(vector + 1) * floats]);
                        let sum = &mut sums[token][vector % SUMS];
                        *sum = v.mul_add(value, input, *sum);
                    }
                }
                for token in 0..M {
                    let [a, b, c, d] = sums[token];
                    totals[row][token] =
                        v.mul_add(v.add(v.add(a, b), v.add(c, d)), scale, totals[row][token]);
                }
            }
        }
        add_lanes(v, totals)
    }
}

/// 4 bits, a scale for each run; the tokens are in the nibbles' order.
pub(super) struct Nibbles<'a, V: Lanes, const ZEROS: bool> {
    v: V,
    table: V::T,
    bytes: Bytes<'a>,
    scales: Scales<'a>,
}

impl<'a, V: Lanes, const ZEROS: bool> Nibbles<'a, V, ZEROS> {
    pub(super) fn new(v: V, values: &[f32; 16], part: Part<'a>, codes: &'a Codes<'a>) -> Self {
        let (weight, first) = (part.weight, part.first);
        let bytes = part.rows_of(weight.columns() / 2);
        let step = if weight.columns() == 4 * V::N { 1 } else { 8 * V::N / RUN };
        Nibbles { v, table: v.table(values), bytes, scales: Scales::new(weight, first, codes, step) }
    }
}

impl<V: Lanes, const ZEROS: bool> Nibbles<'_, V, ZEROS> {
    /// Two rows at once, of which each is half of a step; the tokens are there twice.
    #[inline(always)]
    fn halves<const R: usize, const M: usize>(&self, first: usize, x: [&[u8]; M]) -> [[f32; M]; R] {
        let (v, bytes) = (self.v, 4 * V::N);
        let mut totals = [[0.0; M]; R];
        for row in (0..R).step_by(2) {
            let codes = v.bits(v.load(self.bytes.vector(first + row, 0, bytes)));
            let scale = v.splat_halves(self.scales.scales[row], self.scales.scales[row + 1]);
            let zero = match ZEROS {
                true => v.splat_halves(self.scales.zeros[row], self.scales.zeros[row + 1]),
                false => v.splat(0.0),
            };
            let mut sums = [[v.splat(0.0); 2]; M];
            for place in 0..8 {
                let mut value = v.look_up_low(self.table, v.shr(codes, 4 * place as u32));
                if ZEROS {
                    value = v.sub(value, zero);
                }
                for token in 0..M {
                    let input = v.load(&x[token][place * bytes..(place + 1) * bytes]);
                    let sum = &mut sums[token][place % 2];
                    *sum = v.mul_add(value, input, *sum);
                }
            }
            for token in 0..M {
                let [even, odd] = sums[token];
                let [low, high] = v.sum_halves(v.mul(v.add(even, odd), scale));
                totals[row][token] = low;
                if row + 1 < R {
                    totals[row + 1][token] = high;
                }
            }
        }
        totals
    }
}

impl<V: Lanes, const ZEROS: bool> Product for Nibbles<'_, V, ZEROS> {
    #[inline(always)]
    fn together(&self) -> usize {
        if self.bytes.length < 1024 { 4 } else { 1 }
    }

    #[inline(always)]
    fn begin(&mut self, row: usize, count: usize) {
        self.scales.begin(row, count);
    }

    #[inline(always)]
    fn sums<const R: usize, const M: usize>(&self, first: usize, x: [&[u8]; M]) -> [[f32; M]; R] {
        let (v, bytes, runs) = (self.v, 4 * V::N, 8 * V::N / RUN);
        if 2 * self.bytes.length == bytes {
            return self.halves(first, x);
        }
        let (stride, length) = (self.scales.stride, self.bytes.length);
        let mut totals = [[v.splat(0.0); M]; R];
        for step in 0..length.div_ceil(bytes) {
            let at = step * bytes;
            self.bytes.prefetch::<V, R>(v, AHEAD_ALONE, first, at, bytes);
            let mut tokens: [&[u8]; M] = [&[]; M];
            for token in 0..M {
                tokens[token] = &x[token][8 * at..8 * (at + bytes)];
            }
            let mut codes = [v.isplat(0); R];
            let (mut scale, mut zero) = ([v.splat(0.0); R], [v.splat(0.0); R]);
            for row in 0..R {
                // what lies behind the row is multiplied with the zeros that fill up the token
                codes[row] = v.bits(v.load(self.bytes.vector(first + row, at, bytes)));
                let (low, high) = (row * stride + step * runs, row * stride + step * runs + runs - 1);
                scale[row] = v.splat_halves(self.scales.scales[low], self.scales.scales[high]);
                if ZEROS {
                    zero[row] = v.splat_halves(self.scales.zeros[low], self.scales.zeros[high]);
                }
            }
            let mut sums = [[[v.splat(0.0); 2]; M]; R];
            for place in 0..8 {
                let mut inputs = [v.splat(0.0); M];
                for token in 0..M {
                    inputs[token] = v.load(&tokens[token][place * bytes..(place + 1) * bytes]);
                }
                for row in 0..R {
                    let mut value = v.look_up_low(self.table, v.shr(codes[row], 4 * place as u32));
                    if ZEROS {
                        value = v.sub(value, zero[row]);
                    }
                    for token in 0..M {
                        let sum = &mut sums[row][token][place % 2];
                        *sum = v.mul_add(value, inputs[token], *sum);
                    }
                }
            }
            for row in 0..R {
                for token in 0..M {
                    let [even, odd] = sums[row][token];
                    totals[row][token] = v.mul_add(v.add(even, odd), scale[row], totals[row][token]);
                }
            }
        }
        add_lanes(v, totals)
    }
}

#[inline(always)]
fn add_lanes<V: Lanes, const R: usize, const M: usize>(v: V, totals: [[V::F; M]; R]) -> [[f32; M]; R] {
    let mut sums = [[0.0; M]; R];
    for row in 0..R {
        for token in 0..M {
            sums[row][token] = v.sum(totals[row][token]);
        }
    }
    sums
}
