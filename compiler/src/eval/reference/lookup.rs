//! Tables.

use icpc_kernels::model::reference;

use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

pub(super) fn embed(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let table = run.weight(run.operand(node, 1))?;
    let ids = run.value(run.operand(node, 0))?;
    let mut shape = ids.shape.clone();
    shape.push(table.columns());
    let rows = reference::embed(ids.ids()?, table.columns(), table.values()?);
    let rows = rows.map_err(|e| Failure { message: e.to_string(), tensor: Some(table.name().to_owned()) })?;
    Ok(Tensor::floats(shape, rows))
}
