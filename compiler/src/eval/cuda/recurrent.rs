//! Operations in which a token sees those before it through a state.

use icpc_kernels::cuda::model::{Device, Floats, SelectiveScan, SharedScan};

use super::value::Value;
use super::{Form, Run};
use crate::eval::error::Failure;
use crate::graph::Node;

/// What this node remembers, or zeros for a sequence by itself.
fn memory(run: &mut Run<'_, '_>, device: &Device, len: usize) -> Result<Floats, Failure> {
    let Some(memory) = run.memory(|| None::<Floats>)? else { return Ok(device.zeros(len)?) };
    if memory.is_none() {
        *memory = Some(device.zeros(len)?);
    }
    match memory {
        Some(known) if known.len() == len => Ok(known.clone()),
        _ => Err(Failure::new("the state is of another model")),
    }
}

pub(super) fn causal_conv1d(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, filters) = (run.device(), run.vector(node, 1, Form::Plain)?);
    let bias = run.optional(node, 2, Form::Plain)?;
    let x = run.take(node, 0)?;
    let channels = x.width();
    let taps = filters.len().checked_div(channels).unwrap_or(0);
    let past = memory(run, device, taps.saturating_sub(1).saturating_mul(channels))?;
    let y = device.causal_conv1d(channels, x.floats()?, &filters, bias.as_ref(), &past)?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, a) = (run.device(), run.vector(node, 2, Form::Decay)?);
    let (b, c) = (run.weight(node, 3)?, run.weight(node, 4)?);
    let d = run.vector(node, 5, Form::Plain)?;
    let (x, dt) = (run.take(node, 0)?, run.take(node, 1)?);
    run.tap(run.name(node, 3), &x)?;
    let state = memory(run, device, a.len())?;
    let scan = SharedScan { s: x.floats()?, dt: dt.floats()?, a: &a, b, c, d: &d };
    let y = device.shared_scan(&scan, &state)?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn selective_scan(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, a) = (run.device(), run.vector(node, 4, Form::Decay)?);
    let d = run.vector(node, 5, Form::Plain)?;
    let (x, dt, b, c) = (run.take(node, 0)?, run.take(node, 1)?, run.take(node, 2)?, run.take(node, 3)?);
    let (channels, states) = (x.width(), b.width());
    let state = memory(run, device, channels.saturating_mul(states))?;
    let (dt, b, c) = (dt.floats()?, b.floats()?, c.floats()?);
    let scan = SelectiveScan { x: x.floats()?, dt, a: &a, b, c, d: Some(&d), channels, states };
    let y = device.selective_scan(&scan, &state)?;
    Ok(Value::new(x.shape, y))
}
