//! Tables and positions.

use icpc_kernels::torch::model::{self, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn embed(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let rows = model::embed(run.runtime(), run.value(run.operand(node, 0))?, run.weight(node, 1)?);
    rows.map_err(|e| Failure { message: e.to_string(), tensor: Some(run.name(node, 1).to_owned()) })
}

pub(super) fn iota(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let (first, n) = forms::iota(run, node)?;
    Ok(TorchValue::positions(run.runtime(), first, n)?)
}

pub(super) fn zeros_like(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    Ok(run.value(run.operand(node, 0))?.zeros_like()?)
}
