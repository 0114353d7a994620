//! Mixtures of experts: only the chosen ones are computed.

use icpc_kernels::Cpu;
use icpc_kernels::model::{self, Routes, Winners};

use super::Run;
use super::elementwise::activate;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::integer::Matrix;
use crate::eval::tensor::{Tensor, zeros};
use crate::eval::weights::Loaded;
use crate::graph::Node;

/// The experts of each token.
fn routes(run: &mut Run<'_, '_>, node: &Node, x: &Tensor) -> Result<Routes, Failure> {
    let router = run.loaded(run.operand(node, 1))?;
    let gate = Matrix::of(router, run.cpu(), run.engine().rounding, false)?;
    let k = run.size(node, "top_k")?.unwrap_or(0);
    let winners = if node.word("softmax") == Some("all") { Winners::OfAll } else { Winners::Softmax };
    let mut logits = zeros(&[x.rows(), gate.weight.rows()])?;
    run.tap(&router.name, x)?;
    gate.multiply(run.cpu(), x.rows(), x.values()?, None, &mut logits)?;
    Ok(model::route(gate.weight.rows(), k, winners, &logits)?)
}

/// What one expert makes of its tokens; `gate_up` are both in one matrix.
struct Expert<'w> {
    up: Matrix<'w>,
    gate: Option<Matrix<'w>>,
    down: Matrix<'w>,
}

impl Expert<'_> {
    fn compute(&self, cpu: &Cpu, kind: &str, x: &[f32], y: &mut [f32]) -> Result<Vec<f32>, Failure> {
        let tokens = x.len().checked_div(self.up.weight.columns()).unwrap_or(0);
        let product = |w: &Matrix<'_>| -> Result<Vec<f32>, Failure> {
            let mut y = zeros(&[tokens, w.weight.rows()])?;
            w.multiply(cpu, tokens, x, None, &mut y)?;
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
        self.down.multiply(cpu, tokens, &inner, None, y)?;
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
    let rounding = run.engine().rounding;
    let values = x.values()?;
    model::mixture(x.rows(), width, width, &routes, values, &mut y, |number, x, y| -> Result<(), Failure> {
        let forms::Expert { up, down, gate } = forms::expert(node, number, &experts)?;
        let expert = Expert {
            up: Matrix::of(up, cpu, rounding, false)?,
            gate: gate.map(|gate| Matrix::of(gate, cpu, rounding, false)).transpose()?,
            down: Matrix::of(down, cpu, rounding, false)?,
        };
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
    let matrix = |loaded| Matrix::of(loaded, run.cpu(), run.engine().rounding, false);
    let (all, out) = (matrix(both)?, matrix(down)?);
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
