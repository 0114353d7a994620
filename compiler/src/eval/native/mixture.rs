//! Mixtures of experts: only the chosen ones are computed.

use icpc_kernels::Cpu;
use icpc_kernels::model::{self, Routes, Weight, Winners};

use super::Run;
use super::elementwise::activate;
use super::value::{Tensor, zeros};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::weights::Loaded;
use crate::graph::Node;

/// The experts of each token.
fn routes(run: &mut Run<'_, '_>, node: &Node, x: &Tensor) -> Result<Routes, Failure> {
    let router = run.loaded(run.operand(node, 1))?;
    let gate = router.weight()?;
    let k = run.size(node, "top_k")?.unwrap_or(0);
    let winners = if node.word("softmax") == Some("all") { Winners::OfAll } else { Winners::Softmax };
    let mut logits = zeros(&[x.rows(), gate.rows()])?;
    run.tap(&router.name, x)?;
    model::linear(run.cpu(), x.rows(), x.values()?, &gate, None, &mut logits)?;
    Ok(model::route(gate.rows(), k, winners, &logits)?)
}

/// What one expert makes of its tokens; `gate_up` are both in one matrix.
struct Expert<'w> {
    up: Weight<'w>,
    gate: Option<Weight<'w>>,
    down: Weight<'w>,
}

impl Expert<'_> {
    fn compute(&self, cpu: &Cpu, kind: &str, x: &[f32], y: &mut [f32]) -> Result<Vec<f32>, Failure> {
        let tokens = x.len().checked_div(self.up.columns()).unwrap_or(0);
        let product = |w: &Weight<'_>| -> Result<Vec<f32>, Failure> {
            let mut y = zeros(&[tokens, w.rows()])?;
            model::linear(cpu, tokens, x, w, None, &mut y)?;
            Ok(y)
        };
        let mut inner = product(&self.up)?;
        match &self.gate {
            None => activate(cpu, kind, &mut inner)?,
            Some(gate) => {
                let mut gates = product(gate)?;
                activate(cpu, kind, &mut gates)?;
                model::mul(cpu, &mut inner, &gates)?;
            }
        }
        model::linear(cpu, tokens, &inner, &self.down, None, y)?;
        Ok(inner)
    }
}

pub(super) fn mixture(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let x = run.take(node, 0)?;
    let routes = routes(run, node, &x)?;
    let experts: Result<Vec<&Loaded>, Failure> = node.inputs.iter().skip(2).map(|i| run.loaded(*i)).collect();
    let experts = experts?;
    let mut y = zeros(&x.shape)?;
    let (cpu, width, kind) = (run.cpu(), x.width(), node.word("activation").unwrap_or_default());
    let values = x.values()?;
    model::mixture(x.rows(), width, width, &routes, values, &mut y, |number, x, y| -> Result<(), Failure> {
        let forms::Expert { up, down, gate } = forms::expert(node, number, &experts)?;
        let gate_weight = gate.map(|g| g.weight()).transpose()?;
        let expert = Expert { up: up.weight()?, gate: gate_weight, down: down.weight()? };
        run.tap_rows(&up.name, width, x);
        if let Some(gate) = gate {
            run.tap_rows(&gate.name, width, x);
        }
        let inner = expert.compute(cpu, kind, x, y)?;
        run.tap_rows(&down.name, down.shape.last().copied().unwrap_or(1), &inner);
        Ok(())
    })?;
    Ok(Tensor::floats(x.shape, y))
}

pub(super) fn stacked(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let x = run.take(node, 0)?;
    let routes = routes(run, node, &x)?;
    let (both, down) = (run.loaded(run.operand(node, 2))?, run.loaded(run.operand(node, 3))?);
    let (all, out) = (both.weight()?, down.weight()?);
    let (width, inner) = (x.width(), down.shape.last().copied().unwrap_or(0));
    let mut y = zeros(&x.shape)?;
    let (cpu, kind) = (run.cpu(), node.word("activation").unwrap_or_default());
    model::mixture(
        x.rows(),
        width,
        width,
        &routes,
        x.values()?,
        &mut y,
        |number, x, y| -> Result<(), Failure> {
            let rows = forms::stacked(number, width, inner);
            let expert = Expert {
                gate: Some(all.slice(rows.gate)?),
                up: all.slice(rows.up)?,
                down: out.slice(rows.down)?,
            };
            run.tap_rows(&both.name, width, x);
            let rows = expert.compute(cpu, kind, x, y)?;
            run.tap_rows(&down.name, inner, &rows);
            Ok(())
        },
    )?;
    Ok(Tensor::floats(x.shape, y))
}
