//! Attention.

use icpc_kernels::model::{self, Attention, Cache, Rotary, RotaryStyle};

use crate::eval::error::Failure;
use crate::eval::interpret::Run;
use crate::eval::state::Memory;
use crate::eval::value::{Tensor, zeros};
use crate::graph::{Attribute, Node};

pub(super) fn attention(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let heads = run.size(node, "heads")?.unwrap_or(0);
    let kv_heads = run.size(node, "kv_heads")?.unwrap_or(heads);
    let causal = node.attribute("causal") == Some(&Attribute::Flag(true));
    let v = run.take(node, 2)?;
    let mut k = run.take(node, 1)?.into_values()?;
    let q = run.take(node, 0)?;
    let (tokens, shape) = (q.rows(), q.shape.clone());
    let head = q.width().checked_div(heads).unwrap_or(0);
    if heads.saturating_mul(head) != q.width() {
        return Err(Failure::new(format!("{heads} heads do not divide rows of {}", q.width())));
    }
    let mut q = q.into_values()?;
    let first = run.past();
    let seen = first.saturating_add(tokens);
    if let Some(window) = run.size(node, "window")?
        && window > 0
        && seen > window
    {
        return Err(Failure::new(format!(
            "{seen} tokens are more than the window of {window}, which is not there yet"
        )));
    }
    if let Some(Attribute::Float(base)) = node.attribute("rotary") {
        let turns = Rotary::new(&Rotary::frequencies(*base, head), first..seen);
        turns.apply(RotaryStyle::Halves, heads, head, first, &mut q)?;
        turns.apply(RotaryStyle::Halves, kv_heads, head, first, &mut k)?;
    }
    let mut form = Attention { causal, ..Attention::causal(heads, kv_heads, head) };
    if node.attribute("scaled") == Some(&Attribute::Flag(false)) {
        form.scale = 1.0;
    }
    let cpu = run.cpu();
    let mut y = zeros(&shape)?;
    match run.memory(|| Memory::Attention(Cache::new(kv_heads.saturating_mul(head), 0))) {
        None => model::attention(cpu, &form, &q, &k, v.values()?, &mut y)?,
        Some(_) if !causal => {
            return Err(Failure::new("tokens see later ones, so they do not come one at a time"));
        }
        Some(Memory::Attention(cache)) => {
            cache.push(&k, v.values()?)?;
            model::attention(cpu, &form, &q, cache.keys(), cache.values(), &mut y)?;
        }
        Some(Memory::Numbers(_)) => return Err(Failure::new("the state is of another model")),
    }
    Ok(Tensor::floats(shape, y))
}
