//! Products with matrices: in f64, or of codes where the format of the matrix rounds inputs.

use std::ops::Range;

use icpc_kernels::model::{ActivationScale, reference};

use super::weight::Exact;
use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::integer::Rounding;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

/// A matrix, and how what is multiplied with it is rounded.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'w> {
    inputs: usize,
    /// Its elements, or its codes.
    values: &'w [f64],
    inputs_are: Inputs<'w>,
}

#[derive(Clone, Copy)]
enum Inputs<'w> {
    /// As they are.
    Plain,
    /// Rounded, and multiplied as codes with codes, of which each row has a scale.
    Codes(&'w [f64], ActivationScale),
    /// Rounded all together, and multiplied as what their codes stand for: what PyTorch's packed layers give, but for how the
    /// results are rounded.
    Together,
}

impl<'w> Matrix<'w> {
    /// The matrix of a tensor; of a transposed one with rows and columns exchanged.
    pub(super) fn of(
        weight: &'w Exact,
        rounding: Rounding,
        is_transposed: bool,
    ) -> Result<Matrix<'w>, Failure> {
        let columns = weight.columns();
        let rows = weight.shape().iter().rev().skip(1).product();
        let inputs = if is_transposed { rows } else { columns };
        let inputs_are = match rounding.of(weight.loaded()) {
            None => Inputs::Plain,
            Some(ActivationScale::Whole) => Inputs::Together,
            Some(scale) => {
                let codes = weight.codes(is_transposed)?;
                let inputs_are = Inputs::Codes(&codes.scales, scale);
                return Ok(Matrix { inputs, values: &codes.codes, inputs_are });
            }
        };
        let values = if is_transposed { weight.transposed()? } else { weight.values()? };
        Ok(Matrix { inputs, values, inputs_are })
    }

    /// Numbers of a row that it yields.
    pub(super) fn outputs(&self) -> usize {
        self.values.len().checked_div(self.inputs).unwrap_or(0)
    }

    /// Some of its rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> Result<Matrix<'w>, Failure> {
        let beyond = || Failure::new("the matrix of an expert ends beyond its tensor");
        let places = rows.start.saturating_mul(self.inputs)..rows.end.saturating_mul(self.inputs);
        let values = self.values.get(places).ok_or_else(beyond)?;
        let inputs_are = match self.inputs_are {
            Inputs::Codes(scales, scale) => Inputs::Codes(scales.get(rows).ok_or_else(beyond)?, scale),
            others => others,
        };
        Ok(Matrix { values, inputs_are, ..*self })
    }

    /// `x wᵀ + bias`.
    pub(super) fn multiply(&self, x: &[f64], bias: Option<&[f64]>) -> Result<Vec<f64>, Failure> {
        match self.inputs_are {
            Inputs::Plain => Ok(reference::linear(self.inputs, x, self.values, bias)?),
            Inputs::Codes(scales, scale) => {
                Ok(reference::linear_int8(self.inputs, x, self.values, scales, scale, bias)?)
            }
            Inputs::Together => {
                let x = reference::rounded(self.inputs, x, ActivationScale::Whole)?.values();
                Ok(reference::linear(self.inputs, &x, self.values, bias)?)
            }
        }
    }
}

pub(super) fn linear(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let weight = run.weight(run.operand(node, 1))?;
    let bias = run.optional(run.operand(node, 2))?;
    let matrix = Matrix::of(weight, run.engine().rounding, node.flag("transposed") == Some(true))?;
    run.tap_operand(weight.name(), run.operand(node, 0))?;
    let x = run.value(run.operand(node, 0))?;
    let mut shape = x.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = matrix.outputs();
    }
    Ok(Tensor::floats(shape, matrix.multiply(x.values()?, bias)?))
}
