//! Products with matrices.

use super::Run;
use crate::eval::error::Failure;
use crate::eval::integer::Matrix;
use crate::eval::tensor::{Tensor, zeros};
use crate::graph::Node;

pub(super) fn linear(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let loaded = run.loaded(run.operand(node, 1))?;
    let bias = run.vector(run.operand(node, 2))?;
    let is_transposed = node.flag("transposed") == Some(true);
    let matrix = Matrix::of(loaded, run.cpu(), run.engine().rounding, is_transposed)?;
    run.tap_operand(&loaded.name, run.operand(node, 0))?;
    let x = run.value(run.operand(node, 0))?;
    let mut shape = x.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = matrix.weight.rows();
    }
    let mut y = zeros(&shape)?;
    matrix.multiply(run.cpu(), x.rows(), x.values()?, bias, &mut y)?;
    Ok(Tensor::floats(shape, y))
}
