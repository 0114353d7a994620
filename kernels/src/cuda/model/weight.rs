//! Weights on a device, in the bytes in which they are stored, and the words that tell kernels how those lie.

use super::super::sources::LINEAR;
use super::Device;
use super::memory::{Bytes, Floats};
use crate::format::Pack;
use crate::groups::Groups;
use crate::model::{ActivationScale, Codes, Coding, Scales, Stored, Weight};
use crate::{DType, KernelError};
use std::ops::Range;

/// Words of `Stored` in `stored.cuh`.
pub(super) const WORDS: usize = 17;

/// Kinds behind the element types, as in `stored.cuh`.
const SIGNED: u64 = 6;
const UNSIGNED: u64 = 7;
const LOW_FIRST: u64 = 8;
const HIGH_FIRST: u64 = 9;

/// A stored matrix `[rows, columns]` on a device. Clones are the same memory.
#[derive(Clone)]
pub struct DeviceWeight {
    words: [u64; WORDS],
    rows: usize,
    columns: usize,
    /// Elements of a group that lie side by side; all of them where there are no groups.
    inner: u64,
    /// How inputs of products with it are rounded; `None`: not at all.
    inputs: Option<ActivationScale>,
    /// Bytes on the device.
    bytes: u64,
    /// What the words point to.
    _parts: Vec<Bytes>,
}

impl DeviceWeight {
    /// Rows: the outputs of a linear layer, the entries of an embedding.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: the inputs of a linear layer, the width of an embedding.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes that it takes on the device, of its tensor where it is a slice.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The same, with inputs of products that are rounded to 8 bits, or that are not: [`Device::linear`] is then
    /// [`crate::model::linear_int8`], with the same bits.
    #[must_use]
    pub fn with_inputs(mut self, inputs: Option<ActivationScale>) -> DeviceWeight {
        self.inputs = inputs;
        self.words[15..].copy_from_slice(&rounding(inputs));
        self
    }

    /// How inputs of products with it are rounded; `None`: not at all.
    pub const fn inputs(&self) -> Option<ActivationScale> {
        self.inputs
    }

    /// Whether its elements are int8, symmetric, with one scale for the tensor or for each row.
    pub(super) fn is_integer(&self) -> bool {
        self.words[1] == SIGNED && self.inner.is_multiple_of(self.columns.max(1) as u64)
    }

    /// The element type, where it is f32, f16 or bf16.
    pub(super) fn float_type(&self) -> Option<DType> {
        let number = usize::try_from(self.words[1]).ok()?;
        let (dtype, _) = super::super::sources::TYPES.get(number)?;
        matches!(dtype, DType::F32 | DType::F16 | DType::Bf16).then_some(*dtype)
    }

    /// Where elements of a [`DeviceWeight::float_type`] begin.
    pub(super) fn address(&self) -> u64 {
        let width = self.float_type().map_or(0, DType::width);
        self.words[0] + self.words[14] * self.columns as u64 * width
    }

    /// The words of `Stored`; they are good as long as this value lives.
    pub(super) const fn words(&self) -> &[u64; WORDS] {
        &self.words
    }

    /// The kernel for few tokens that reads its bytes as vectors, or the one that reads any weight.
    pub(super) fn few(&self) -> &'static str {
        let (name, per) = match self.words[1] {
            0 => ("f32", 4),
            1 => ("f16", 8),
            2 => ("bf16", 8),
            SIGNED => ("signed", 16),
            UNSIGNED => ("unsigned", 16),
            LOW_FIRST => ("low", 32),
            HIGH_FIRST => ("high", 32),
            _ => return "any",
        };
        let even = (self.columns as u64).is_multiple_of(per) && self.inner.is_multiple_of(per);
        if even { name } else { "any" }
    }

    /// Some of the rows, in the same memory.
    ///
    /// # Errors
    /// [`KernelError::Length`] when the matrix has no such rows.
    pub fn slice(&self, rows: Range<usize>) -> Result<DeviceWeight, KernelError> {
        if rows.start > rows.end || rows.end > self.rows {
            let (expected, found) = (self.rows as u64, rows.end as u64);
            return Err(KernelError::Length { what: "rows of the weight", expected, found });
        }
        let mut part = self.clone();
        part.rows = rows.len();
        part.words[12] = rows.len() as u64;
        part.words[14] += rows.start as u64;
        Ok(part)
    }
}

impl std::fmt::Debug for DeviceWeight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceWeight")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What is gathered of a weight while its parts are copied.
struct Gathered<'d> {
    device: &'d Device,
    parts: Vec<Bytes>,
    bytes: u64,
}

impl Gathered<'_> {
    fn copy(&mut self, bytes: &[u8]) -> Result<u64, KernelError> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let part = self.device.bytes(bytes)?;
        let address = part.address();
        self.bytes += bytes.len() as u64;
        self.parts.push(part);
        Ok(address)
    }
}

impl Device {
    /// Copy a weight to the device, as it is stored.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn weight(&self, weight: &Weight<'_>) -> Result<DeviceWeight, KernelError> {
        let (rows, columns) = (weight.rows(), weight.columns());
        let mut gathered = Gathered { device: self, parts: Vec::new(), bytes: 0 };
        let none = Groups::contiguous(1, u64::MAX);
        let (groups, mut words) = match &weight.stored {
            Stored::Floats(source) => {
                let kind = super::super::sources::type_index(source.dtype())
                    .ok_or(KernelError::UnsupportedDType { dtype: source.dtype() })?;
                let mut words = [0; WORDS];
                (words[0], words[1]) = (gathered.copy(source.bytes())?, kind as u64);
                (none, words)
            }
            Stored::Codes(codes) => (codes.groups, words_of_codes(&mut gathered, codes)?),
        };
        // groups of one run have any length
        let inner = if groups.axis == 1 { u64::MAX } else { groups.inner };
        let shift = if inner.is_power_of_two() { u64::from(inner.trailing_zeros()) } else { 64 };
        let even = columns.is_multiple_of(8) && (inner == u64::MAX || inner.is_multiple_of(8));
        words[8..15].copy_from_slice(&[
            groups.axis.max(1),
            inner.max(1),
            shift,
            u64::from(even),
            rows as u64,
            columns as u64,
            weight.first as u64,
        ]);
        let inner = if inner == u64::MAX { 0 } else { inner };
        let (inputs, bytes) = (None, gathered.bytes);
        Ok(DeviceWeight { words, rows, columns, inner, inputs, bytes, _parts: gathered.parts })
    }

    /// All elements in f32: what a vector is in every kernel, and what a matrix is that a product takes the other way.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn decode(&self, weight: &DeviceWeight, transposed: bool) -> Result<Floats, KernelError> {
        let floats = self.matrix(weight.rows, weight.columns)?;
        self.decode_to(weight, &floats, transposed)?;
        Ok(floats)
    }

    /// The same to `floats`, which has as many elements.
    pub(super) fn decode_to(
        &self,
        weight: &DeviceWeight,
        floats: &Floats,
        transposed: bool,
    ) -> Result<(), KernelError> {
        let mut words = weight.words.to_vec();
        words.extend([floats.address(), floats.len() as u64, u64::from(transposed)]);
        self.launch_each(LINEAR, "decode", floats.len(), &words)
    }

    /// The weight of these elements, in the same memory: `[rows, columns]`.
    ///
    /// # Errors
    /// [`KernelError::Length`].
    pub fn dense(&self, values: &Floats, rows: usize, columns: usize) -> Result<DeviceWeight, KernelError> {
        let elements = crate::model::product_of("weight", rows, columns)?;
        crate::error::expect_length("weight", elements, values.len())?;
        let mut words = [0; WORDS];
        words[0] = values.address();
        let even = u64::from(columns.is_multiple_of(8));
        words[8..15].copy_from_slice(&[1, u64::MAX, 64, even, rows as u64, columns as u64, 0]);
        let bytes = 4 * elements as u64;
        let parts = vec![values.bytes()];
        Ok(DeviceWeight { words, rows, columns, inner: 0, inputs: None, bytes, _parts: parts })
    }
}

/// Which rounding, as in `stored.cuh`, and the bits of a step that is known.
pub(super) fn rounding(inputs: Option<ActivationScale>) -> [u64; 2] {
    match inputs {
        None => [0, 0],
        Some(ActivationScale::Static(step)) => [1, u64::from(step.to_bits())],
        Some(ActivationScale::Dynamic) => [2, 0],
        Some(ActivationScale::Whole) => [3, 0],
    }
}

fn words_of_codes(gathered: &mut Gathered<'_>, codes: &Codes<'_>) -> Result<[u64; WORDS], KernelError> {
    let mut words = [0; WORDS];
    words[0] = gathered.copy(codes.bytes)?;
    words[1] = match codes.coding {
        Coding::Signed => SIGNED,
        Coding::Unsigned => UNSIGNED,
        Coding::Nibbles { values, order } => {
            words[7] = gathered.copy(crate::model::bytes_of(&values))?;
            if order == Pack::Low { LOW_FIRST } else { HIGH_FIRST }
        }
    };
    let (scaling, scales) = match codes.scales {
        Scales::F32(bytes) => (1, bytes),
        Scales::F16(bytes) => (2, bytes),
        Scales::Nested { codes, absmax, offset } => {
            (words[4], words[5]) = (gathered.copy(absmax)?, u64::from(offset.to_bits()));
            (3, codes)
        }
    };
    (words[2], words[3]) = (scaling, gathered.copy(scales)?);
    words[6] = gathered.copy(codes.zeros)?;
    Ok(words)
}
