//! Attention.

use icpc_kernels::model::{self, Attention, Cache, Rotary, RotaryStyle};

use super::Run;
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::tensor::{Tensor, zeros};
use crate::graph::Node;

pub(super) fn attention(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let v = run.take(node, 2)?;
    let mut k = run.take(node, 1)?.into_values()?;
    let q = run.take(node, 0)?;
    let (tokens, shape) = (q.rows(), q.shape.clone());
    let form = forms::attention(run, node, tokens, q.width())?;
    let (heads, kv_heads, head) = (form.heads, form.kv_heads, form.head);
    let mut q = q.into_values()?;
    if let Some(base) = form.rotary {
        let turns = Rotary::new(&Rotary::frequencies(base, head), form.first..form.seen);
        turns.apply(RotaryStyle::Halves, heads, head, form.first, &mut q)?;
        turns.apply(RotaryStyle::Halves, kv_heads, head, form.first, &mut k)?;
    }
    let (causal, window) = (form.causal, form.window);
    let mut kind = Attention { causal, window, ..Attention::causal(heads, kv_heads, head) };
    if !form.is_scaled {
        kind.scale = 1.0;
    }
    let cpu = run.cpu();
    let mut y = zeros(&shape)?;
    match run.memory(|| Cache::new(kv_heads.saturating_mul(head), 0))? {
        None => model::attention(cpu, &kind, &q, &k, v.values()?, &mut y)?,
        Some(_) if !form.causal => return Err(forms::bidirectional_state()),
        Some(cache) => {
            cache.push(&k, v.values()?)?;
            model::attention(cpu, &kind, &q, cache.keys(), cache.values(), &mut y)?;
        }
    }
    Ok(Tensor::floats(shape, y))
}
