//! Attention.

use icpc_kernels::model::RotaryStyle;
use icpc_kernels::model::reference::{self, Heads};

use super::{Run, Wide};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::eval::tensor::Tensor;
use crate::graph::Node;

/// Keys and values of the tokens so far.
#[derive(Default)]
struct Past {
    keys: Vec<f64>,
    values: Vec<f64>,
}

/// Each head of `x` turned by the angle of its token, of which the first stands at `first`.
fn turned(base: f64, heads: usize, head: usize, first: usize, x: &[f64]) -> Result<Vec<f64>, Failure> {
    let frequencies = reference::frequencies(base, head);
    let mut y = Vec::with_capacity(x.len());
    for (number, x) in x.chunks(head.max(1)).enumerate() {
        let position = first.saturating_add(number.checked_div(heads).unwrap_or(0));
        y.extend(reference::rotary(RotaryStyle::Halves, &frequencies, position, x)?);
    }
    Ok(y)
}

pub(super) fn attention(run: &mut Run<'_, '_>, node: &Node) -> Result<Wide, Failure> {
    let v = run.take(node, 2)?.into_values()?;
    let mut k = run.take(node, 1)?.into_values()?;
    let q = run.take(node, 0)?;
    let (tokens, width, shape) = (q.rows(), q.width(), q.shape.clone());
    let form = forms::attention(run, node, tokens, width)?;
    let (heads, kv_heads, head) = (form.heads, form.kv_heads, form.head);
    let mut q = q.into_values()?;
    if let Some(base) = form.rotary {
        q = turned(base, heads, head, form.first, &q)?;
        k = turned(base, kv_heads, head, form.first, &k)?;
    }
    let scale = if form.is_scaled { 1.0 / (head as f64).sqrt() } else { 1.0 };
    let (causal, window) = (form.causal, form.window);
    let kind = Heads { heads, kv_heads, head, causal, window, scale };
    let y = match run.memory(Past::default)? {
        None => reference::attention(&kind, &q, &k, &v)?,
        Some(_) if !causal => return Err(forms::bidirectional_state()),
        Some(past) => {
            past.keys.extend(k);
            past.values.extend(v);
            reference::attention(&kind, &q, &past.keys, &past.values)?
        }
    };
    Ok(Tensor::floats(shape, y))
}
