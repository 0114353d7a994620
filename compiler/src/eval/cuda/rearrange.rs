//! Operations that move elements.

use icpc_kernels::cuda::model::Strides;

use super::Run;
use super::value::{Value, steps};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn chunk(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (first, width) = forms::chunk(run, node)?;
    columns(run, node, first, width)
}

pub(super) fn split(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (first, width) = forms::split(run, node)?;
    columns(run, node, first, width)
}

/// Some of the columns.
fn columns(run: &mut Run<'_, '_>, node: &Node, first: usize, width: usize) -> Result<Value, Failure> {
    let device = run.device();
    let x = run.value(run.operand(node, 0))?;
    let rows = x.rows();
    let part = device.empty(rows.saturating_mul(width))?;
    let strides = Strides { extents: &[rows, width], left: &[x.width(), 1], right: &[width, 1] };
    device.move_to(x.floats()?, first, &part, 0, &strides)?;
    Ok(Value::new(x.shape_with(width), part))
}

pub(super) fn concat(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let shape = run.shape(node)?;
    let (a, b) = (run.take(node, 0)?, run.take(node, 1)?);
    let (device, rows, width) = (run.device(), a.rows(), shape.last().copied().unwrap_or(0));
    let whole = device.empty(rows.saturating_mul(width))?;
    for (part, first) in [(&a, 0), (&b, a.width())] {
        let own = part.width();
        let strides = Strides { extents: &[rows, own], left: &[own, 1], right: &[width, 1] };
        device.move_to(part.floats()?, 0, &whole, first, &strides)?;
    }
    Ok(Value::new(shape, whole))
}

pub(super) fn reshape(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let shape = run.shape(node)?;
    let x = run.take(node, 0)?;
    Ok(Value { shape, data: x.data })
}

pub(super) fn transpose(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let shape = run.shape(node)?;
    let x = run.take(node, 0)?;
    let (first, second) = forms::transpose(run, node, x.shape.len())?;
    let (device, mut left, right) = (run.device(), steps(&x.shape), steps(&shape));
    left.swap(first, second);
    let turned = device.empty(x.floats()?.len())?;
    device.move_to(x.floats()?, 0, &turned, 0, &Strides { extents: &shape, left: &left, right: &right })?;
    Ok(Value::new(shape, turned))
}
