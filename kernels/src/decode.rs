//! Read stored parts back to floats, any range of whole tiles at a time.

use crate::backend::{Backend, DequantizeCode4Op, DequantizeIntOp, NestedDecodeOp, Op};
use crate::error::expect_length;
use crate::format::code4::NESTED_BLOCK;
use crate::format::{Code4, Format, Int, IntBits, LayoutError, Role, ScaleDType};
use crate::groups::{CHUNK_MULTIPLE, Groups};
use crate::narrow::NARROW_F16;
use crate::scale::GroupCode;
use crate::{DType, KernelError, Layout, Source};
use std::fmt;
use std::ops::Range;

/// Why stored parts cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub enum DecodeError {
    /// The format cannot hold such a tensor.
    Layout(LayoutError),
    /// A part that the format has is not there.
    MissingPart(Role),
    /// A part's bytes do not fit the layout.
    PartLength {
        /// The part.
        role: Role,
        /// Bytes by the layout.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// `drop` stored nothing.
    Dropped,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Layout(error) => error.fmt(f),
            DecodeError::MissingPart(role) => write!(f, "the {role} are missing"),
            DecodeError::PartLength { role, expected, found } => {
                write!(f, "the {role} have {found} bytes, not {expected}")
            }
            DecodeError::Dropped => f.write_str("the tensor was dropped"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Decodes one tensor.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    layout: Layout,
    work: Work<'a>,
}

#[derive(Clone, Debug)]
enum Work<'a> {
    /// Stored floats (or integers, for `keep`).
    Values(DType),
    Int {
        int: Int,
        groups: Groups,
        scales: &'a [u8],
        zeros: &'a [u8],
        scattered: Vec<GroupCode>,
    },
    Code4 {
        code4: Code4,
        absmax: &'a [u8],
        nested: &'a [u8],
        offset: f32,
    },
}

impl<'a> Decoder<'a> {
    /// A decoder of a tensor of `shape` that was `source` before; `part` gives the bytes of the parts other than the
    /// first (codebooks are not asked for: the format fixes them).
    ///
    /// # Errors
    /// [`DecodeError`] when parts are missing or have other lengths than the layout says.
    pub fn new(
        format: &Format,
        shape: &[u64],
        source: DType,
        part: impl Fn(Role) -> Option<&'a [u8]>,
    ) -> Result<Decoder<'a>, DecodeError> {
        let layout = format.layout(shape, source).map_err(DecodeError::Layout)?;
        let bytes = |role: Role| -> Result<&'a [u8], DecodeError> {
            let Some(expected) = layout.part(role).map(|part| part.bytes) else { return Ok(&[]) };
            let bytes = part(role).ok_or(DecodeError::MissingPart(role))?;
            let found = bytes.len() as u64;
            if found == expected { Ok(bytes) } else { Err(DecodeError::PartLength { role, expected, found }) }
        };
        let work = match *format {
            Format::Drop => return Err(DecodeError::Dropped),
            Format::Keep => Work::Values(source),
            Format::Cast(cast) => Work::Values(cast.to()),
            Format::Int(int) => {
                let groups = int.groups(shape).map_err(DecodeError::Layout)?;
                let (scales, zeros) = (bytes(Role::Scales)?, bytes(Role::ZeroPoints)?);
                let scattered = if groups.is_contiguous() {
                    Vec::new()
                } else {
                    group_codes(&int, scales, zeros, 0..groups.axis as usize)
                };
                Work::Int { int, groups, scales, zeros, scattered }
            }
            Format::Code4(code4) => {
                let nested = bytes(Role::NestedAbsmax)?;
                let offset = match bytes(Role::NestedOffset)? {
                    &[a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
                    _ => 0.0,
                };
                Work::Code4 { code4, absmax: bytes(Role::Absmax)?, nested, offset }
            }
        };
        Ok(Decoder { layout, work })
    }

    /// The exact parts.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Byte range in the first part of `elements` elements from `start`, a multiple of [`CHUNK_MULTIPLE`].
    pub fn main_range(&self, start: u64, elements: u64) -> Range<u64> {
        let end = start + elements;
        match &self.work {
            Work::Values(dtype) => start * dtype.width()..end * dtype.width(),
            Work::Int { int, .. } if int.bits == IntBits::Eight => start..end,
            _ => start / 2..end.div_ceil(2),
        }
    }

    /// Decode `elements` elements from flat index `start`, a multiple of [`CHUNK_MULTIPLE`], out of `main`, the bytes of
    /// [`Decoder::main_range`], to `f32 f16 bf16` (casts to nearest even; `keep` and casts also to their own type).
    ///
    /// # Errors
    /// [`KernelError`]: lengths, alignment, or a value that `to` cannot hold.
    pub fn decode(
        &self,
        backend: &dyn Backend,
        start: u64,
        elements: usize,
        main: &[u8],
        to: DType,
        destination: &mut [u8],
    ) -> Result<(), KernelError> {
        if !start.is_multiple_of(CHUNK_MULTIPLE) {
            return Err(KernelError::Misaligned { index: start, multiple: CHUNK_MULTIPLE });
        }
        if start.saturating_add(elements as u64) > self.layout.elements {
            let found = start.saturating_add(elements as u64);
            return Err(KernelError::Length { what: "tensor", expected: self.layout.elements, found });
        }
        match &self.work {
            Work::Values(dtype) if *dtype == to => {
                expect_length("destination", main.len(), destination.len())?;
                destination.copy_from_slice(main);
                Ok(())
            }
            Work::Values(dtype) => {
                let source = Source::new(*dtype, main)?;
                let op =
                    crate::backend::CastOp { source, start, to, saturate: false, destination, stats: None };
                backend.run(Op::Cast(op))
            }
            Work::Int { int, groups, scales, zeros, scattered } => {
                let mut op = DequantizeIntOp {
                    codes: main,
                    start,
                    elements,
                    groups: *groups,
                    int: *int,
                    group_codes: scattered,
                    to,
                    destination,
                };
                if !groups.is_contiguous() || elements == 0 {
                    return backend.run(Op::DequantizeInt(op));
                }
                // only the groups of this range, renumbered from 0
                let first = start / groups.inner;
                let last = (start + elements as u64 - 1) / groups.inner;
                let codes = group_codes(int, scales, zeros, first as usize..last as usize + 1);
                op.groups = Groups::contiguous(codes.len() as u64, groups.inner);
                op.start = start - first * groups.inner;
                op.group_codes = &codes;
                backend.run(Op::DequantizeInt(op)).map_err(|error| error.shift(first * groups.inner, 0))
            }
            Work::Code4 { code4, absmax, nested, offset } => {
                let block = code4.block as usize;
                let first = (start / block as u64) as usize;
                let blocks = first..first + elements.div_ceil(block);
                let absmax = if code4.double {
                    absmax_of_nested(backend, absmax, nested, *offset, blocks)?
                } else {
                    floats(&absmax[blocks.start * 4..blocks.end * 4])
                };
                let kind = code4.kind;
                backend.run(Op::DequantizeCode4(DequantizeCode4Op {
                    codes: main,
                    start,
                    elements,
                    kind,
                    block,
                    absmax: &absmax,
                    to,
                    destination,
                }))
            }
        }
    }
}

fn absmax_of_nested(
    backend: &dyn Backend,
    codes: &[u8],
    nested: &[u8],
    offset: f32,
    blocks: Range<usize>,
) -> Result<Vec<f32>, KernelError> {
    let unit = NESTED_BLOCK as usize;
    let (first, end) = (blocks.start / unit, blocks.end.div_ceil(unit));
    let codes = &codes[first * unit..codes.len().min(end * unit)];
    let mut absmax = vec![0.0; codes.len()];
    let scales = floats(&nested[first * 4..end * 4]);
    backend.run(Op::NestedDecode(NestedDecodeOp { codes, scales: &scales, offset, absmax: &mut absmax }))?;
    absmax.truncate(blocks.end - first * unit);
    Ok(absmax.split_off(blocks.start - first * unit))
}

fn group_codes(int: &Int, scales: &[u8], zeros: &[u8], groups: Range<usize>) -> Vec<GroupCode> {
    let scale = |group: usize| match int.scale {
        ScaleDType::F32 => Source::f32(scales).weight(group),
        ScaleDType::F16 => {
            NARROW_F16.widen(u32::from(u16::from_le_bytes([scales[2 * group], scales[2 * group + 1]])))
        }
    };
    groups
        .map(|group| GroupCode {
            scale: scale(group),
            zero: zeros.get(group).copied().map_or(0, i32::from),
            low: f32::NEG_INFINITY,
            high: f32::INFINITY,
        })
        .collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / 4];
    Source::f32(bytes).copy_weights(&mut values);
    values
}
