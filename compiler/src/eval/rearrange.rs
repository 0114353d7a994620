//! Operations that move elements or pair them, for engines that compute in the memory of the processor, whatever the elements are.

use super::engine::Engine;
use super::error::Failure;
use super::forms;
use super::interpret::Run;
use super::tensor::{Data, Tensor, zeros};
use crate::graph::Node;

pub(super) fn chunk<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
    let (first, width) = forms::chunk(run, node)?;
    columns(run, node, first, width)
}

pub(super) fn split<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
    let (first, width) = forms::split(run, node)?;
    columns(run, node, first, width)
}

/// Some of the columns.
fn columns<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
    first: usize,
    width: usize,
) -> Result<Tensor<T>, Failure> {
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

pub(super) fn concat<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
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

pub(super) fn reshape<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
    let shape = run.shape(node)?;
    let x = run.take(node, 0)?;
    Ok(Tensor { shape, data: x.data })
}

pub(super) fn transpose<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
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

pub(super) fn iota<T, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
    let (first, n) = forms::iota(run, node)?;
    let numbers = (first..first.saturating_add(n)).map(|i| u32::try_from(i).unwrap_or(u32::MAX));
    Ok(Tensor { shape: vec![n], data: Data::Index(numbers.collect()) })
}

pub(super) fn zeros_like<T, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
) -> Result<Tensor<T>, Failure> {
    let ids = run.value(run.operand(node, 0))?;
    Ok(Tensor { shape: ids.shape.clone(), data: Data::Index(vec![0; ids.ids()?.len()]) })
}

/// `f` of the elements of both operands; axes are paired from the last; one that is 1 or missing is repeated.
pub(super) fn together<T: Copy + Default, E: Engine<Value = Tensor<T>>>(
    run: &mut Run<'_, '_, E>,
    node: &Node,
    f: impl Fn(T, T) -> T,
) -> Result<Tensor<T>, Failure> {
    let shape = run.shape(node)?;
    let (a, b) = (run.take(node, 0)?, run.take(node, 1)?);
    if a.shape == shape && repeats(&b.shape, &shape) {
        let mut values = a.into_values()?;
        let other = b.values()?;
        for row in values.chunks_mut(other.len().max(1)) {
            row.iter_mut().zip(other).for_each(|(x, y)| *x = f(*x, *y));
        }
        return Ok(Tensor::floats(shape, values));
    }
    let mut values = zeros(&shape)?;
    let (steps_a, steps_b) = (strides(&a.shape, &shape), strides(&b.shape, &shape));
    let (from_a, from_b) = (a.values()?, b.values()?);
    let mut index = vec![0usize; shape.len()];
    for value in &mut values {
        let at = |steps: &[usize]| index.iter().zip(steps).map(|(i, s)| i * s).sum::<usize>();
        if let (Some(x), Some(y)) = (from_a.get(at(&steps_a)), from_b.get(at(&steps_b))) {
            *value = f(*x, *y);
        }
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

/// Whether `shape` is one piece behind the other of `part`.
fn repeats(part: &[usize], shape: &[usize]) -> bool {
    let own = part.iter().position(|n| *n != 1).and_then(|first| part.get(first..)).unwrap_or_default();
    shape.ends_with(own)
}

/// Distance of neighbours in `part` along each axis of `shape`; 0 where it is repeated.
fn strides(part: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; shape.len()];
    let mut step = 1usize;
    for (slot, extent) in steps.iter_mut().rev().zip(part.iter().rev()) {
        *slot = if *extent == 1 { 0 } else { step };
        step = step.saturating_mul(*extent);
    }
    steps
}
