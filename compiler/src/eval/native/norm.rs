//! Operations over the last axis.

use icpc_kernels::model;

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::tensor::{Tensor, zeros};
use crate::graph::Node;

pub(super) fn layer_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let weight =
        run.vector(run.operand(node, 1))?.ok_or_else(|| Failure::internal("a norm has no weight"))?;
    let bias = run.vector(run.operand(node, 2))?;
    let x = run.take(node, 0)?;
    let shape = x.shape.clone();
    let mut values = x.into_values()?;
    model::layer_norm(run.cpu(), &mut values, weight, bias, forms::eps(node)?)?;
    Ok(Tensor::floats(shape, values))
}

pub(super) fn rms_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let weight =
        run.vector(run.operand(node, 1))?.ok_or_else(|| Failure::internal("a norm has no weight"))?;
    let x = run.take(node, 0)?;
    let shape = x.shape.clone();
    let mut values = x.into_values()?;
    model::rms_norm(run.cpu(), &mut values, weight, forms::eps(node)?)?;
    Ok(Tensor::floats(shape, values))
}

pub(super) fn softmax(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let x = run.take(node, 0)?;
    let (shape, width) = (x.shape.clone(), x.width());
    let mut values = x.into_values()?;
    model::softmax(run.cpu(), width, &mut values)?;
    Ok(Tensor::floats(shape, values))
}

pub(super) fn mean(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let x = run.value(run.operand(node, 0))?;
    let mut shape = x.shape.clone();
    let width = shape.pop().unwrap_or(1);
    let mut means = zeros(&shape)?;
    model::mean(run.cpu(), width, x.values()?, &mut means)?;
    Ok(Tensor::floats(shape, means))
}
