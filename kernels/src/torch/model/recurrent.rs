//! Operations in which a token sees those before it through a state.

use super::linear::product;
use super::scan::{BLOCK, last, recur};
use super::{TorchRuntime, TorchValue, TorchWeight};
use crate::KernelError;
use tch::Tensor;

fn axis(x: &Tensor, axis: usize) -> i64 {
    x.size().get(axis).copied().unwrap_or(0)
}

/// Each channel with a filter of its own over the last tokens: `x` of `[batch, seq, n]`, filters of `[n, 1, k]`.
///
/// `past` holds the k - 1 inputs before these, `[batch, k - 1, n]`, zeros where it is empty, and is left with the last ones.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn causal_conv1d(
    runtime: &TorchRuntime,
    x: &TorchValue,
    filters: &TorchWeight,
    bias: Option<&TorchWeight>,
    past: Option<&mut Option<TorchValue>>,
) -> Result<TorchValue, KernelError> {
    let filters = filters.dense(runtime)?.0;
    let taps = filters.size().last().copied().unwrap_or(0);
    let (batch, tokens, channels) = (axis(&x.0, 0), axis(&x.0, 1), axis(&x.0, 2));
    let filters = filters.f_reshape([channels, taps])?;
    let before = match &past {
        Some(Some(before)) => before.0.shallow_clone(),
        _ => x.0.f_new_zeros([batch, (taps - 1).max(0), channels], (x.0.f_kind()?, x.0.device()))?,
    };
    let all = Tensor::f_cat(&[&before, &x.0], 1)?;
    let mut y = match bias {
        Some(bias) => bias.dense(runtime)?.0.f_expand([batch, tokens, channels], false)?,
        None => x.0.f_zeros_like()?,
    };
    for tap in 0..taps {
        y = y.f_addcmul(&all.f_narrow(1, tap, tokens)?, &filters.f_select(1, tap)?)?;
    }
    if let Some(past) = past {
        *past = Some(TorchValue(all.f_narrow(1, tokens, (taps - 1).max(0))?.f_detach_copy()?));
    }
    Ok(TorchValue(y))
}

/// The scan of Itera-Lite, whose state all channels share: `h = exp(-exp(a_log) dt) h + dt (b x)`, `y = c h + d x`, with `x` of
/// `[batch, seq, n]` and one step `dt` for each token, `[batch, seq]`.
///
/// `state` is the state before these tokens, `[batch, s]`, zeros where it is empty, and is left as it is after them.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn shared_scan(
    runtime: &TorchRuntime,
    x: &TorchValue,
    dt: &TorchValue,
    [a_log, b, c, d]: [&TorchWeight; 4],
    state: Option<&mut Option<TorchValue>>,
) -> Result<TorchValue, KernelError> {
    let rate = a_log.dense(runtime)?.0.f_exp()?.f_neg()?;
    let dt = dt.0.f_unsqueeze(-1)?;
    let decay = dt.f_mul(&rate)?.f_exp()?;
    let input = product(&x.0, &b.dense(runtime)?.0, None)?.f_mul(&dt)?;
    let before = state.as_ref().and_then(|s| s.as_ref()).map(|s| &s.0);
    let states = recur(&decay, &input, before)?;
    if let Some(state) = state {
        *state = Some(TorchValue(last(&states)?.f_detach_copy()?));
    }
    let y = product(&states, &c.dense(runtime)?.0, None)?;
    Ok(TorchValue(y.f_addcmul(&x.0, &d.dense(runtime)?.0)?))
}

/// Mamba's selective scan: `h = exp(-exp(a_log) dt) h + dt b x`, `y = Σ c h + d x`, a state of `s` numbers for each channel; `x` and `dt`
/// of `[batch, seq, n]`, `b` and `c` of `[batch, seq, s]`.
///
/// `state` is `[batch, n, s]` before these tokens, zeros where it is empty, and is left as it is after them. States are in memory for
/// 64 tokens at a time, unless gradients need them.
///
/// # Errors
/// [`KernelError::Device`]: lengths that do not fit, too.
pub fn selective_scan(
    runtime: &TorchRuntime,
    [x, dt, b, c]: [&TorchValue; 4],
    [a_log, d]: [&TorchWeight; 2],
    state: Option<&mut Option<TorchValue>>,
) -> Result<TorchValue, KernelError> {
    let rate = a_log.dense(runtime)?.0.f_exp()?.f_neg()?;
    let tokens = axis(&x.0, 1);
    let input = dt.0.f_mul(&x.0)?;
    let mut before = state.as_ref().and_then(|s| s.as_ref()).map(|s| s.0.shallow_clone());
    let mut blocks = Vec::new();
    for first in (0..tokens).step_by(BLOCK as usize) {
        let length = BLOCK.min(tokens - first);
        let part = |value: &Tensor, axis: i64| -> Result<Tensor, KernelError> {
            Ok(value.f_narrow(1, first, length)?.f_unsqueeze(axis)?)
        };
        let decay = part(&dt.0, 3)?.f_mul(&rate)?.f_exp()?;
        let states = recur(&decay, &part(&input, 3)?.f_mul(&part(&b.0, 2)?)?, before.as_ref())?;
        blocks.push(states.f_matmul(&part(&c.0, 3)?)?.f_squeeze_dim(3)?);
        before = Some(last(&states)?);
    }
    let y = match blocks.len() {
        0 => x.0.f_zeros_like()?,
        _ => Tensor::f_cat(&blocks, 1)?,
    };
    if let Some(state) = state {
        *state = before.map(|b| b.f_detach_copy()).transpose()?.map(TorchValue);
    }
    Ok(TorchValue(y.f_addcmul(&x.0, &d.dense(runtime)?.0)?))
}
