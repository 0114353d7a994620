//! Operations in which a token sees those before it, one after the other.

use icpc_kernels::model::reference::{self, Selective};

use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

pub(super) fn causal_conv1d(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let filters = run.vector(run.operand(node, 1))?;
    let bias = run.optional(run.operand(node, 2))?;
    let x = run.take(node, 0)?;
    let channels = x.width();
    let taps = filters.len().checked_div(channels).unwrap_or(0);
    let (mut y, mut own) = (Vec::new(), Vec::new());
    let past = run.numbers(taps.saturating_sub(1).saturating_mul(channels), &mut own)?;
    for (number, x) in x.values()?.chunks(x.sequence()).enumerate() {
        if number > 0 {
            past.fill(0.0);
        }
        y.extend(reference::causal_conv1d(channels, x, filters, bias, past)?);
    }
    Ok(Tensor::floats(x.shape, y))
}

/// How a state decays: `-exp(A_log)`.
fn decay(a_log: &[f64]) -> Vec<f64> {
    a_log.iter().map(|a| -a.exp()).collect()
}

pub(super) fn scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let a = decay(run.vector(run.operand(node, 2))?);
    let b = run.weight(run.operand(node, 3))?;
    let (c, d) = (run.vector(run.operand(node, 4))?, run.vector(run.operand(node, 5))?);
    let dt = run.take(node, 1)?;
    let x = run.take(node, 0)?;
    run.tap(b.name(), &x)?;
    let weights = [a.as_slice(), b.values()?, c, d];
    let (mut y, mut own) = (Vec::new(), Vec::new());
    let state = run.numbers(a.len(), &mut own)?;
    let steps = x.sequence().checked_div(x.width()).unwrap_or(1).max(1);
    let all = x.values()?.chunks(x.sequence()).zip(dt.values()?.chunks(steps));
    for (number, (x, dt)) in all.enumerate() {
        if number > 0 {
            state.fill(0.0);
        }
        y.extend(reference::shared_scan(x, dt, weights, state)?);
    }
    Ok(Tensor::floats(x.shape, y))
}

pub(super) fn selective_scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let a = decay(run.vector(run.operand(node, 4))?);
    let d = run.vector(run.operand(node, 5))?;
    let (x, dt) = (run.take(node, 0)?, run.take(node, 1)?);
    let (b, c) = (run.take(node, 2)?, run.take(node, 3)?);
    let (channels, states) = (x.width(), b.width());
    let mut own = Vec::new();
    let state = run.numbers(channels.saturating_mul(states), &mut own)?;
    let scan = Selective {
        x: x.values()?,
        dt: dt.values()?,
        a: &a,
        b: b.values()?,
        c: c.values()?,
        d: Some(d),
        channels,
        states,
    };
    let y = reference::selective_scan(&scan, state)?;
    Ok(Tensor::floats(x.shape, y))
}
