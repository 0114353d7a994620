//! Tables and positions.

use icpc_kernels::model;

use crate::eval::error::Failure;
use crate::eval::interpret::Run;
use crate::eval::value::{Data, Tensor, zeros};
use crate::graph::{Attribute, Node};

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
    let Some(Attribute::Size(extent)) = node.attribute("n") else {
        return Err(Failure::internal("`iota` has no length"));
    };
    let n = run.number(extent)?;
    // Of a sequence that comes in parts, the positions go on.
    let first = if run.is_free(extent) { run.past() } else { 0 };
    let numbers = (first..first.saturating_add(n)).map(|i| u32::try_from(i).unwrap_or(u32::MAX));
    Ok(Tensor { shape: vec![n], data: Data::Index(numbers.collect()) })
}

pub(super) fn zeros_like(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let ids = run.value(run.operand(node, 0))?;
    Ok(Tensor { shape: ids.shape.clone(), data: Data::Index(vec![0; ids.ids()?.len()]) })
}
