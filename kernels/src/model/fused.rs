//! Products with few tokens: rows of a weight as they are stored, decoded in registers and multiplied at once.
//!
//! Vector i of a row is added to partial sum i mod 4. Elements with one scale in a row are scaled at its end; others in runs of
//! 64, whose sum is scaled and added to that of the row.

use super::parallel::Shared;
use super::weight::{Codes, Coding, Stored, Weight};
use crate::DType;
use crate::cpu::lanes::{Kernel, Lanes};
use crate::format::Pack;
use std::borrow::Cow;
use std::ops::Range;

/// Elements that have one scale in every layout that is not decoded first.
const RUN: usize = 64;
/// Partial sums, so that a multiplication need not wait for the one before.
const SUMS: usize = 4;

/// How a weight is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A scale for a row at most.
    Straight,
    /// 8 bits, a scale for each run.
    Runs,
    /// 4 bits, a scale for each run.
    Nibbles,
    /// A layout that is decoded to f32 first.
    Decoded,
}

pub(super) fn way(weight: &Weight<'_>) -> Way {
    let columns = weight.columns() as u64;
    match &weight.stored {
        Stored::Floats(source) => match source.dtype() {
            DType::F32 | DType::F16 | DType::Bf16 => Way::Straight,
            _ => Way::Decoded,
        },
        Stored::Codes(codes) => {
            let inner = codes.groups.inner;
            let runs = columns.is_multiple_of(RUN as u64) && inner.is_multiple_of(RUN as u64);
            match codes.coding {
                Coding::Nibbles { .. } if runs => Way::Nibbles,
                Coding::Nibbles { .. } => Way::Decoded,
                _ if inner.is_multiple_of(columns.max(1)) => Way::Straight,
                _ if runs => Way::Runs,
                _ => Way::Decoded,
            }
        }
    }
}

/// The tokens, each filled up with zeros to whole vectors, and in the order in which a weight's nibbles come.
pub(super) struct Inputs<'a> {
    values: Cow<'a, [f32]>,
    stride: usize,
    tokens: usize,
}

/// Makes [`Inputs`].
pub(super) struct Prepare<'a> {
    pub(super) x: &'a [f32],
    pub(super) weight: Weight<'a>,
    pub(super) tokens: usize,
}

impl<'a> Kernel for Prepare<'a> {
    type Output = Inputs<'a>;

    #[inline(always)]
    fn with<V: Lanes>(self, _: V) -> Inputs<'a> {
        let Prepare { x, weight, tokens } = self;
        let columns = weight.columns();
        let order = match &weight.stored {
            Stored::Codes(Codes { coding: Coding::Nibbles { order, .. }, .. }) => Some(*order),
            _ => None,
        };
        let Some(order) = order.filter(|_| way(&weight) == Way::Nibbles) else {
            let stride = columns.next_multiple_of(V::N);
            if stride == columns {
                return Inputs { values: Cow::Borrowed(x), stride, tokens };
            }
            let mut values = vec![0.0; stride * tokens];
            let rows = values.chunks_exact_mut(stride).zip(x.chunks_exact(columns));
            rows.for_each(|(to, from)| to[..columns].copy_from_slice(from));
            return Inputs { values: Cow::Owned(values), stride, tokens };
        };
        // dword l of a step holds elements 8 l to 8 l + 7, nibble k the one that is added with the others of number k
        let stride = columns.next_multiple_of(8 * V::N);
        let flip = if order == Pack::High { 1 } else { 0 };
        let mut values = vec![0.0; stride * tokens];
        for (to, from) in values.chunks_exact_mut(stride).zip(x.chunks_exact(columns)) {
            for (to, from) in to.chunks_exact_mut(8 * V::N).zip(from.chunks(8 * V::N)) {
                for (lane, eight) in from.chunks_exact(8).enumerate() {
                    for (place, &value) in eight.iter().enumerate() {
                        to[(place ^ flip) * V::N + lane] = value;
                    }
                }
            }
        }
        Inputs { values: Cow::Owned(values), stride, tokens }
    }
}

/// Some rows of a weight times every token: `y[t, row] = Σ x[t, i] w[row, i] + bias[row]`.
pub(super) struct Rows<'a> {
    pub(super) weight: &'a Weight<'a>,
    /// Rows of the weight.
    pub(super) rows: Range<usize>,
    pub(super) x: &'a Inputs<'a>,
    /// One for each of the rows.
    pub(super) bias: Option<&'a [f32]>,
    pub(super) y: &'a Shared<'a>,
    /// Where in `y` the first of the rows goes, and how far it is from token to token.
    pub(super) at: usize,
    pub(super) stride: usize,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        match &self.weight.stored {
            Stored::Floats(source) => match source.dtype() {
                DType::F32 => self.straight(v, F32, source.bytes()),
                DType::F16 => self.straight(v, F16, source.bytes()),
                _ => self.straight(v, Bf16, source.bytes()),
            },
            Stored::Codes(codes) => match (codes.coding, way(self.weight)) {
                (Coding::Signed, Way::Straight) => self.straight(v, Signed, codes.bytes),
                (Coding::Unsigned, Way::Straight) => self.straight(v, Unsigned, codes.bytes),
                (Coding::Signed, _) => self.runs(v, Signed, codes),
                (Coding::Unsigned, _) => self.runs(v, Unsigned, codes),
                (Coding::Nibbles { values, .. }, _) if codes.has_zeros() => {
                    self.nibbles::<V, true>(v, &values, codes);
                }
                (Coding::Nibbles { values, .. }, _) => self.nibbles::<V, false>(v, &values, codes),
            },
        }
    }
}

/// How the elements of a row become floats.
trait Element: Copy {
    const WIDTH: usize;
    /// N elements.
    fn load<V: Lanes>(self, v: V, bytes: &[u8], zero: V::I) -> V::F;
}

macro_rules! element {
    ($name:ident, $width:literal, |$v:ident, $bytes:ident, $zero:ident| $load:expr) => {
        #[derive(Clone, Copy)]
        struct $name;
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

/// Calls a function for blocks of as many tokens as have room in registers.
macro_rules! by_tokens {
    ($self:ident, $lanes:ident, $row:ident, |$tokens:ident| $sums:expr) => {{
        let mut token = 0;
        if $lanes::N == 16 {
            while token + 4 <= $self.x.tokens {
                let $tokens: [&[u8]; 4] = $self.x.take(token);
                $self.put($row, token, $sums);
                token += 4;
            }
        }
        while token + 2 <= $self.x.tokens {
            let $tokens: [&[u8]; 2] = $self.x.take(token);
            $self.put($row, token, $sums);
            token += 2;
        }
        if token < $self.x.tokens {
            let $tokens: [&[u8]; 1] = $self.x.take(token);
            $self.put($row, token, $sums);
        }
    }};
}

impl Inputs<'_> {
    #[inline(always)]
    fn take<const M: usize>(&self, token: usize) -> [&[u8]; M] {
        let mut tokens: [&[u8]; M] = [&[]; M];
        for (number, place) in tokens.iter_mut().enumerate() {
            let start = (token + number) * self.stride;
            *place = super::bytes_of(&self.values[start..start + self.stride]);
        }
        tokens
    }
}

impl Rows<'_> {
    /// The sums of a row with some tokens.
    #[inline(always)]
    fn put<const M: usize>(&self, row: usize, token: usize, sums: [f32; M]) {
        for (number, sum) in sums.into_iter().enumerate() {
            let sum = self.bias.map_or(sum, |bias| sum + bias[row]);
            // SAFETY: the elements of these rows are this piece's alone.
            unsafe { self.y.set(self.at + (token + number) * self.stride + row, sum) };
        }
    }

    #[inline(always)]
    fn straight<V: Lanes, E: Element>(&self, v: V, element: E, bytes: &[u8]) {
        let length = self.weight.columns() * E::WIDTH;
        for row in 0..self.rows.len() {
            let start = self.weight.start(self.rows.start + row);
            let (scale, zero) = match &self.weight.stored {
                Stored::Codes(codes) => {
                    let group = codes.groups.group_of(start as u64) as usize;
                    (codes.scale(group), codes.zero(group))
                }
                Stored::Floats(_) => (1.0, 0.0),
            };
            let (zero, w) = (v.isplat(zero as i32), &bytes[start * E::WIDTH..start * E::WIDTH + length]);
            by_tokens!(self, V, row, |tokens| {
                let mut sums = dot(v, element, w, zero, tokens);
                for sum in &mut sums {
                    *sum *= scale;
                }
                sums
            });
        }
    }

    #[inline(always)]
    fn runs<V: Lanes, E: Element>(&self, v: V, element: E, codes: &Codes<'_>) {
        let columns = self.weight.columns();
        let mut scales = vec![(0.0, 0.0); columns / RUN];
        for row in 0..self.rows.len() {
            let start = self.weight.start(self.rows.start + row);
            codes.scales_of_runs(start, &mut scales);
            let w = &codes.bytes[start..start + columns];
            by_tokens!(self, V, row, |tokens| dot_of_runs(v, element, w, &scales, tokens));
        }
    }

    #[inline(always)]
    fn nibbles<V: Lanes, const ZEROS: bool>(&self, v: V, values: &[f32; 16], codes: &Codes<'_>) {
        let columns = self.weight.columns();
        let table = v.table(values);
        // one more, of scale 0, where the last step is half of one
        let mut scales = vec![(0.0, 0.0); columns / RUN + 1];
        for row in 0..self.rows.len() {
            let start = self.weight.start(self.rows.start + row);
            codes.scales_of_runs(start, &mut scales[..columns / RUN]);
            let w = &codes.bytes[start / 2..(start + columns) / 2];
            by_tokens!(self, V, row, |tokens| dot_of_nibbles::<V, ZEROS, _>(v, table, w, &scales, tokens));
        }
    }
}

impl Codes<'_> {
    /// Scale and zero point of each run from a flat index on, which is a multiple of their length, as are groups.
    #[inline(always)]
    fn scales_of_runs(&self, start: usize, scales: &mut [(f32, f32)]) {
        let (length, groups) = (self.groups.inner as usize / RUN, self.groups.axis as usize);
        let (mut group, mut within) = (start / RUN / length % groups, start / RUN % length);
        let mut code = (self.scale(group), self.zero(group));
        for place in scales {
            if within == length {
                group = if group + 1 == groups { 0 } else { group + 1 };
                within = 0;
                code = (self.scale(group), self.zero(group));
            }
            *place = code;
            within += 1;
        }
    }
}

/// The product of a row with some tokens, before any scale.
#[inline(always)]
fn dot<V: Lanes, E: Element, const M: usize>(
    v: V,
    element: E,
    w: &[u8],
    zero: V::I,
    x: [&[u8]; M],
) -> [f32; M] {
    let (vector, floats) = (V::N * E::WIDTH, 4 * V::N);
    let mut sums = [[v.splat(0.0); SUMS]; M];
    let pieces = w.chunks_exact(SUMS * vector);
    let rest = pieces.remainder();
    let mut at = 0;
    for w in pieces {
        for part in 0..SUMS {
            let value = element.load(v, &w[part * vector..(part + 1) * vector], zero);
            for token in 0..M {
                let x = &x[token][at + part * floats..at + (part + 1) * floats];
                sums[token][part] = v.mul_add(value, v.load(x), sums[token][part]);
            }
        }
        at += SUMS * floats;
    }
    let mut part = 0;
    let mut filled = [0u8; 64];
    for w in rest.chunks(vector) {
        let w = if w.len() == vector {
            w
        } else {
            filled[..w.len()].copy_from_slice(w);
            &filled[..vector]
        };
        let value = element.load(v, w, zero);
        for token in 0..M {
            sums[token][part] = v.mul_add(value, v.load(&x[token][at..at + floats]), sums[token][part]);
        }
        part += 1;
        at += floats;
    }
    let mut totals = [0.0; M];
    for token in 0..M {
        let [a, b, c, d] = sums[token];
        totals[token] = v.sum(v.add(v.add(a, b), v.add(c, d)));
    }
    totals
}

/// The product of a row of runs with some tokens.
#[inline(always)]
fn dot_of_runs<V: Lanes, E: Element, const M: usize>(
    v: V,
    element: E,
    w: &[u8],
    scales: &[(f32, f32)],
    x: [&[u8]; M],
) -> [f32; M] {
    let mut totals = [v.splat(0.0); M];
    for (run, (w, &(scale, zero))) in w.chunks_exact(RUN).zip(scales).enumerate() {
        let (scale, zero) = (v.splat(scale), v.isplat(zero as i32));
        let mut sums = [[v.splat(0.0); SUMS]; M];
        for (part, w) in w.chunks_exact(V::N).enumerate() {
            let value = element.load(v, w, zero);
            let at = 4 * (run * RUN + part * V::N);
            for token in 0..M {
                let sum = &mut sums[token][part % SUMS];
                *sum = v.mul_add(value, v.load(&x[token][at..at + 4 * V::N]), *sum);
            }
        }
        for token in 0..M {
            let [a, b, c, d] = sums[token];
            totals[token] = v.mul_add(v.add(v.add(a, b), v.add(c, d)), scale, totals[token]);
        }
    }
    let mut sums = [0.0; M];
    for token in 0..M {
        sums[token] = v.sum(totals[token]);
    }
    sums
}

/// The product of a row of nibbles with some tokens, which are in the nibbles' order.
#[inline(always)]
fn dot_of_nibbles<V: Lanes, const ZEROS: bool, const M: usize>(
    v: V,
    table: V::T,
    w: &[u8],
    scales: &[(f32, f32)],
    x: [&[u8]; M],
) -> [f32; M] {
    let (bytes, runs) = (4 * V::N, 8 * V::N / RUN);
    let mut totals = [v.splat(0.0); M];
    let mut filled = [0u8; 64];
    for (step, w) in w.chunks(bytes).enumerate() {
        let w = if w.len() == bytes {
            w
        } else {
            filled[..w.len()].copy_from_slice(w);
            &filled[..bytes]
        };
        let (low, high) = (scales[step * runs], scales[step * runs + runs - 1]);
        let (scale, zero) = (v.splat_halves(low.0, high.0), v.splat_halves(low.1, high.1));
        let codes = v.bits(v.load(w));
        let mut sums = [[v.splat(0.0); 2]; M];
        for place in 0..8 {
            let mut value = v.look_up_low(table, v.shr(codes, 4 * place as u32));
            if ZEROS {
                value = v.sub(value, zero);
            }
            let at = (step * 8 + place) * bytes;
            for token in 0..M {
                let sum = &mut sums[token][place % 2];
                *sum = v.mul_add(value, v.load(&x[token][at..at + bytes]), *sum);
            }
        }
        for token in 0..M {
            totals[token] = v.mul_add(v.add(sums[token][0], sums[token][1]), scale, totals[token]);
        }
    }
    let mut sums = [0.0; M];
    for token in 0..M {
        sums[token] = v.sum(totals[token]);
    }
    sums
}
