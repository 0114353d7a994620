//! Mixtures of experts: only the chosen ones are computed.

use icpc_kernels::model::Winners;
use icpc_kernels::model::reference::{self, Routes};

use super::elementwise::{Function, named};
use super::product::Matrix;
use super::weight::Exact;
use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

/// The experts of each token.
fn routes(run: &mut Run<'_, '_>, node: &Node, x: &Wide) -> Result<Routes, Failure> {
    let router = run.weight(run.operand(node, 1))?;
    let gate = Matrix::of(router, run.engine().rounding, false)?;
    let k = run.size(node, "top_k")?.unwrap_or(0);
    let winners = if node.word("softmax") == Some("all") { Winners::OfAll } else { Winners::Softmax };
    run.tap(router.name(), x)?;
    Ok(reference::route(gate.outputs(), k, winners, &gate.multiply(x.values()?, None)?)?)
}

/// The matrices of one expert.
struct Expert<'w> {
    up: Matrix<'w>,
    gate: Option<Matrix<'w>>,
    down: Matrix<'w>,
}

impl Expert<'_> {
    /// What it makes of its tokens, and what goes into its last product.
    fn compute(&self, activation: Function, x: &[f64]) -> Result<(Vec<f64>, Vec<f64>), Failure> {
        let up = self.up.multiply(x, None)?;
        let inner: Vec<f64> = match &self.gate {
            None => reference::map(activation, &up),
            Some(gate) => {
                let gates = reference::map(activation, &gate.multiply(x, None)?);
                up.into_iter().zip(gates).map(|(up, gate)| up * gate).collect()
            }
        };
        Ok((self.down.multiply(&inner, None)?, inner))
    }
}

pub(super) fn mixture(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let x = run.take(node, 0)?;
    let routes = routes(run, node, &x)?;
    let matrices: Result<Vec<&Exact>, Failure> = node.inputs.iter().skip(2).map(|i| run.weight(*i)).collect();
    let (matrices, rounding, width) = (matrices?, run.engine().rounding, x.width());
    let activation = named(node.word("activation").unwrap_or_default())?;
    let y =
        reference::mixture(width, width, &routes, x.values()?, |number, x| -> Result<Vec<f64>, Failure> {
            let forms::Expert { up, down, gate } = forms::expert(node, number, &matrices)?;
            let expert = Expert {
                up: Matrix::of(up, rounding, false)?,
                gate: gate.map(|gate| Matrix::of(gate, rounding, false)).transpose()?,
                down: Matrix::of(down, rounding, false)?,
            };
            run.tap_wide(up.name(), width, x);
            if let Some(gate) = gate {
                run.tap_wide(gate.name(), width, x);
            }
            let (y, inner) = expert.compute(activation, x)?;
            run.tap_wide(down.name(), down.columns(), &inner);
            Ok(y)
        })?;
    Ok(Tensor::floats(x.shape, y))
}

pub(super) fn stacked(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let x = run.take(node, 0)?;
    let routes = routes(run, node, &x)?;
    let (both, down) = (run.weight(run.operand(node, 2))?, run.weight(run.operand(node, 3))?);
    let rounding = run.engine().rounding;
    let (all, out) = (Matrix::of(both, rounding, false)?, Matrix::of(down, rounding, false)?);
    let (width, inner) = (x.width(), down.columns());
    let activation = named(node.word("activation").unwrap_or_default())?;
    let y =
        reference::mixture(width, width, &routes, x.values()?, |number, x| -> Result<Vec<f64>, Failure> {
            let rows = forms::stacked(number, width, inner);
            let expert = Expert {
                gate: Some(all.slice(rows.gate)?),
                up: all.slice(rows.up)?,
                down: out.slice(rows.down)?,
            };
            run.tap_wide(both.name(), width, x);
            let (y, rows) = expert.compute(activation, x)?;
            run.tap_wide(down.name(), inner, &rows);
            Ok(y)
        })?;
    Ok(Tensor::floats(x.shape, y))
}
