//! Products with matrices.

use icpc_kernels::torch::model::{self, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::graph::Node;

pub(super) fn linear(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    run.tap_operand(run.name(node, 1), run.operand(node, 0))?;
    let x = run.value(run.operand(node, 0))?;
    let (weight, bias) = (run.weight(node, 1)?, run.optional(node, 2)?);
    Ok(model::linear(run.runtime(), x, weight, bias, node.flag("transposed") == Some(true))?)
}
