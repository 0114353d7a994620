//! A weight on a device.

use super::decode::{Codes, Coding, Scales};
use super::value::sizes;
use super::{InputSteps, TorchRuntime, TorchValue};
use crate::format::{Format, IntBits, Layout, Pack, Role, ScaleDType};
use crate::groups::Groups;
use crate::torch::tensors::kind;
use crate::{DType, KernelError};
use std::ops::Range;
use tch::{Kind, Tensor};

/// A tensor of a checkpoint on a device: as it is stored, and decoded to f32 each time that it is used; or values, which may
/// have gradients. Vectors are decoded when they come.
#[derive(Debug)]
pub struct TorchWeight {
    shape: Vec<i64>,
    held: Held,
    /// How inputs of products with it are rounded; `None`: not at all.
    inputs: Option<InputSteps>,
}

#[derive(Debug)]
enum Held {
    /// Of the whole shape, floats of any width.
    Values(Tensor),
    Codes(Codes),
}

impl Clone for TorchWeight {
    /// Copies no numbers.
    fn clone(&self) -> TorchWeight {
        let held = match &self.held {
            Held::Values(values) => Held::Values(values.shallow_clone()),
            Held::Codes(codes) => Held::Codes(codes.share()),
        };
        TorchWeight { shape: self.shape.clone(), held, inputs: self.inputs }
    }
}

impl TorchWeight {
    /// Values in f32: constants, a leaf of [`TorchValue::leaf`], or what was computed from one.
    pub fn values(values: TorchValue) -> TorchWeight {
        TorchWeight { shape: values.0.size(), held: Held::Values(values.0), inputs: None }
    }

    /// What `format` made of a tensor of this shape and element type, from its parts, which are copied to the device. Parts are
    /// those of [`Format::layout`]; the offset of nested absmax is the 4 bytes of an f32.
    ///
    /// # Errors
    /// A part that is missing or has another length than the layout says; elements that are no floats; [`KernelError::Device`].
    pub fn stored<'a>(
        runtime: &TorchRuntime,
        format: &Format,
        shape: &[u64],
        source: DType,
        part: impl Fn(Role) -> Option<&'a [u8]>,
    ) -> Result<TorchWeight, KernelError> {
        let malformed = |_| KernelError::Malformed { what: "the format does not fit the shape" };
        let layout = format.layout(shape, source).map_err(malformed)?;
        let parts = Parts { runtime, layout: &layout, part: &part };
        let extents: Vec<i64> = shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect();
        let elements = layout.elements as i64;
        let floats = |dtype: DType| -> Result<Held, KernelError> {
            if !dtype.is_float() {
                return Err(KernelError::UnsupportedDType { dtype });
            }
            Ok(Held::Values(parts.tensor(Role::Values, dtype)?.f_reshape(&extents)?))
        };
        let held = match *format {
            Format::Drop => return Err(KernelError::Malformed { what: "the tensor was dropped" }),
            Format::Keep => floats(source)?,
            Format::Cast(cast) => floats(cast.to())?,
            Format::Int(int) => {
                let coding = match (int.bits, int.symmetric) {
                    (IntBits::Eight, true) => Coding::Signed,
                    (IntBits::Eight, false) => Coding::Unsigned,
                    (IntBits::Four, symmetric) => {
                        let value = |code: usize| {
                            // two's complement where there are signs
                            if symmetric { ((code ^ 8) as f32) - 8.0 } else { code as f32 }
                        };
                        Coding::nibbles(&std::array::from_fn(value), int.pack, runtime.tch)?
                    }
                };
                let scales = match int.scale {
                    ScaleDType::F32 => DType::F32,
                    ScaleDType::F16 => DType::F16,
                };
                let has_zeros = layout.part(Role::ZeroPoints).is_some();
                Held::Codes(Codes {
                    bytes: parts.tensor(Role::Codes, DType::U8)?,
                    coding,
                    groups: int.groups(shape).map_err(malformed)?,
                    elements,
                    scales: Scales::Plain(parts.tensor(Role::Scales, scales)?),
                    zeros: has_zeros.then(|| parts.tensor(Role::ZeroPoints, DType::U8)).transpose()?,
                })
            }
            Format::Code4(code4) => {
                let scales = if code4.double {
                    let offset = parts.bytes(Role::NestedOffset)?;
                    let offset = <[u8; 4]>::try_from(offset)
                        .map_err(|_| KernelError::Malformed { what: "the nested offset is no f32" })?;
                    let codes = parts.tensor(Role::Absmax, DType::U8)?;
                    Scales::nested(
                        codes,
                        parts.tensor(Role::NestedAbsmax, DType::F32)?,
                        f32::from_le_bytes(offset),
                    )?
                } else {
                    Scales::Plain(parts.tensor(Role::Absmax, DType::F32)?)
                };
                let block = u64::from(code4.block);
                Held::Codes(Codes {
                    bytes: parts.tensor(Role::Codes, DType::U8)?,
                    coding: Coding::nibbles(&code4.kind.codebook(), Pack::High, runtime.tch)?,
                    groups: Groups::contiguous(layout.elements.div_ceil(block), block),
                    elements,
                    scales,
                    zeros: None,
                })
            }
        };
        let weight = TorchWeight { shape: extents, held, inputs: None };
        if weight.shape.len() > 1 {
            return Ok(weight);
        }
        let values = weight.dense(runtime)?.0;
        Ok(TorchWeight { held: Held::Values(values), ..weight })
    }

    /// The same, with inputs of products that are rounded.
    pub fn with_inputs(self, inputs: Option<InputSteps>) -> TorchWeight {
        TorchWeight { inputs, ..self }
    }

    /// What a product with it multiplies, for inputs `x` of `[.., columns]`.
    pub(super) fn input(&self, x: &Tensor) -> Result<Tensor, KernelError> {
        self.inputs.map_or_else(|| Ok(x.shallow_clone()), |inputs| inputs.apply(x))
    }

    /// All elements in f32, in the tensor's own shape, decoded by the runtime's threads.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn dense(&self, runtime: &TorchRuntime) -> Result<TorchValue, KernelError> {
        runtime.enter();
        Ok(TorchValue(match &self.held {
            Held::Values(values) => values.f_to_kind(Kind::Float)?,
            Held::Codes(codes) => codes.decode(0, codes.elements)?.f_reshape(&self.shape)?,
        }))
    }

    /// Neighbouring rows of the matrix whose columns are the last axis, in f32, decoded by the runtime's threads.
    ///
    /// # Errors
    /// [`KernelError::Device`]: there are no such rows, too.
    pub fn slice(&self, runtime: &TorchRuntime, rows: Range<usize>) -> Result<TorchWeight, KernelError> {
        runtime.enter();
        let columns = self.columns();
        let (start, count) = (rows.start as i64, rows.len() as i64);
        let rows = TorchWeight::values(TorchValue(match &self.held {
            Held::Values(values) => {
                values.f_reshape([-1, columns])?.f_narrow(0, start, count)?.f_to_kind(Kind::Float)?
            }
            Held::Codes(codes) => {
                codes.decode(start * columns, (start + count) * columns)?.f_reshape([count, columns])?
            }
        }));
        Ok(rows.with_inputs(self.inputs))
    }

    /// Rows by their numbers: ids of `[..]` to `[.., columns]`.
    pub(super) fn rows(&self, ids: &TorchValue) -> Result<TorchValue, KernelError> {
        let columns = self.columns();
        let flat = ids.0.f_reshape([-1])?;
        let rows = match &self.held {
            Held::Values(values) => {
                let table = values.f_reshape([-1, columns])?;
                match table.f_kind()? {
                    Kind::Float => Tensor::f_embedding(&table, &flat, -1, false, false)?,
                    // rows as they are stored, of any type
                    kind => {
                        let width = kind.elt_size_in_bytes() as i64;
                        let bytes = table.f_view_dtype(Kind::Uint8)?.f_reshape([-1, columns * width])?;
                        bytes.f_index_select(0, &flat)?.f_view_dtype(kind)?.f_to_kind(Kind::Float)?
                    }
                }
            }
            Held::Codes(codes) => codes.rows(&flat, columns)?,
        };
        let mut shape = ids.shape();
        shape.push(usize::try_from(columns).unwrap_or(0));
        Ok(TorchValue(rows.f_reshape(sizes(&shape))?))
    }

    fn columns(&self) -> i64 {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The extents.
    pub fn shape(&self) -> Vec<usize> {
        self.shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect()
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        match &self.held {
            Held::Values(values) => {
                values.numel() as u64 * values.f_kind().map_or(4, |kind| kind.elt_size_in_bytes()) as u64
            }
            Held::Codes(codes) => codes.size() as u64,
        }
    }
}

/// Parts of a stored tensor, on their way to the device.
struct Parts<'p, 'a> {
    runtime: &'p TorchRuntime,
    layout: &'p Layout,
    part: &'p dyn Fn(Role) -> Option<&'a [u8]>,
}

impl<'a> Parts<'_, 'a> {
    fn bytes(&self, role: Role) -> Result<&'a [u8], KernelError> {
        let missing = KernelError::Malformed { what: "a part of the weight is missing" };
        let expected = self.layout.part(role).map(|part| part.bytes).ok_or(missing.clone())?;
        let bytes = (self.part)(role).ok_or(missing)?;
        let found = bytes.len() as u64;
        if found != expected {
            return Err(KernelError::Length { what: "part of the weight", expected, found });
        }
        Ok(bytes)
    }

    /// Flat, of this type.
    fn tensor(&self, role: Role, dtype: DType) -> Result<Tensor, KernelError> {
        let bytes = self.bytes(role)?;
        let elements = bytes.len() as i64 / dtype.width() as i64;
        Ok(Tensor::f_from_data_size(bytes, &[elements], kind(dtype)?)?.f_to_device(self.runtime.tch)?)
    }
}
