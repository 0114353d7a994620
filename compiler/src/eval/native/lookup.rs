//! Tables.

use icpc_kernels::model;

use super::Run;
use crate::eval::error::Failure;
use crate::eval::tensor::{Tensor, zeros};
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
