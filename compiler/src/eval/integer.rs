//! Matrices of products, and the products themselves: in f32, or in integers where the format of the matrix says so.

use icpc_kernels::Cpu;
use icpc_kernels::format::{Activations, Format, Role};
use icpc_kernels::model::{self, ActivationScale, Weight};

use super::error::Failure;
use super::weights::Loaded;

/// How inputs of products are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// As the format of the matrix says.
    #[default]
    Format,
    /// Not at all.
    Float,
    /// As PyTorch rounds those of linear layers that it packed; those of others not at all.
    Torch,
}

impl Rounding {
    /// How inputs of products with this tensor are rounded; `None`: not at all.
    pub(super) fn of(self, loaded: &Loaded) -> Option<ActivationScale> {
        match self {
            Rounding::Format => loaded.activations(),
            Rounding::Torch if loaded.is_packed() => Some(ActivationScale::Whole),
            Rounding::Torch | Rounding::Float => None,
        }
    }
}

/// A matrix, and how what is multiplied with it is rounded.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'w> {
    pub weight: Weight<'w>,
    /// `None`: not at all.
    scale: Option<ActivationScale>,
}

impl<'w> Matrix<'w> {
    /// The matrix of a tensor; of a transposed one with rows and columns exchanged.
    pub(super) fn of(
        loaded: &'w Loaded,
        cpu: &Cpu,
        rounding: Rounding,
        is_transposed: bool,
    ) -> Result<Matrix<'w>, Failure> {
        let scale = rounding.of(loaded);
        let weight = match (is_transposed, scale) {
            (false, _) => loaded.weight()?,
            (true, None) => loaded.transposed(cpu)?,
            (true, Some(_)) => loaded.transposed_codes()?,
        };
        Ok(Matrix { weight, scale })
    }

    /// Some of its rows.
    pub(super) fn slice(&self, rows: std::ops::Range<usize>) -> Result<Matrix<'w>, Failure> {
        Ok(Matrix { weight: self.weight.slice(rows)?, ..*self })
    }

    /// `y = x wᵀ + bias` for `tokens` rows of `x`.
    pub(super) fn multiply(
        &self,
        cpu: &Cpu,
        tokens: usize,
        x: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<(), Failure> {
        match self.scale {
            None => model::linear(cpu, tokens, x, &self.weight, bias, y)?,
            Some(scale) => model::linear_int8(cpu, tokens, x, &self.weight, scale, bias, y)?,
        }
        Ok(())
    }
}

/// How inputs of products with a tensor of `format` are rounded; `part` gives the stored scale.
pub(super) fn activation_scale<'p>(
    format: &Format,
    part: impl Fn(Role) -> Option<&'p [u8]>,
) -> Result<Option<ActivationScale>, String> {
    let Format::Int(int) = format else { return Ok(None) };
    match int.activations {
        Activations::Float => Ok(None),
        Activations::Dynamic => Ok(Some(ActivationScale::Dynamic)),
        Activations::Static(_) => match part(Role::ActivationScale) {
            Some(&[a, b, c, d]) => {
                let scale = f32::from_le_bytes([a, b, c, d]);
                if scale.is_finite() && scale > 0.0 {
                    Ok(Some(ActivationScale::Static(scale)))
                } else {
                    Err(format!("its scale of activations is {scale}, which is no positive number"))
                }
            }
            Some(bytes) => Err(format!("its scale of activations has {} bytes, not 4", bytes.len())),
            None => Err("its scale of activations is missing".to_owned()),
        },
    }
}
