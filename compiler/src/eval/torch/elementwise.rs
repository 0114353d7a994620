//! Operations on single elements.

use icpc_kernels::torch::model::{self, Pairwise, TorchValue, Unary};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

fn apply(run: &mut Run<'_, '_>, node: &Node, kind: Unary) -> Result<TorchValue, Failure> {
    Ok(model::apply(kind, &run.take(node, 0)?)?)
}

fn pair(run: &mut Run<'_, '_>, node: &Node, kind: Pairwise) -> Result<TorchValue, Failure> {
    Ok(model::pairwise(kind, &run.take(node, 0)?, &run.take(node, 1)?)?)
}

pub(super) fn gelu(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let is_tanh = node.word("approximate") == Some("tanh");
    apply(run, node, if is_tanh { Unary::GeluTanh } else { Unary::Gelu })
}

pub(super) fn silu(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, Unary::Silu)
}

pub(super) fn relu(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, Unary::Relu)
}

pub(super) fn tanh(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, Unary::Tanh)
}

pub(super) fn exp(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, Unary::Exp)
}

pub(super) fn softplus(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, Unary::Softplus)
}

pub(super) fn negate(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, Unary::Negate)
}

pub(super) fn activation(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    apply(run, node, named(node.word("kind").unwrap_or_default())?)
}

/// The activation of that name, as configurations spell it.
pub(super) fn named(name: &str) -> Result<Unary, Failure> {
    Unary::named(name).ok_or_else(|| forms::unknown_activation(name))
}

pub(super) fn add(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    pair(run, node, Pairwise::Add)
}

pub(super) fn sub(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    pair(run, node, Pairwise::Sub)
}

pub(super) fn mul(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    pair(run, node, Pairwise::Mul)
}

pub(super) fn div(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    pair(run, node, Pairwise::Div)
}
