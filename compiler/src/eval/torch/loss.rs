//! What a prediction costs.

use icpc_kernels::torch::model::{self, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::graph::Node;

pub(super) fn cross_entropy(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let (logits, ids) = (run.value(run.operand(node, 0))?, run.value(run.operand(node, 1))?);
    Ok(model::cross_entropy(logits, ids)?)
}
