//! Mixtures of experts: only the chosen ones are computed.

use icpc_kernels::torch::model::{self, TorchExpert, TorchRoutes, TorchValue};

use super::Run;
use super::elementwise::named;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

/// The experts of each token.
fn routes(run: &mut Run<'_, '_>, node: &Node, x: &TorchValue) -> Result<TorchRoutes, Failure> {
    let k = run.size(node, "top_k")?.unwrap_or(0);
    run.tap(run.name(node, 1), x)?;
    Ok(model::route(run.runtime(), x, run.weight(node, 1)?, k, node.word("softmax") == Some("all"))?)
}

pub(super) fn mixture(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let x = run.take(node, 0)?;
    let routes = routes(run, node, &x)?;
    let kind = named(node.word("activation").unwrap_or_default())?;
    let matrices: Vec<usize> = (2..node.inputs.len()).collect();
    model::mixture(&x, &routes, |number, x| -> Result<TorchValue, Failure> {
        let forms::Expert { up, down, gate } = forms::expert(node, number, &matrices)?;
        let gate_weight = gate.map(|gate| run.weight(node, *gate)).transpose()?;
        let expert =
            TorchExpert { up: run.weight(node, *up)?, gate: gate_weight, down: run.weight(node, *down)? };
        run.tap(run.name(node, *up), x)?;
        if let Some(gate) = gate {
            run.tap(run.name(node, *gate), x)?;
        }
        let (y, inner) = model::gated(run.runtime(), x, &expert, kind)?;
        run.tap(run.name(node, *down), &inner)?;
        Ok(y)
    })
}

pub(super) fn stacked(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let x = run.take(node, 0)?;
    let routes = routes(run, node, &x)?;
    let kind = named(node.word("activation").unwrap_or_default())?;
    let (both, out, runtime) = (run.weight(node, 2)?, run.weight(node, 3)?, run.runtime());
    let (width, inner) = (x.width(), out.shape().last().copied().unwrap_or(0));
    model::mixture(&x, &routes, |number, x| -> Result<TorchValue, Failure> {
        let rows = forms::stacked(number, width, inner);
        let gate = both.slice(runtime, rows.gate)?;
        let (up, down) = (both.slice(runtime, rows.up)?, out.slice(runtime, rows.down)?);
        run.tap(run.name(node, 2), x)?;
        let expert = TorchExpert { up: &up, gate: Some(&gate), down: &down };
        let (y, inner) = model::gated(runtime, x, &expert, kind)?;
        run.tap(run.name(node, 3), &inner)?;
        Ok(y)
    })
}
