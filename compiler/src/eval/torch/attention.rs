//! Attention.

use icpc_kernels::torch::model::{self, AttentionShape, KeyValues, TorchValue};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::Node;

pub(super) fn attention(run: &mut Run<'_, '_>, node: &Node) -> Result<TorchValue, Failure> {
    let v = run.take(node, 2)?;
    let mut k = run.take(node, 1)?;
    let mut q = run.take(node, 0)?;
    let tokens = q.shape().get(1).copied().unwrap_or(0);
    let form = forms::attention(run, node, tokens, q.width())?;
    if let Some(base) = form.rotary {
        q = model::rotate(run.runtime(), &q, form.heads, base, form.first)?;
        k = model::rotate(run.runtime(), &k, form.kv_heads, base, form.first)?;
    }
    let scale = if form.is_scaled { 1.0 / (form.head as f64).sqrt() } else { 1.0 };
    let (heads, kv_heads, head) = (form.heads, form.kv_heads, form.head);
    let (causal, window) = (form.causal, form.window);
    let shape = AttentionShape { heads, kv_heads, head, causal, window, scale };
    match run.memory(KeyValues::new)? {
        Some(_) if !causal => Err(forms::bidirectional_state()),
        past => Ok(model::attention(&shape, &q, &k, &v, past)?),
    }
}
