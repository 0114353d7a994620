//! Attention.

use icpc_kernels::cuda::model::KeyValues;
use icpc_kernels::model::Attention;

use super::Run;
use super::value::Value;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn attention(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (q, k, v) = (run.take(node, 0)?, run.take(node, 1)?, run.take(node, 2)?);
    let form = forms::attention(run, node, q.rows(), q.width())?;
    let (device, engine) = (run.device(), run.engine());
    let turns = form.rotary.map(|base| engine.turns(base, form.head, form.seen)).transpose()?;
    let (causal, window) = (form.causal, form.window);
    let mut shape = Attention { causal, window, ..Attention::causal(form.heads, form.kv_heads, form.head) };
    if !form.is_scaled {
        shape.scale = 1.0;
    }
    let width = form.kv_heads.saturating_mul(form.head);
    let (qs, ks, vs) = (q.floats()?, k.floats()?, v.floats()?);
    let y = match run.memory(|| None::<KeyValues>)? {
        None => match &turns {
            None => device.attention(&shape, qs, ks, vs)?,
            Some(turns) => {
                let turned = device.turn(turns, form.heads, form.head, None, qs)?;
                let keys = device.turn(turns, form.kv_heads, form.head, None, ks)?;
                device.attention(&shape, &turned, &keys, vs)?
            }
        },
        Some(_) if !form.causal => return Err(forms::bidirectional_state()),
        Some(memory) => {
            if memory.is_none() {
                *memory = Some(device.key_values(width, form.seen)?);
            }
            let cache = memory.as_mut().ok_or_else(|| Failure::internal("no keys and values"))?;
            let past = engine.past(form.first)?;
            let turned =
                turns.as_ref().map(|t| device.turn(t, form.heads, form.head, Some(past), qs)).transpose()?;
            device.append(cache, turns.as_ref(), form.head, past, ks, vs)?;
            device.attention_cached(&shape, past, turned.as_ref().unwrap_or(qs), cache)?
        }
    };
    Ok(Value::new(q.shape, y))
}
