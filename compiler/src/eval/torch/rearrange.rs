//! Operations that move elements.

use icpc_kernels::torch::model::{self, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn chunk(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let (first, width) = forms::chunk(run, node)?;
    Ok(model::columns(run.value(run.operand(node, 0))?, first, width)?)
}

pub(super) fn split(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let (first, width) = forms::split(run, node)?;
    Ok(model::columns(run.value(run.operand(node, 0))?, first, width)?)
}

pub(super) fn concat(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    Ok(model::concat(&run.take(node, 0)?, &run.take(node, 1)?)?)
}

pub(super) fn reshape(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let shape = run.shape(node)?;
    Ok(model::reshape(&run.take(node, 0)?, &shape)?)
}

pub(super) fn transpose(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let x = run.take(node, 0)?;
    let (first, second) = forms::transpose(run, node, x.shape().len())?;
    Ok(model::transpose(&x, first, second)?)
}
