//! Operations in which a token sees those before it through a state.

use icpc_kernels::cuda::model::{Device, Floats, SelectiveScan, SharedScan};

use super::value::{Value, each_sequence};
use super::{Form, Run};
use crate::eval::error::Failure;
use crate::graph::Node;

/// Sequences of a value `[batch, seq, ..]`, of which the last `inner` axes are of one token.
fn sequences(value: &Value, inner: usize) -> usize {
    let front = value.shape.len().saturating_sub(inner.saturating_add(1));
    value.shape.iter().take(front).product()
}

/// What this node remembers, made for the first token; for sequences by themselves nothing.
fn memory(run: &mut Run<'_, '_>, device: &Device, len: usize) -> Result<Option<Floats>, Failure> {
    let Some(memory) = run.memory(|| None::<Floats>)? else { return Ok(None) };
    if memory.is_none() {
        *memory = Some(device.zeros(len)?);
    }
    match memory {
        Some(known) if known.len() == len => Ok(Some(known.clone())),
        _ => Err(Failure::new("the state is of another model")),
    }
}

pub(super) fn causal_conv1d(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, filters) = (run.device(), run.vector(node, 1, Form::Plain)?);
    let bias = run.optional(node, 2, Form::Plain)?;
    let x = run.take(node, 0)?;
    let channels = x.width();
    let taps = filters.len().checked_div(channels).unwrap_or(0);
    let len = taps.saturating_sub(1).saturating_mul(channels);
    let known = memory(run, device, len)?;
    let y = each_sequence(device, sequences(&x, 1), &[x.floats()?], |parts| {
        let [x] = parts else { return Err(Failure::internal("a convolution has one input")) };
        let past = known.clone().map_or_else(|| device.zeros(len), Ok)?;
        Ok(device.causal_conv1d(channels, x, &filters, bias.as_ref(), &past)?)
    })?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, decay) = (run.device(), run.vector(node, 2, Form::Decay)?);
    let (b, c) = (run.weight(node, 3)?, run.weight(node, 4)?);
    let d = run.vector(node, 5, Form::Plain)?;
    let (x, dt) = (run.take(node, 0)?, run.take(node, 1)?);
    run.tap(run.name(node, 3), &x)?;
    let known = memory(run, device, decay.len())?;
    let y = each_sequence(device, sequences(&x, 1), &[x.floats()?, dt.floats()?], |parts| {
        let [s, dt] = parts else { return Err(Failure::internal("a scan has two inputs")) };
        let state = known.clone().map_or_else(|| device.zeros(decay.len()), Ok)?;
        Ok(device.shared_scan(&SharedScan { s, dt, a: &decay, b, c, d: &d }, &state)?)
    })?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn selective_scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, a) = (run.device(), run.vector(node, 4, Form::Decay)?);
    let d = run.vector(node, 5, Form::Plain)?;
    let (x, dt, b, c) = (run.take(node, 0)?, run.take(node, 1)?, run.take(node, 2)?, run.take(node, 3)?);
    let (channels, states) = (x.width(), b.width());
    let len = channels.saturating_mul(states);
    let known = memory(run, device, len)?;
    let inputs = [x.floats()?, dt.floats()?, b.floats()?, c.floats()?];
    let y = each_sequence(device, sequences(&x, 1), &inputs, |parts| {
        let [x, dt, b, c] = parts else { return Err(Failure::internal("a scan has four inputs")) };
        let state = known.clone().map_or_else(|| device.zeros(len), Ok)?;
        let scan = SelectiveScan { x, dt, a: &a, b, c, d: Some(&d), channels, states };
        Ok(device.selective_scan(&scan, &state)?)
    })?;
    Ok(Value::new(x.shape, y))
}
