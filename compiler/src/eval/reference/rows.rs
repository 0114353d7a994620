//! Operations over the last axis.

use icpc_kernels::model::reference;

use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

pub(super) fn layer_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let (weight, bias) = (run.vector(run.operand(node, 1))?, run.optional(run.operand(node, 2))?);
    let x = run.take(node, 0)?;
    let values = reference::layer_norm(x.values()?, weight, bias, forms::eps(node)?)?;
    Ok(Tensor::floats(x.shape, values))
}

pub(super) fn rms_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let weight = run.vector(run.operand(node, 1))?;
    let x = run.take(node, 0)?;
    let values = reference::rms_norm(x.values()?, weight, forms::eps(node)?)?;
    Ok(Tensor::floats(x.shape, values))
}

pub(super) fn softmax(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let x = run.take(node, 0)?;
    let values = reference::softmax(x.width(), x.values()?)?;
    Ok(Tensor::floats(x.shape, values))
}

pub(super) fn mean(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let x = run.take(node, 0)?;
    let values = reference::mean(x.width(), x.values()?)?;
    let mut shape = x.shape;
    shape.pop();
    Ok(Tensor::floats(shape, values))
}

pub(super) fn cross_entropy(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let (logits, ids) = (run.value(run.operand(node, 0))?, run.value(run.operand(node, 1))?);
    let losses = reference::cross_entropy(logits.width(), logits.values()?, ids.ids()?)?;
    Ok(Tensor::floats(ids.shape.clone(), losses))
}
