//! Mixtures of experts: only the chosen ones are computed, and chosen on the device.

use icpc_kernels::cuda::model::{DeviceWeight, Experts, Mixture};
use icpc_kernels::model::{self, Winners};

use super::Run;
use super::elementwise::named;
use super::value::Value;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::{Node, Operand};

/// Up, down, and the gate where there is one.
type Matrices = (DeviceWeight, DeviceWeight, Option<DeviceWeight>);

/// What the matrices of an expert are called: up, gate, down.
type Names<'m> = [&'m str; 3];

pub(super) fn mixture(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let count = run.weight(node, 1)?.rows();
    let places: Vec<usize> = (2..node.inputs.len()).collect();
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        let forms::Expert { up, down, gate } = forms::expert(node, number, &places)?;
        let gate_weight = gate.map(|gate| run.weight(node, *gate).cloned()).transpose()?;
        let matrices = (run.weight(node, *up)?.clone(), run.weight(node, *down)?.clone(), gate_weight);
        let gate_name = gate.map_or("", |gate| run.name(node, *gate));
        all.push((matrices, [run.name(node, *up), gate_name, run.name(node, *down)]));
    }
    routed(run, node, all)
}

pub(super) fn stacked(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let count = run.weight(node, 1)?.rows();
    let (both, down) = (run.weight(node, 2)?, run.weight(node, 3)?);
    let (width, inner) = (both.columns(), down.columns());
    // The gate's rows come before those of what it multiplies, in one matrix: its inputs are seen once.
    let names = [run.name(node, 2), "", run.name(node, 3)];
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        let first = number.saturating_mul(2).saturating_mul(inner);
        let middle = first.saturating_add(inner);
        let own = number.saturating_mul(width);
        let gate = both.slice(first..middle)?;
        let up = both.slice(middle..middle.saturating_add(inner))?;
        all.push(((up, down.slice(own..own.saturating_add(width))?, Some(gate)), names));
    }
    routed(run, node, all)
}

fn routed(run: &mut Run<'_, '_>, node: &Node, all: Vec<(Matrices, Names<'_>)>) -> Result<Value, Failure> {
    let x = run.take(node, 0)?;
    let form = Mixture {
        k: run.size(node, "top_k")?.unwrap_or(0),
        winners: if node.word("softmax") == Some("all") { Winners::OfAll } else { Winners::Softmax },
        activation: named(node.word("activation").unwrap_or_default())?,
    };
    if run.is_tapped() {
        return shown(run, node, &x, form, &all);
    }
    let (device, router) = (run.device(), run.weight(node, 1)?);
    let experts = table(run, node, all)?;
    let y = device.mixture(x.rows(), x.floats()?, router, &experts, form)?;
    Ok(Value::new(x.shape, y))
}

/// The table of a layer's experts, made once and kept.
fn table(run: &Run<'_, '_>, node: &Node, all: Vec<(Matrices, Names<'_>)>) -> Result<Experts, Failure> {
    let key = match run.operand(node, 2) {
        Operand::Weight(number) => number,
        _ => return Err(Failure::internal("an expert that is no weight")),
    };
    if let Some(known) = run.engine().experts.borrow().get(&key) {
        return Ok(known.clone());
    }
    let matrices: Vec<Matrices> = all.into_iter().map(|(matrices, _)| matrices).collect();
    let made = run.device().experts(&matrices)?;
    run.engine().experts.borrow_mut().insert(key, made.clone());
    Ok(made)
}

/// The same expert by expert, so that somebody sees what goes into each product.
fn shown(
    run: &mut Run<'_, '_>,
    node: &Node,
    x: &Value,
    form: Mixture,
    all: &[(Matrices, Names<'_>)],
) -> Result<Value, Failure> {
    let (device, router) = (run.device(), run.weight(node, 1)?);
    run.tap(run.name(node, 1), x)?;
    let routes = device.route(x.rows(), x.floats()?, router, form.k, form.winners)?;
    let (values, width) = (x.floats()?.download()?, x.width());
    let mut y = vec![0.0; values.len()];
    model::mixture(
        x.rows(),
        width,
        width,
        &routes,
        &values,
        &mut y,
        |number, x, y| -> Result<(), Failure> {
            let found = all.get(number).ok_or_else(|| Failure::internal("an expert that is none"))?;
            let ((up, down, gate), [up_name, gate_name, down_name]) = found;
            let tokens = x.len().checked_div(width).unwrap_or(0);
            run.tap_rows(up_name, width, x);
            if !gate_name.is_empty() {
                run.tap_rows(gate_name, width, x);
            }
            let x = device.upload(x)?;
            let inner = device.linear(tokens, &x, up, None)?;
            let inner = match gate {
                None => device.activate(form.activation, &inner)?,
                Some(gate) => {
                    device.gate(form.activation, &device.linear(tokens, &x, gate, None)?, &inner)?
                }
            };
            run.tap_rows(down_name, down.columns(), &inner.download()?);
            let found = device.linear(tokens, &inner, down, None)?.download()?;
            y.copy_from_slice(&found);
            Ok(())
        },
    )?;
    Ok(Value::new(x.shape.clone(), device.upload(&y)?))
}
