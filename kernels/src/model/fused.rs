//! Products with few tokens: rows of a weight as they are stored, decoded in registers and multiplied at once ([`super::dots`]).

use super::dots::{Bf16, F16, F32, Nibbles, Part, Product, RUN, Runs, Signed, Straight, Unsigned};
use super::parallel::Shared;
use super::weight::{Codes, Coding, Stored, Weight};
use crate::DType;
use crate::cpu::lanes::{Kernel, Lanes};
use crate::format::Pack;
use std::borrow::Cow;
use std::ops::Range;

/// Bytes that are copied in no time.
const LITTLE: usize = 1 << 12;

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
                if columns == 4 * V::N {
                    // half of a step: two rows are multiplied at once
                    to.chunks_exact_mut(V::N).for_each(|place| place.copy_within(..V::N / 2, V::N / 2));
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

    /// Vectors are loaded whole, so the last one of a row may reach into the next rows. Rows at the end of a weight, where it
    /// would reach beyond, are copied first.
    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        let (bytes, length) = self.bytes();
        let rows = self.rows.len();
        let reach = length.next_multiple_of(4 * V::N) - length;
        let lacking = (rows * length + reach).saturating_sub(bytes.len());
        let whole = match lacking {
            0 => rows,
            // a few are copied sooner than taken apart
            _ if rows * length <= LITTLE => 0,
            _ => rows.saturating_sub(lacking.div_ceil(length)) / 4 * 4,
        };
        let mut last = Vec::new();
        if whole < rows {
            last.reserve_exact((rows - whole) * length + reach);
            last.extend_from_slice(&bytes[whole * length..rows * length]);
            last.resize(last.len() + reach, 0);
        }
        for (first, count, bytes) in [(0, whole, bytes), (whole, rows - whole, &last[..])] {
            self.some::<V>(v, self.rows.start + first..self.rows.start + first + count, bytes);
        }
    }
}

impl Rows<'_> {
    /// The bytes of the weight from the first of the rows on, and how many a row has.
    fn bytes(&self) -> (&[u8], usize) {
        let (start, columns) = (self.weight.start(self.rows.start), self.weight.columns());
        match &self.weight.stored {
            Stored::Floats(source) => {
                let width = source.dtype().width() as usize;
                (&source.bytes()[start * width..], columns * width)
            }
            Stored::Codes(Codes { coding: Coding::Nibbles { .. }, bytes, .. }) => {
                (&bytes[start / 2..], columns / 2)
            }
            Stored::Codes(Codes { bytes, .. }) => (&bytes[start..], columns),
        }
    }

    /// Some of the rows, whose bytes begin with `bytes`.
    #[inline(always)]
    fn some<V: Lanes>(&self, v: V, rows: Range<usize>, bytes: &[u8]) {
        let weight = self.weight;
        let part = Part { weight, first: rows.start, bytes };
        match &weight.stored {
            Stored::Floats(source) => match source.dtype() {
                DType::F32 => self.drive::<V, _>(rows, Straight::floats(v, F32, part)),
                DType::F16 => self.drive::<V, _>(rows, Straight::floats(v, F16, part)),
                _ => self.drive::<V, _>(rows, Straight::floats(v, Bf16, part)),
            },
            Stored::Codes(codes) => match (codes.coding, way(weight)) {
                (Coding::Signed, Way::Straight) => {
                    self.drive::<V, _>(rows, Straight::codes(v, Signed, part, codes));
                }
                (Coding::Unsigned, Way::Straight) => {
                    self.drive::<V, _>(rows, Straight::codes(v, Unsigned, part, codes));
                }
                (Coding::Signed, _) => self.drive::<V, _>(rows, Runs::new(v, Signed, part, codes)),
                (Coding::Unsigned, _) => self.drive::<V, _>(rows, Runs::new(v, Unsigned, part, codes)),
                (Coding::Nibbles { values, .. }, _) if codes.has_zeros() => {
                    self.drive::<V, _>(rows, Nibbles::<V, true>::new(v, &values, part, codes));
                }
                (Coding::Nibbles { values, .. }, _) => {
                    self.drive::<V, _>(rows, Nibbles::<V, false>::new(v, &values, part, codes));
                }
            },
        }
    }
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
    /// Several rows with one token, so that its values are loaded once for all, or several tokens with one row, so that it is
    /// decoded once: as many as there are registers for.
    #[inline(always)]
    fn drive<V: Lanes, P: Product>(&self, rows: Range<usize>, mut product: P) {
        let (count, tokens) = (rows.len(), self.x.tokens);
        let first = rows.start - self.rows.start;
        let mut row = 0;
        if tokens == 1 {
            if V::ROOMY && product.together() >= 4 {
                while row + 4 <= count {
                    product.begin(row, 4);
                    self.put(first + row, 0, product.sums::<4, 1>(row, self.x.take(0)));
                    row += 4;
                }
            }
            while product.together() >= 2 && row + 2 <= count {
                product.begin(row, 2);
                self.put(first + row, 0, product.sums::<2, 1>(row, self.x.take(0)));
                row += 2;
            }
        }
        while row < count {
            product.begin(row, 1);
            let mut token = 0;
            if V::ROOMY {
                while token + 4 <= tokens {
                    self.put(first + row, token, product.sums::<1, 4>(row, self.x.take(token)));
                    token += 4;
                }
            }
            while token + 2 <= tokens {
                self.put(first + row, token, product.sums::<1, 2>(row, self.x.take(token)));
                token += 2;
            }
            if token < tokens {
                self.put(first + row, token, product.sums::<1, 1>(row, self.x.take(token)));
            }
            row += 1;
        }
    }

    /// The sums of some rows with some tokens.
    #[inline(always)]
    fn put<const R: usize, const M: usize>(&self, first: usize, token: usize, sums: [[f32; M]; R]) {
        for (row, sums) in sums.into_iter().enumerate() {
            let row = first + row;
            for (number, sum) in sums.into_iter().enumerate() {
                let sum = self.bias.map_or(sum, |bias| sum + bias[row]);
                // SAFETY: the elements of these rows are this piece's alone.
                unsafe { self.y.set(self.at + (token + number) * self.stride + row, sum) };
            }
        }
    }
}
