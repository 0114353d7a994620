//! Operations in which a token sees those before it, one after the other.

use icpc_kernels::model::{self, Selective};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::tensor::{Tensor, zeros};
use crate::graph::Node;

fn weight<'m>(run: &Run<'_, 'm>, node: &Node, n: usize) -> Result<&'m [f32], Failure> {
    run.vector(run.operand(node, n))?.ok_or_else(|| Failure::internal("a weight is not there"))
}

pub(super) fn causal_conv1d(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let filters = weight(run, node, 1)?;
    let bias = run.vector(run.operand(node, 2))?;
    let x = run.take(node, 0)?;
    let channels = x.width();
    let taps = filters.len().checked_div(channels).unwrap_or(0);
    let mut y = zeros(&x.shape)?;
    let (cpu, mut own) = (run.cpu(), Vec::new());
    let past = run.numbers(taps.saturating_sub(1).saturating_mul(channels), &mut own)?;
    let each = x.sequence();
    for (number, (x, y)) in x.values()?.chunks(each).zip(y.chunks_mut(each)).enumerate() {
        if number > 0 {
            past.fill(0.0);
        }
        model::causal_conv1d(cpu, channels, x, filters, bias, Some(past), y)?;
    }
    Ok(Tensor::floats(x.shape, y))
}

pub(super) fn scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let decay: Vec<f32> = weight(run, node, 2)?.iter().map(|a| -a.exp()).collect();
    let (b, c) = (run.loaded(run.operand(node, 3))?.weight()?, run.loaded(run.operand(node, 4))?.weight()?);
    let d = weight(run, node, 5)?;
    let dt = run.take(node, 1)?;
    let x = run.take(node, 0)?;
    let mut y = zeros(&x.shape)?;
    let (cpu, mut own) = (run.cpu(), Vec::new());
    run.tap(&run.loaded(run.operand(node, 3))?.name, &x)?;
    let state = run.numbers(decay.len(), &mut own)?;
    let each = x.sequence();
    let steps = each.checked_div(x.width()).unwrap_or(1).max(1);
    let all = x.values()?.chunks(each).zip(dt.values()?.chunks(steps)).zip(y.chunks_mut(each));
    for (number, ((x, dt), y)) in all.enumerate() {
        if number > 0 {
            state.fill(0.0);
        }
        model::shared_scan(cpu, x, dt, &decay, &b, &c, d, state, y)?;
    }
    Ok(Tensor::floats(x.shape, y))
}

pub(super) fn selective_scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let decay: Vec<f32> = weight(run, node, 4)?.iter().map(|a| -a.exp()).collect();
    let d = weight(run, node, 5)?;
    let operands: Result<Vec<Tensor>, Failure> =
        (0..4).map(|n| run.value(run.operand(node, n)).cloned()).collect();
    let operands = operands?;
    let [x, dt, b, c] = operands.as_slice() else { return Err(Failure::internal("a scan has four inputs")) };
    let (channels, states) = (x.width(), b.width());
    let mut y = zeros(&x.shape)?;
    let (cpu, mut own) = (run.cpu(), Vec::new());
    let state = run.numbers(channels.saturating_mul(states), &mut own)?;
    let scan = Selective {
        x: x.values()?,
        dt: dt.values()?,
        a: &decay,
        b: b.values()?,
        c: c.values()?,
        d: Some(d),
        channels,
        states,
    };
    model::selective_scan(cpu, &scan, state, &mut y)?;
    Ok(Tensor::floats(x.shape.clone(), y))
}
