//! What a prediction costs.

use icpc_kernels::model;

use super::Run;
use crate::eval::error::Failure;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

pub(super) fn cross_entropy(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let (logits, ids) = (run.value(run.operand(node, 0))?, run.value(run.operand(node, 1))?);
    let losses = model::cross_entropy(run.cpu(), logits.width(), logits.values()?, ids.ids()?)?;
    Ok(Tensor::floats(ids.shape.clone(), losses.iter().map(|l| l.loss as f32).collect()))
}
