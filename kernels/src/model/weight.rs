//! A matrix as a checkpoint or one of our formats stores it, borrowed.

use crate::cpu::lanes::{Kernel, Lanes};
use crate::decode::DecodeError;
use crate::error::expect_length;
use crate::format::code4::NESTED_BLOCK;
use crate::format::dynamic_map::DYNAMIC_MAP;
use crate::format::{Format, IntBits, LayoutError, Pack, Role, ScaleDType};
use crate::groups::Groups;
use crate::narrow::NARROW_F16;
use crate::{Cpu, DType, KernelError, Source};
use std::fmt;
use std::ops::Range;

/// Why stored parts are no weight.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightError {
    /// The parts do not fit the format and the shape.
    Parts(DecodeError),
    /// The tensor is stored as it is, and holds no floats.
    NotFloat(DType),
}

impl fmt::Display for WeightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WeightError::Parts(error) => error.fmt(f),
            WeightError::NotFloat(dtype) => write!(f, "a weight is of floats, and this one is {dtype}"),
        }
    }
}

impl std::error::Error for WeightError {}

/// A matrix `[rows, columns]`, row-major, in any storage format. Its bytes stay as they are: nothing is decoded before it is
/// used, and no more than a few rows at a time.
///
/// A tensor of more axes is a matrix of its last axis: a stack of experts `[E, out, in]` is `[E × out, in]`, of which
/// [`Weight::slice`] gives one expert. A vector is one row.
#[derive(Clone, Copy, Debug)]
pub struct Weight<'a> {
    rows: usize,
    columns: usize,
    /// Row of the stored tensor that is row 0 here.
    pub(crate) first: usize,
    pub(crate) stored: Stored<'a>,
}

/// How the elements of the whole tensor lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored<'a> {
    Floats(Source<'a>),
    Codes(Codes<'a>),
}

/// Codes with a scale for each group: an element is `(value of its code - zero) × scale`, in f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) coding: Coding,
    pub(crate) groups: Groups,
    pub(crate) scales: Scales<'a>,
    /// One for each group; empty when there are none.
    pub(crate) zeros: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Coding {
    Signed,
    Unsigned,
    /// Two codes in a byte, with the value of each.
    Nibbles {
        values: [f32; 16],
        order: Pack,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Scales<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    Nested { codes: &'a [u8], absmax: &'a [u8], offset: f32 },
}

impl<'a> Weight<'a> {
    /// The weight that `format` made of a tensor of this shape and element type, from its parts.
    ///
    /// The parts of bitsandbytes are the same arrays under other keys; its offset of nested absmax stands in a text, and
    /// is given here as the 4 bytes of an f32.
    ///
    /// # Errors
    /// [`WeightError`]: a part that is missing or has another length than [`Format::layout`] says.
    pub fn new(
        format: &Format,
        shape: &[u64],
        source: DType,
        part: impl Fn(Role) -> Option<&'a [u8]>,
    ) -> Result<Weight<'a>, WeightError> {
        let layout = format.layout(shape, source).map_err(DecodeError::Layout).map_err(WeightError::Parts)?;
        let bytes = |role: Role| -> Result<&'a [u8], WeightError> {
            let Some(expected) = layout.part(role).map(|part| part.bytes) else { return Ok(&[]) };
            let bytes = part(role).ok_or(WeightError::Parts(DecodeError::MissingPart(role)))?;
            let found = bytes.len() as u64;
            if found == expected {
                return Ok(bytes);
            }
            Err(WeightError::Parts(DecodeError::PartLength { role, expected, found }))
        };
        let floats = |dtype: DType| -> Result<Stored<'a>, WeightError> {
            let source =
                Source::new(dtype, bytes(Role::Values)?).map_err(|_| WeightError::NotFloat(dtype))?;
            Ok(Stored::Floats(source))
        };
        let stored = match *format {
            Format::Drop => return Err(WeightError::Parts(DecodeError::Dropped)),
            Format::Keep => floats(source)?,
            Format::Cast(cast) => floats(cast.to())?,
            Format::Int(int) => {
                let scales = bytes(Role::Scales)?;
                let values =
                    |code: u8| f32::from(if int.symmetric { ((code ^ 8) as i8) - 8 } else { code as i8 });
                let coding = match (int.bits, int.symmetric) {
                    (IntBits::Eight, true) => Coding::Signed,
                    (IntBits::Eight, false) => Coding::Unsigned,
                    (IntBits::Four, _) => Coding::Nibbles {
                        values: std::array::from_fn(|code| values(code as u8)),
                        order: int.pack,
                    },
                };
                Stored::Codes(Codes {
                    bytes: bytes(Role::Codes)?,
                    coding,
                    groups: int.groups(shape).map_err(DecodeError::Layout).map_err(WeightError::Parts)?,
                    scales: match int.scale {
                        ScaleDType::F32 => Scales::F32(scales),
                        ScaleDType::F16 => Scales::F16(scales),
                    },
                    zeros: bytes(Role::ZeroPoints)?,
                })
            }
            Format::Code4(code4) => {
                let absmax = bytes(Role::Absmax)?;
                let scales = match (code4.double, bytes(Role::NestedOffset)?) {
                    (true, &[a, b, c, d]) => Scales::Nested {
                        codes: absmax,
                        absmax: bytes(Role::NestedAbsmax)?,
                        offset: f32::from_le_bytes([a, b, c, d]),
                    },
                    _ => Scales::F32(absmax),
                };
                let block = u64::from(code4.block);
                Stored::Codes(Codes {
                    bytes: bytes(Role::Codes)?,
                    coding: Coding::Nibbles { values: code4.kind.codebook(), order: Pack::High },
                    groups: Groups::contiguous(layout.elements.div_ceil(block), block),
                    scales,
                    zeros: &[],
                })
            }
        };
        let too_large = || LayoutError::Overflow { shape: shape.to_vec() };
        let size = |axis: u64| {
            usize::try_from(axis).map_err(|_| WeightError::Parts(DecodeError::Layout(too_large())))
        };
        let (last, front) = shape.split_last().map_or((1, shape), |(last, front)| (*last, front));
        let rows = front.iter().try_fold(1u64, |rows, axis| rows.checked_mul(*axis));
        let rows = size(rows.ok_or_else(|| WeightError::Parts(DecodeError::Layout(too_large())))?)?;
        Ok(Weight { rows, columns: size(last)?, first: 0, stored })
    }

    /// `[rows, columns]` of f32 in memory.
    ///
    /// # Errors
    /// [`KernelError::Length`] when there are more or fewer values.
    pub fn dense(values: &'a [f32], rows: usize, columns: usize) -> Result<Weight<'a>, KernelError> {
        let elements = super::product_of("weight", rows, columns)?;
        expect_length("weight", elements, values.len())?;
        Ok(Weight { rows, columns, first: 0, stored: Stored::Floats(Source::f32(super::bytes_of(values))) })
    }

    /// Rows: the outputs of a linear layer, the entries of an embedding.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: the inputs of a linear layer, the width of an embedding.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Some of the rows.
    ///
    /// # Errors
    /// [`KernelError::Length`] when the matrix has no such rows.
    pub fn slice(&self, rows: Range<usize>) -> Result<Weight<'a>, KernelError> {
        if rows.start > rows.end || rows.end > self.rows {
            let (expected, found) = (self.rows as u64, rows.end as u64);
            return Err(KernelError::Length { what: "rows of the weight", expected, found });
        }
        Ok(Weight { rows: rows.len(), first: self.first + rows.start, ..*self })
    }

    /// Flat index in the stored tensor of the first element of a row.
    pub(super) fn start(&self, row: usize) -> usize {
        (self.first + row) * self.columns
    }

    /// Bytes of the codes or values of one row, about.
    pub(super) fn row_bytes(&self) -> usize {
        match &self.stored {
            Stored::Floats(source) => self.columns * source.dtype().width() as usize,
            Stored::Codes(codes) => match codes.coding {
                Coding::Nibbles { .. } => self.columns / 2,
                _ => self.columns,
            },
        }
    }

    /// The elements of neighbouring rows in f32, into as many places.
    ///
    /// # Errors
    /// [`KernelError::Length`].
    pub fn decode(&self, cpu: &Cpu, rows: Range<usize>, values: &mut [f32]) -> Result<(), KernelError> {
        let part = self.slice(rows)?;
        expect_length("decoded rows", part.rows * part.columns, values.len())?;
        if values.is_empty() {
            return Ok(());
        }
        let start = part.start(0);
        match &part.stored {
            Stored::Floats(source) => source.slice(start, start + values.len()).copy_weights(values),
            Stored::Codes(codes) => {
                if cpu.vector(Decode { codes, start, values }).is_none() {
                    codes.decode(start, values);
                }
            }
        }
        Ok(())
    }
}

impl Codes<'_> {
    /// The scale of a group.
    #[inline(always)]
    pub(super) fn scale(&self, group: usize) -> f32 {
        match self.scales {
            Scales::F32(bytes) => f32_at(bytes, group),
            Scales::F16(bytes) => {
                NARROW_F16.widen(u32::from(u16::from_le_bytes([bytes[2 * group], bytes[2 * group + 1]])))
            }
            Scales::Nested { codes, absmax, offset } => {
                let nested = f32_at(absmax, group / NESTED_BLOCK as usize);
                DYNAMIC_MAP[usize::from(codes[group])] * nested + offset
            }
        }
    }

    /// The zero point of a group.
    #[inline(always)]
    pub(super) fn zero(&self, group: usize) -> f32 {
        self.zeros.get(group).map_or(0.0, |&zero| f32::from(zero))
    }

    /// The scales of neighbouring groups.
    #[inline(always)]
    pub(super) fn scales(&self, first: usize, scales: &mut [f32]) {
        match self.scales {
            Scales::F32(bytes) => {
                let four = bytes[4 * first..4 * (first + scales.len())].as_chunks::<4>().0;
                scales.iter_mut().zip(four).for_each(|(scale, four)| *scale = f32::from_le_bytes(*four));
            }
            Scales::F16(_) => {
                scales.iter_mut().zip(first..).for_each(|(scale, group)| *scale = self.scale(group));
            }
            Scales::Nested { codes, absmax, offset } => {
                let (mut group, mut scales) = (first, scales);
                while !scales.is_empty() {
                    let block = group / NESTED_BLOCK as usize;
                    let count = scales.len().min((block + 1) * NESTED_BLOCK as usize - group);
                    let (now, later) = scales.split_at_mut(count);
                    let nested = f32_at(absmax, block);
                    for (scale, code) in now.iter_mut().zip(&codes[group..group + count]) {
                        *scale = DYNAMIC_MAP[usize::from(*code)] * nested + offset;
                    }
                    (group, scales) = (group + count, later);
                }
            }
        }
    }

    pub(super) const fn has_zeros(&self) -> bool {
        !self.zeros.is_empty()
    }

    /// Elements from a flat index on.
    #[inline(always)]
    fn decode(&self, start: usize, values: &mut [f32]) {
        for run in self.groups.runs(start as u64, values.len()) {
            let (scale, zero) = (self.scale(run.group), self.zero(run.group));
            let (from, out) = (start + run.offset, &mut values[run.offset..run.offset + run.length]);
            match &self.coding {
                Coding::Signed => {
                    let codes = &self.bytes[from..from + out.len()];
                    out.iter_mut().zip(codes).for_each(|(out, &code)| *out = f32::from(code as i8) * scale);
                }
                Coding::Unsigned => {
                    let codes = &self.bytes[from..from + out.len()];
                    out.iter_mut()
                        .zip(codes)
                        .for_each(|(out, &code)| *out = (f32::from(code) - zero) * scale);
                }
                Coding::Nibbles { values, order } => {
                    for (index, out) in out.iter_mut().enumerate() {
                        *out = (values[nibble(self.bytes, *order, from + index)] - zero) * scale;
                    }
                }
            }
        }
    }
}

/// Element `index` of stored f32.
#[inline(always)]
fn f32_at(bytes: &[u8], index: usize) -> f32 {
    let four = &bytes[4 * index..4 * index + 4];
    f32::from_le_bytes([four[0], four[1], four[2], four[3]])
}

/// Code `index` of packed ones.
#[inline(always)]
pub(super) fn nibble(bytes: &[u8], order: Pack, index: usize) -> usize {
    let high = (index % 2 == 1) == (order == Pack::Low);
    usize::from(if high { bytes[index / 2] >> 4 } else { bytes[index / 2] & 15 })
}

/// [`Codes::decode`] with vectors.
struct Decode<'a, 'b> {
    codes: &'b Codes<'a>,
    start: usize,
    values: &'b mut [f32],
}

impl Kernel for Decode<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        let Decode { codes, start, values } = self;
        let Coding::Nibbles { values: book, order } = codes.coding else {
            return codes.decode(start, values);
        };
        let table = v.table(&book);
        let mut unpacked = [0u8; 256];
        for run in codes.groups.runs(start as u64, values.len()) {
            let (scale, zero) = (v.splat(codes.scale(run.group)), v.splat(codes.zero(run.group)));
            let out = &mut values[run.offset..run.offset + run.length];
            let mut from = start + run.offset;
            for out in out.chunks_mut(unpacked.len()) {
                let vectors = out.len() / V::N * V::N;
                if from % 2 == 0 {
                    let pairs = unpacked[..vectors].as_chunks_mut::<2>().0;
                    let (low, high) = if order == Pack::Low { (0, 1) } else { (1, 0) };
                    for (pair, byte) in pairs.iter_mut().zip(&codes.bytes[from / 2..]) {
                        pair[low] = byte & 15;
                        pair[high] = byte >> 4;
                    }
                } else {
                    for (index, code) in unpacked[..vectors].iter_mut().enumerate() {
                        *code = nibble(codes.bytes, order, from + index) as u8;
                    }
                }
                let length = out.len();
                let (whole, rest) = out.split_at_mut(vectors);
                for (out, codes) in whole.chunks_exact_mut(V::N).zip(unpacked.chunks_exact(V::N)) {
                    let value = v.mul(v.sub(v.look_up(table, v.load_u8(codes)), zero), scale);
                    v.store(value, super::bytes_of_mut(out));
                }
                codes.decode(from + vectors, rest);
                from += length;
            }
        }
    }
}
