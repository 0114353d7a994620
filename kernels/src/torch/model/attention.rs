//! Attention with grouped queries, and rotary positions.

use super::{TorchRuntime, TorchValue};
use crate::KernelError;
use tch::{Kind, Tensor};

/// Heads, and what they see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, which divide those.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head: usize,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
    /// Tokens that a token sees, itself included; all before it with 0. For causal ones.
    pub window: usize,
    /// Factor of the scores.
    pub scale: f64,
}

/// Keys and values of the tokens so far: `[batch, kv_heads, tokens, head]`. Without gradients.
#[derive(Debug, Default)]
pub struct KeyValues {
    /// Room for more tokens than there are.
    room: Option<(Tensor, Tensor)>,
    tokens: i64,
}

impl KeyValues {
    /// Of no token.
    pub fn new() -> KeyValues {
        KeyValues::default()
    }

    /// Takes in those of the next tokens; all so far.
    fn push(&mut self, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor), KernelError> {
        let (keys, values) = (keys.f_detach()?, values.f_detach()?);
        let new = keys.size().get(2).copied().unwrap_or(0);
        let end = self.tokens + new;
        let room = self.room.as_ref().map_or(0, |(keys, _)| keys.size().get(2).copied().unwrap_or(0));
        if end > room {
            let grown = |new: &Tensor, old: Option<&Tensor>| -> Result<Tensor, KernelError> {
                let mut shape = new.size();
                if let Some(length) = shape.get_mut(2) {
                    *length = (end + end / 2).max(16);
                }
                let grown = new.f_new_empty(&shape, (new.f_kind()?, new.device()))?;
                if let Some(old) = old {
                    grown.f_narrow(2, 0, self.tokens)?.f_copy_(&old.f_narrow(2, 0, self.tokens)?)?;
                }
                Ok(grown)
            };
            let old = self.room.as_ref();
            self.room = Some((grown(&keys, old.map(|o| &o.0))?, grown(&values, old.map(|o| &o.1))?));
        }
        let Some((all_keys, all_values)) = &self.room else {
            return Err(KernelError::Malformed { what: "internal error: no room for keys" });
        };
        all_keys.f_narrow(2, self.tokens, new)?.f_copy_(&keys)?;
        all_values.f_narrow(2, self.tokens, new)?.f_copy_(&values)?;
        self.tokens = end;
        Ok((all_keys.f_narrow(2, 0, end)?, all_values.f_narrow(2, 0, end)?))
    }
}

/// Turns the heads of `x`, `[batch, seq, heads × head]`, by the angles of positions from `first` on: values `i` and `i + head / 2`
/// are a pair, turned by `position base^(-2 i / head)`.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn rotate(
    runtime: &TorchRuntime,
    x: &TorchValue,
    heads: usize,
    base: f64,
    first: usize,
) -> Result<TorchValue, KernelError> {
    let shape = x.0.size();
    let [batch, tokens, width] = axes(&shape)?;
    let (heads, head) = (heads as i64, width / (heads as i64).max(1));
    let pairs = head / 2;
    let options = (Kind::Double, runtime.tch);
    let exponents = Tensor::f_arange(pairs, options)?.f_mul_scalar(-2.0 / head.max(1) as f64 * base.ln())?;
    let positions = Tensor::f_arange_start(first as i64, first as i64 + tokens, options)?;
    let angles = positions.f_unsqueeze(1)?.f_mul(&exponents.f_exp()?)?;
    // one axis for the heads
    let cosines = angles.f_cos()?.f_to_kind(Kind::Float)?.f_unsqueeze(1)?;
    let sines = angles.f_sin()?.f_to_kind(Kind::Float)?.f_unsqueeze(1)?;
    let split = x.0.f_reshape([batch, tokens, heads, head])?;
    let (low, high) = (split.f_narrow(3, 0, pairs)?, split.f_narrow(3, pairs, pairs)?);
    let mut parts = vec![
        low.f_mul(&cosines)?.f_sub(&high.f_mul(&sines)?)?,
        high.f_mul(&cosines)?.f_add(&low.f_mul(&sines)?)?,
    ];
    if head % 2 == 1 {
        parts.push(split.f_narrow(3, head - 1, 1)?);
    }
    Ok(TorchValue(Tensor::f_cat(&parts, 3)?.f_reshape([batch, tokens, width])?))
}

fn axes(shape: &[i64]) -> Result<[i64; 3], KernelError> {
    <[i64; 3]>::try_from(shape)
        .map_err(|_| KernelError::Malformed { what: "activations are not [batch, seq, n]" })
}

/// `softmax(q k^T scale) v` of each head: queries `[batch, seq, heads × head]`, keys and values `[batch, seq, kv_heads × head]`.
///
/// With `past`, these tokens follow those that it holds, and join them.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn attention(
    shape: &AttentionShape,
    q: &TorchValue,
    k: &TorchValue,
    v: &TorchValue,
    past: Option<&mut KeyValues>,
) -> Result<TorchValue, KernelError> {
    let [batch, tokens, width] = axes(&q.0.size())?;
    let head = shape.head as i64;
    let split = |x: &Tensor, heads: usize| -> Result<Tensor, KernelError> {
        Ok(x.f_reshape([batch, -1, heads as i64, head])?.f_transpose(1, 2)?)
    };
    let q = split(&q.0, shape.heads)?;
    let (mut k, mut v) = (split(&k.0, shape.kv_heads)?, split(&v.0, shape.kv_heads)?);
    if let Some(past) = past {
        (k, v) = past.push(&k, &v)?;
    }
    let (seen, window) = (k.size().get(2).copied().unwrap_or(0), shape.window as i64);
    // no token sees keys before these
    let reach = if window > 0 { seen.min(window + tokens - 1) } else { seen };
    if reach < seen {
        (k, v) = (k.f_narrow(2, seen - reach, reach)?, v.f_narrow(2, seen - reach, reach)?);
    }
    let group = (shape.heads / shape.kv_heads.max(1)) as i64;
    if group > 1 {
        k = k.f_repeat_interleave_self_int(group, 1, None)?;
        v = v.f_repeat_interleave_self_int(group, 1, None)?;
    }
    // of the tokens before it, a single one hides none
    let is_masked = shape.causal && tokens > 1;
    let has_window = is_masked && window > 0 && reach > window;
    let y = if is_traced(&q, &k, &v) {
        let mask = is_masked.then(|| hidden(tokens, reach, window, &q)).transpose()?;
        plain(shape.scale, &q, &k, &v, mask.as_ref())?
    } else if is_masked && reach == tokens && !has_window {
        Tensor::f_scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, true, shape.scale, false)?
    } else {
        let mask = is_masked.then(|| hidden(tokens, reach, window, &q)).transpose()?;
        let shown = mask.map(|hidden| hidden.f_logical_not()).transpose()?;
        Tensor::f_scaled_dot_product_attention(&q, &k, &v, shown, 0.0, false, shape.scale, false)?
    };
    Ok(TorchValue(y.f_transpose(1, 2)?.f_reshape([batch, tokens, width])?))
}

fn is_traced(q: &Tensor, k: &Tensor, v: &Tensor) -> bool {
    q.requires_grad() || k.requires_grad() || v.requires_grad()
}

/// True where a key, `[tokens, seen]`, comes after the query, or before what it sees.
fn hidden(tokens: i64, seen: i64, window: i64, like: &Tensor) -> Result<Tensor, KernelError> {
    let all = Tensor::f_ones([tokens, seen], (Kind::Bool, like.device()))?;
    let later = all.f_triu(seen - tokens + 1)?;
    if window == 0 {
        return Ok(later);
    }
    Ok(later.f_logical_or(&all.f_tril(seen - tokens - window)?)?)
}

/// In single steps, with sums in a fixed order on every device.
fn plain(
    scale: f64,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    hidden: Option<&Tensor>,
) -> Result<Tensor, KernelError> {
    let mut scores = q.f_mul_scalar(scale)?.f_matmul(&k.f_transpose(2, 3)?)?;
    if let Some(hidden) = hidden {
        scores = scores.f_masked_fill(hidden, f64::NEG_INFINITY)?;
    }
    Ok(scores.f_softmax(-1, None)?.f_matmul(v)?)
}
