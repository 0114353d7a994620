//! Operations that move elements.

use super::Run;
use super::value::{Tensor, zeros};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn chunk(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let (first, width) = forms::chunk(run, node)?;
    columns(run, node, first, width)
}

pub(super) fn split(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let (first, width) = forms::split(run, node)?;
    columns(run, node, first, width)
}

/// Some of the columns.
fn columns(run: &mut Run<'_, '_>, node: &Node, first: usize, width: usize) -> Result<Tensor, Failure> {
    let x = run.value(run.operand(node, 0))?;
    let mut shape = x.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    let mut values = zeros(&shape)?;
    if width > 0 {
        for (to, from) in values.chunks_exact_mut(width).zip(x.values()?.chunks_exact(x.width().max(1))) {
            let from = from.get(first..first.saturating_add(width));
            to.copy_from_slice(from.ok_or_else(|| Failure::internal("a part beyond its row"))?);
        }
    }
    Ok(Tensor::floats(shape, values))
}

pub(super) fn concat(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let shape = run.shape(node)?;
    let b = run.take(node, 1)?;
    let a = run.take(node, 0)?;
    let mut values = zeros(&shape)?;
    let width = shape.last().copied().unwrap_or(0).max(1);
    let rows = a.values()?.chunks_exact(a.width().max(1)).zip(b.values()?.chunks_exact(b.width().max(1)));
    for (to, (left, right)) in values.chunks_exact_mut(width).zip(rows) {
        let (head, tail) =
            to.split_at_mut_checked(left.len()).ok_or_else(|| Failure::internal("a row is too short"))?;
        head.copy_from_slice(left);
        tail.copy_from_slice(right);
    }
    Ok(Tensor::floats(shape, values))
}

pub(super) fn reshape(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let shape = run.shape(node)?;
    let x = run.take(node, 0)?;
    Ok(Tensor { shape, data: x.data })
}

pub(super) fn transpose(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let shape = run.shape(node)?;
    let x = run.take(node, 0)?;
    let rank = x.shape.len();
    let (first, second) = forms::transpose(run, node, rank)?;
    // Distance of neighbours in the source along each axis of the result.
    let mut steps = vec![1usize; rank];
    let mut step = 1usize;
    for (slot, extent) in steps.iter_mut().zip(&x.shape).rev() {
        *slot = step;
        step = step.saturating_mul(*extent);
    }
    steps.swap(first, second);
    let mut values = zeros(&shape)?;
    let from = x.values()?;
    let mut index = vec![0usize; rank];
    for value in &mut values {
        let at: usize = index.iter().zip(&steps).map(|(i, s)| i * s).sum();
        *value = from.get(at).copied().ok_or_else(|| Failure::internal("an element beyond its tensor"))?;
        for (i, extent) in index.iter_mut().zip(&shape).rev() {
            *i += 1;
            if *i < *extent {
                break;
            }
            *i = 0;
        }
    }
    Ok(Tensor::floats(shape, values))
}
