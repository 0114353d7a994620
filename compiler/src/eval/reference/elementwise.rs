//! Operations on single elements.

use icpc_kernels::model::reference;

use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::rearrange::together;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

/// A function of one number.
pub(super) type Function = fn(f64) -> f64;

/// The operand with `f` of its elements.
fn changed(run: &mut Run<'_, '_>, node: &Node, f: Function) -> Result<Wide, Failure> {
    let x = run.take(node, 0)?;
    let values = reference::map(f, x.values()?);
    Ok(Tensor::floats(x.shape, values))
}

/// The activation of that name, as configurations spell it.
pub(super) fn named(kind: &str) -> Result<Function, Failure> {
    match kind {
        "gelu" => Ok(reference::gelu_erf),
        "gelu_new" | "gelu_pytorch_tanh" => Ok(reference::gelu_tanh),
        "silu" | "swish" => Ok(reference::silu),
        // A comparison, so that NaN stays.
        "relu" => Ok(|x| if x < 0.0 { 0.0 } else { x }),
        "tanh" => Ok(f64::tanh),
        other => Err(forms::unknown_activation(other)),
    }
}

pub(super) fn gelu(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let is_tanh = node.word("approximate") == Some("tanh");
    changed(run, node, if is_tanh { reference::gelu_tanh } else { reference::gelu_erf })
}

pub(super) fn silu(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, reference::silu)
}

pub(super) fn relu(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, named("relu")?)
}

pub(super) fn tanh(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, f64::tanh)
}

pub(super) fn exp(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, f64::exp)
}

pub(super) fn softplus(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, reference::softplus)
}

pub(super) fn negate(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, |x| -x)
}

pub(super) fn activation(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    changed(run, node, named(node.word("kind").unwrap_or_default())?)
}

pub(super) fn add(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    together(run, node, |a, b| a + b)
}

pub(super) fn sub(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    together(run, node, |a, b| a - b)
}

pub(super) fn mul(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    together(run, node, |a, b| a * b)
}

pub(super) fn div(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    together(run, node, |a, b| a / b)
}
