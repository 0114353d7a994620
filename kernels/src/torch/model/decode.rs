//! Codes with scales, on the device, and what they stand for.

use crate::KernelError;
use crate::format::Pack;
use crate::format::code4::NESTED_BLOCK;
use crate::format::dynamic_map::DYNAMIC_MAP;
use crate::groups::Groups;
use tch::{Kind, Tensor};

/// Codes of a tensor: an element is `(value of its code - zero) × scale`, in f32.
#[derive(Debug)]
pub(super) struct Codes {
    /// `u8`, flat.
    pub(super) bytes: Tensor,
    pub(super) coding: Coding,
    pub(super) groups: Groups,
    pub(super) elements: i64,
    pub(super) scales: Scales,
    /// `u8`, one for each group.
    pub(super) zeros: Option<Tensor>,
}

#[derive(Debug)]
pub(super) enum Coding {
    Signed,
    Unsigned,
    /// Two codes in a byte. The table has both values of each byte, bit by bit as one f64, which halves the look-ups.
    Nibbles(Tensor),
}

#[derive(Debug)]
pub(super) enum Scales {
    /// f32 or f16.
    Plain(Tensor),
    /// Codes of a map, with an absmax for each 256 and an offset for all.
    Nested { codes: Tensor, map: Tensor, absmax: Tensor, offset: f64 },
}

impl Coding {
    /// For the value of each code, in this order in a byte.
    pub(super) fn nibbles(
        values: &[f32; 16],
        order: Pack,
        device: tch::Device,
    ) -> Result<Coding, KernelError> {
        let pair = |byte: usize| {
            let (low, high) = (values[byte & 15], values[byte >> 4]);
            if order == Pack::Low { [low, high] } else { [high, low] }
        };
        let table: Vec<f32> = (0..256).flat_map(pair).collect();
        Ok(Coding::Nibbles(Tensor::f_from_slice(&table)?.f_view_dtype(Kind::Double)?.f_to_device(device)?))
    }
}

impl Scales {
    /// Of this nested form.
    pub(super) fn nested(codes: Tensor, absmax: Tensor, offset: f32) -> Result<Scales, KernelError> {
        let map = Tensor::f_from_slice(&DYNAMIC_MAP)?.f_to_device(codes.device())?;
        Ok(Scales::Nested { codes, map, absmax, offset: f64::from(offset) })
    }

    /// One f32 for each group.
    fn all(&self) -> Result<Tensor, KernelError> {
        match self {
            Scales::Plain(scales) => Ok(scales.f_to_kind(Kind::Float)?),
            Scales::Nested { codes, map, absmax, offset } => {
                let values = map.f_index_select(0, &codes.f_to_kind(Kind::Int)?)?;
                let each = absmax.f_repeat_interleave_self_int(NESTED_BLOCK as i64, 0, None)?;
                let each = each.f_narrow(0, 0, codes.numel() as i64)?;
                Ok(values.f_mul(&each)?.f_add_scalar(*offset)?)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Scales::Plain(scales) => size(scales),
            Scales::Nested { codes, map, absmax, .. } => size(codes) + size(map) + size(absmax),
        }
    }
}

fn size(tensor: &Tensor) -> usize {
    tensor.numel() * tensor.f_kind().map_or(0, |kind| kind.elt_size_in_bytes())
}

impl Codes {
    /// The same arrays.
    pub(super) fn share(&self) -> Codes {
        Codes {
            bytes: self.bytes.shallow_clone(),
            coding: match &self.coding {
                Coding::Signed => Coding::Signed,
                Coding::Unsigned => Coding::Unsigned,
                Coding::Nibbles(table) => Coding::Nibbles(table.shallow_clone()),
            },
            groups: self.groups,
            elements: self.elements,
            scales: match &self.scales {
                Scales::Plain(scales) => Scales::Plain(scales.shallow_clone()),
                Scales::Nested { codes, map, absmax, offset } => Scales::Nested {
                    codes: codes.shallow_clone(),
                    map: map.shallow_clone(),
                    absmax: absmax.shallow_clone(),
                    offset: *offset,
                },
            },
            zeros: self.zeros.as_ref().map(Tensor::shallow_clone),
        }
    }

    /// Bytes on the device.
    pub(super) fn size(&self) -> usize {
        size(&self.bytes) + self.scales.bytes() + self.zeros.as_ref().map_or(0, size)
    }

    /// Values of codes as they lie in bytes.
    fn values(&self, bytes: &Tensor) -> Result<Tensor, KernelError> {
        Ok(match &self.coding {
            Coding::Signed => bytes.f_view_dtype(Kind::Int8)?.f_to_kind(Kind::Float)?,
            Coding::Unsigned => bytes.f_to_kind(Kind::Float)?,
            Coding::Nibbles(table) => {
                let places = bytes.f_flatten(0, -1)?.f_to_kind(Kind::Int)?;
                table.f_index_select(0, &places)?.f_view_dtype(Kind::Float)?
            }
        })
    }

    /// Values of the codes `start..end`, flat.
    fn range(&self, start: i64, end: i64) -> Result<Tensor, KernelError> {
        let each = if matches!(self.coding, Coding::Nibbles(_)) { 2 } else { 1 };
        let first = start / each;
        let bytes = self.bytes.f_narrow(0, first, (end + each - 1) / each - first)?;
        Ok(self.values(&bytes)?.f_narrow(0, start - first * each, end - start)?)
    }

    /// The elements `start..end` of the flat tensor.
    pub(super) fn decode(&self, start: i64, end: i64) -> Result<Tensor, KernelError> {
        let (axis, inner) = (self.groups.axis as i64, (self.groups.inner as i64).max(1));
        if end <= start {
            return self.range(start, start);
        }
        let scales = self.scales.all()?;
        let zeros = self.zeros.as_ref().map(|zeros| zeros.f_to_kind(Kind::Float)).transpose()?;
        let scaled = |values: Tensor, first: i64, count: i64, shape: &[i64]| -> Result<Tensor, KernelError> {
            let column = |of: &Tensor| -> Result<Tensor, KernelError> {
                Ok(of.f_narrow(0, first, count)?.f_reshape([count, 1])?)
            };
            let values = values.f_reshape(shape)?;
            let values = match &zeros {
                Some(zeros) => values.f_sub(&column(zeros)?)?,
                None => values,
            };
            Ok(values.f_mul(&column(&scales)?)?.f_reshape([-1])?)
        };
        if !self.groups.is_contiguous() && axis > 1 {
            // groups take turns: whole turns at once, of others all
            let turn = axis * inner;
            let whole = start % turn == 0 && end % turn == 0;
            let (from, to) = if whole { (start, end) } else { (0, self.elements) };
            let all = scaled(self.range(from, to)?, 0, axis, &[-1, axis, inner])?;
            return Ok(all.f_narrow(0, start - from, end - start)?);
        }
        if axis == 1 {
            return scaled(self.range(start, end)?, 0, 1, &[1, -1]);
        }
        // from the start of the first group on; the last one may be shorter
        let first = start / inner;
        let from = first * inner;
        let whole = end / inner - first;
        let mut parts = Vec::new();
        if whole > 0 {
            let values = self.range(from, from + whole * inner)?;
            parts.push(scaled(values, first, whole, &[whole, inner])?);
        }
        let rest = from + whole * inner;
        if rest < end {
            parts.push(scaled(self.range(rest, end)?, first + whole, 1, &[1, -1])?);
        }
        let all = if parts.len() == 1 { parts.remove(0) } else { Tensor::f_cat(&parts, 0)? };
        Ok(all.f_narrow(0, start - from, end - start)?)
    }

    /// Rows of `columns` elements: `ids`, flat, to `[ids, columns]`.
    pub(super) fn rows(&self, ids: &Tensor, columns: i64) -> Result<Tensor, KernelError> {
        let options = (Kind::Int64, ids.device());
        let places =
            ids.f_reshape([-1, 1])?.f_mul_scalar(columns)?.f_add(&Tensor::f_arange(columns, options)?)?;
        let values = match &self.coding {
            Coding::Nibbles(_) if columns % 2 == 0 => {
                let rows = self.bytes.f_narrow(0, 0, self.elements / 2)?.f_reshape([-1, columns / 2])?;
                self.values(&rows.f_index_select(0, ids)?)?
            }
            Coding::Nibbles(_) => {
                let flat = places.f_reshape([-1])?;
                let bytes = flat.f_bitwise_right_shift_tensor_scalar(1)?;
                let pairs = self.values(&self.bytes.f_index_select(0, &bytes)?)?.f_reshape([-1, 2])?;
                pairs.f_gather(1, &flat.f_bitwise_and(1)?.f_unsqueeze(1)?, false)?
            }
            _ => self.values(&self.bytes.f_reshape([-1, columns])?.f_index_select(0, ids)?)?,
        };
        let groups = places.f_div_scalar_mode((self.groups.inner as i64).max(1), "floor")?;
        let groups = groups.f_remainder((self.groups.axis as i64).max(1))?.f_reshape([-1])?;
        let values = values.f_reshape([-1])?;
        let values = match &self.zeros {
            Some(zeros) => values.f_sub(&zeros.f_index_select(0, &groups)?.f_to_kind(Kind::Float)?)?,
            None => values,
        };
        let scaled = values.f_mul(&self.scales.all()?.f_index_select(0, &groups)?)?;
        Ok(scaled.f_reshape([-1, columns])?)
    }
}
