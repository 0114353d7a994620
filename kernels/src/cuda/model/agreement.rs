//! Dense products by cuBLASLt beside those of our own kernels, on a device: `icpc selftest` says how far apart they are.

use super::{Device, bounds};
use crate::format::{Cast, Format, Role};
use crate::model::{Weight, reference};
use crate::{Cpu, DType, KernelError, conformance};

/// A product that was computed twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What it was: `bf16 [300, 1000], 64 tokens`.
    pub name: String,
    /// Whether cuBLASLt did it; where it did not, our own kernel did it twice.
    pub by_library: bool,
    /// How far apart both are at most, in units of 2⁻²⁴ of Σ|x w|.
    pub apart: f64,
    /// How far they may be.
    pub allowed: f64,
}

impl Compared {
    /// Whether both are the same product. Not a number is none.
    pub fn agrees(&self) -> bool {
        self.apart <= self.allowed
    }
}

/// Rows, columns, tokens: whole tiles, and rows that begin on no vector.
const SHAPES: [(usize, usize, usize); 3] = [(256, 512, 64), (300, 1000, 70), (65, 333, 9)];

impl Device {
    /// Products of all types of dense weights, by cuBLASLt where it is there and by our own kernels, with a bias: about a second.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn compare_products(&self) -> Result<Vec<Compared>, KernelError> {
        let mut all = Vec::new();
        for (rows, columns, tokens) in SHAPES {
            let numbers = |length: usize, shift: usize| -> Vec<f32> {
                let bytes = conformance::elements(DType::F32, "normal", length + shift);
                let values = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
                values.skip(shift).collect()
            };
            let (x, bias) = (numbers(tokens * columns, 1), numbers(rows, 2));
            let (input, of_device) = (self.upload(&x)?, self.upload(&bias)?);
            for dtype in [DType::F32, DType::Bf16, DType::F16] {
                let (bytes, decoded) = stored(dtype, &numbers(rows * columns, 0), rows, columns)?;
                let format = format_of(dtype);
                let weight = self.weight(&weight(&format, &bytes, rows, columns)?)?;
                let mut twice = Vec::new();
                let asked = self.cublaslt_products();
                for by_library in [true, false] {
                    self.use_cublaslt(by_library);
                    let y = self.linear(tokens, &input, &weight, Some(&of_device));
                    let y = y.and_then(|y| self.download(&y));
                    self.use_cublaslt(true);
                    twice.push(y?);
                }
                let by_library = self.cublaslt_products() > asked;
                let exact = reference::sized(|of| {
                    reference::linear(columns, &of(&x), &of(&decoded), Some(&of(&bias)))
                })?;
                let pairs = twice.iter().flatten().zip(twice.iter().skip(1).flatten()).zip(&exact);
                let apart = pairs.map(|((a, b), (_, size))| {
                    (f64::from(*a) - f64::from(*b)).abs()
                        / (crate::model::bounds::U * size.max(f64::MIN_POSITIVE))
                });
                // NaN is kept, which a maximum would forget
                let apart =
                    apart.fold(0.0, |most: f64, off| if most.is_nan() || most >= off { most } else { off });
                all.push(Compared {
                    name: format!("{dtype} [{rows}, {columns}], {tokens} tokens"),
                    by_library,
                    apart,
                    allowed: 2.0 * bounds::linear(tokens, columns),
                });
            }
        }
        Ok(all)
    }
}

fn format_of(dtype: DType) -> Format {
    Cast::new(dtype, false).filter(|_| dtype != DType::F32).map_or(Format::Keep, Format::Cast)
}

fn weight<'b>(
    format: &Format,
    bytes: &'b [u8],
    rows: usize,
    columns: usize,
) -> Result<Weight<'b>, KernelError> {
    let shape = [rows as u64, columns as u64];
    let part = |role: Role| matches!(role, Role::Values | Role::Codes).then_some(bytes);
    Weight::new(format, &shape, DType::F32, part)
        .map_err(|_| KernelError::Malformed { what: "internal error: a weight to compare products with" })
}

/// The bytes of a weight of this type, and its elements.
fn stored(
    dtype: DType,
    values: &[f32],
    rows: usize,
    columns: usize,
) -> Result<(Vec<u8>, Vec<f32>), KernelError> {
    let bytes: Vec<u8> = match dtype {
        DType::Bf16 => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    let mut decoded = vec![0.0; values.len()];
    if let Some(cpu) = Cpu::variants().first() {
        weight(&format_of(dtype), &bytes, rows, columns)?.decode(cpu, 0..rows, &mut decoded)?;
    }
    Ok((bytes, decoded))
}
