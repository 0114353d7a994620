//! Operations on single elements.

use icpc_kernels::cuda::model::{Activation, Pairing, Strides};

use super::Run;
use super::value::{Value, steps};
use crate::eval::error::Failure;
use crate::graph::Node;

fn changed(run: &mut Run<'_, '_>, node: &Node, kind: Activation) -> Result<Value, Failure> {
    let x = run.take(node, 0)?;
    let y = run.device().activate(kind, x.floats()?)?;
    Ok(Value::new(x.shape, y))
}

/// The activation of that name, as configurations spell it.
pub(super) fn named(name: &str) -> Result<Activation, Failure> {
    Ok(match name {
        "gelu" => Activation::GeluErf,
        "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
        "silu" | "swish" => Activation::Silu,
        "relu" => Activation::Relu,
        "tanh" => Activation::Tanh,
        other => return Err(Failure::new(format!("the activation `{other}` is not known"))),
    })
}

pub(super) fn gelu(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let is_tanh = node.word("approximate") == Some("tanh");
    changed(run, node, if is_tanh { Activation::GeluTanh } else { Activation::GeluErf })
}

pub(super) fn silu(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    changed(run, node, Activation::Silu)
}

pub(super) fn relu(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    changed(run, node, Activation::Relu)
}

pub(super) fn tanh(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    changed(run, node, Activation::Tanh)
}

pub(super) fn exp(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    changed(run, node, Activation::Exp)
}

pub(super) fn softplus(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    changed(run, node, Activation::Softplus)
}

pub(super) fn activation(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    changed(run, node, named(node.word("kind").unwrap_or_default())?)
}

pub(super) fn negate(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let x = run.take(node, 0)?;
    let y = run.device().scale(-1.0, x.floats()?)?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn add(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    together(run, node, Pairing::Add)
}

pub(super) fn sub(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    together(run, node, Pairing::Sub)
}

pub(super) fn mul(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    together(run, node, Pairing::Mul)
}

pub(super) fn div(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    together(run, node, Pairing::Div)
}

/// Pairs the axes from the last; one that is 1 or missing is repeated.
fn together(run: &mut Run<'_, '_>, node: &Node, pairing: Pairing) -> Result<Value, Failure> {
    let shape = run.shape(node)?;
    let (a, b) = (run.take(node, 0)?, run.take(node, 1)?);
    let device = run.device();
    let own = b.shape.iter().position(|n| *n != 1).and_then(|first| b.shape.get(first..)).unwrap_or_default();
    if a.shape == shape && shape.ends_with(own) {
        return Ok(Value::new(shape, device.zip(pairing, a.floats()?, b.floats()?)?));
    }
    let (left, right) = (repeated(&a.shape, &shape), repeated(&b.shape, &shape));
    let strides = Strides { extents: &shape, left: &left, right: &right };
    let y = device.spread(pairing, a.floats()?, b.floats()?, &strides)?;
    Ok(Value::new(shape, y))
}

/// Distance of neighbours in `part` along each axis of `shape`; 0 where it is repeated.
fn repeated(part: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut all = vec![0; shape.len()];
    for ((slot, step), extent) in all.iter_mut().rev().zip(steps(part).iter().rev()).zip(part.iter().rev()) {
        *slot = if *extent == 1 { 0 } else { *step };
    }
    all
}
