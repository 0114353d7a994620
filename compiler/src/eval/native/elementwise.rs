//! Operations on single elements.

use icpc_kernels::Cpu;
use icpc_kernels::model::{self, Gelu};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::rearrange::together;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

/// The operand with `change` done to its elements.
fn changed(
    run: &mut Run<'_, '_>,
    node: &Node,
    change: impl FnOnce(&Cpu, &mut [f32]),
) -> Result<Tensor, Failure> {
    let x = run.take(node, 0)?;
    let shape = x.shape.clone();
    let mut values = x.into_values()?;
    change(run.cpu(), &mut values);
    Ok(Tensor::floats(shape, values))
}

pub(super) fn gelu(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let kind = if node.word("approximate") == Some("tanh") { Gelu::Tanh } else { Gelu::Erf };
    changed(run, node, |cpu, values| model::gelu(cpu, kind, values))
}

pub(super) fn silu(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    changed(run, node, model::silu)
}

pub(super) fn relu(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    changed(run, node, |cpu, values| activate(cpu, "relu", values).unwrap_or(()))
}

pub(super) fn tanh(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    changed(run, node, |cpu, values| activate(cpu, "tanh", values).unwrap_or(()))
}

pub(super) fn exp(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    changed(run, node, model::exp)
}

pub(super) fn softplus(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    changed(run, node, model::softplus)
}

pub(super) fn negate(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    changed(run, node, |cpu, values| model::scale(cpu, -1.0, values))
}

pub(super) fn activation(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let mut known = Ok(());
    let kind = node.word("kind").unwrap_or_default();
    let result = changed(run, node, |cpu, values| known = activate(cpu, kind, values))?;
    known.map(|()| result)
}

/// Applies the activation of that name, as configurations spell it.
pub(super) fn activate(cpu: &Cpu, kind: &str, values: &mut [f32]) -> Result<(), Failure> {
    match kind {
        "gelu" => model::gelu(cpu, Gelu::Erf, values),
        "gelu_new" | "gelu_pytorch_tanh" => model::gelu(cpu, Gelu::Tanh, values),
        "silu" | "swish" => model::silu(cpu, values),
        // Comparisons, so that NaN stays.
        "relu" => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        "tanh" => values.iter_mut().for_each(|x| *x = f64::from(*x).tanh() as f32),
        other => return Err(forms::unknown_activation(other)),
    }
    Ok(())
}

pub(super) fn add(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    together(run, node, |a, b| a + b)
}

pub(super) fn sub(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    together(run, node, |a, b| a - b)
}

pub(super) fn mul(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    together(run, node, |a, b| a * b)
}

pub(super) fn div(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    together(run, node, |a, b| a / b)
}
