//! Tables and positions.

use super::Run;
use super::value::{Data, Value};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::{Attribute, Node, Operand};

pub(super) fn embed(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let device = run.device();
    let ids = run.value(run.operand(node, 0))?;
    let table = match run.operand(node, 1) {
        weight @ Operand::Weight(_) => run.engine().weight(weight)?.clone(),
        _ => return Err(Failure::internal("a table that is no weight")),
    };
    let mut shape = ids.shape.clone();
    shape.push(table.columns());
    Ok(Value::new(shape, device.embed(ids.ids()?, &table)?))
}

pub(super) fn iota(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (first, n) = forms::iota(run, node)?;
    // Of a sequence that comes in parts the positions go on, from where only the device knows in a step that is done again.
    let goes_on = matches!(node.attribute("n"), Some(Attribute::Size(extent)) if run.is_free(extent));
    let past = if goes_on { Some(run.engine().past(first)?) } else { None };
    Ok(Value { shape: vec![n], data: Data::Index(run.device().count_up(past, n)?) })
}

pub(super) fn zeros_like(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let ids = run.value(run.operand(node, 0))?;
    let zeros = run.device().zero_ids(ids.ids()?.len())?;
    Ok(Value { shape: ids.shape.clone(), data: Data::Index(zeros) })
}
