//! Tables and positions.

use icpc_kernels::model;

use super::Run;
use super::value::{Data, Tensor, zeros};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn embed(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let loaded = run.loaded(run.operand(node, 1))?;
    let ids = run.value(run.operand(node, 0))?;
    let table = loaded.weight()?;
    let mut shape = ids.shape.clone();
    shape.push(table.columns());
    let mut rows = zeros(&shape)?;
    let found = model::embed(run.cpu(), ids.ids()?, &table, &mut rows);
    found.map_err(|e| Failure { message: e.to_string(), tensor: Some(loaded.name.clone()) })?;
    Ok(Tensor::floats(shape, rows))
}

pub(super) fn iota(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let (first, n) = forms::iota(run, node)?;
    let numbers = (first..first.saturating_add(n)).map(|i| u32::try_from(i).unwrap_or(u32::MAX));
    Ok(Tensor { shape: vec![n], data: Data::Index(numbers.collect()) })
}

pub(super) fn zeros_like(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let ids = run.value(run.operand(node, 0))?;
    Ok(Tensor { shape: ids.shape.clone(), data: Data::Index(vec![0; ids.ids()?.len()]) })
}
