//! Operations in which a token sees those before it through a state.

use icpc_kernels::torch::model::{self, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::graph::Node;

pub(super) fn causal_conv1d(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let x = run.take(node, 0)?;
    let (filters, bias, runtime) = (run.weight(node, 1)?, run.optional(node, 2)?, run.runtime());
    Ok(model::causal_conv1d(runtime, &x, filters, bias, run.memory(|| None)?)?)
}

pub(super) fn scan(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let dt = run.take(node, 1)?;
    let x = run.take(node, 0)?;
    run.tap(run.name(node, 3), &x)?;
    let weights = [run.weight(node, 2)?, run.weight(node, 3)?, run.weight(node, 4)?, run.weight(node, 5)?];
    Ok(model::shared_scan(run.runtime(), &x, &dt, weights, run.memory(|| None)?)?)
}

pub(super) fn selective_scan(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let (x, dt, b, c) = (run.take(node, 0)?, run.take(node, 1)?, run.take(node, 2)?, run.take(node, 3)?);
    let weights = [run.weight(node, 4)?, run.weight(node, 5)?];
    Ok(model::selective_scan(run.runtime(), [&x, &dt, &b, &c], weights, run.memory(|| None)?)?)
}
