//! Operations over the last axis.

use icpc_kernels::torch::model::{self, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn layer_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let x = run.take(node, 0)?;
    let (weight, bias) = (run.weight(node, 1)?, run.optional(node, 2)?);
    Ok(model::layer_norm(run.runtime(), &x, weight, bias, forms::eps(node)?)?)
}

pub(super) fn rms_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let x = run.take(node, 0)?;
    Ok(model::rms_norm(run.runtime(), &x, run.weight(node, 1)?, forms::eps(node)?)?)
}

pub(super) fn softmax(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    Ok(model::softmax(&run.take(node, 0)?)?)
}

pub(super) fn mean(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    Ok(model::mean(&run.take(node, 0)?)?)
}
