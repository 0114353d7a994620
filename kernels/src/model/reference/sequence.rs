//! What goes along the tokens, with a memory of those before.

use super::rows_of;
use crate::KernelError;
use crate::error::expect_length;

/// `y[t, c] = bias[c] + Σⱼ w[c, j] x[t - (k - 1) + j, c]`. `past` is `[k - 1, channels]`, the inputs before these, and holds the last
/// ones afterwards.
///
/// # Errors
/// [`KernelError::Length`].
pub fn causal_conv1d(
    channels: usize,
    x: &[f64],
    w: &[f64],
    bias: Option<&[f64]>,
    past: &mut [f64],
) -> Result<Vec<f64>, KernelError> {
    let tokens = rows_of("input of a convolution", channels, x)?;
    let taps = w.len().checked_div(channels).unwrap_or(0);
    expect_length("weight of a convolution", taps.max(1) * channels, w.len())?;
    expect_length("past of a convolution", taps.saturating_sub(1) * channels, past.len())?;
    if let Some(bias) = bias {
        expect_length("bias", channels, bias.len())?;
    }
    let all = [&*past, x].concat();
    let mut y = Vec::with_capacity(x.len());
    for token in 0..tokens {
        for channel in 0..channels {
            let tap = |tap: usize| w[channel * taps + tap] * all[(token + tap) * channels + channel];
            y.push(bias.map_or(0.0, |bias| bias[channel]) + (0..taps).map(tap).sum::<f64>());
        }
    }
    past.copy_from_slice(&all[x.len()..]);
    Ok(y)
}

/// Mamba's selective scan: what it reads, as [`super::super::Selective`].
#[derive(Clone, Copy, Debug)]
pub struct Selective<'a> {
    /// `[tokens, channels]`.
    pub x: &'a [f64],
    /// `[tokens, channels]`.
    pub dt: &'a [f64],
    /// `[channels, states]`.
    pub a: &'a [f64],
    /// `[tokens, states]`.
    pub b: &'a [f64],
    /// `[tokens, states]`.
    pub c: &'a [f64],
    /// For each channel.
    pub d: Option<&'a [f64]>,
    /// Channels.
    pub channels: usize,
    /// States of a channel.
    pub states: usize,
}

/// For each channel: `h = exp(dt a) h + dt b x`, `y = Σ c h + d x`. `state` is `[channels, states]`, and is left as it is after the
/// last token.
///
/// # Errors
/// [`KernelError::Length`].
pub fn selective_scan(scan: &Selective<'_>, state: &mut [f64]) -> Result<Vec<f64>, KernelError> {
    let &Selective { x, dt, a, b, c, d, channels, states } = scan;
    let tokens = rows_of("input of a scan", channels, x)?;
    expect_length("steps of a scan", x.len(), dt.len())?;
    expect_length("decay of a scan", channels * states, a.len())?;
    expect_length("B of a scan", tokens * states, b.len())?;
    expect_length("C of a scan", tokens * states, c.len())?;
    expect_length("state of a scan", a.len(), state.len())?;
    if let Some(d) = d {
        expect_length("D of a scan", channels, d.len())?;
    }
    let mut y = Vec::with_capacity(x.len());
    for token in 0..tokens {
        for channel in 0..channels {
            let (x, dt) = (x[token * channels + channel], dt[token * channels + channel]);
            let mut sum = d.map_or(0.0, |d| d[channel] * x);
            for index in 0..states {
                let h = &mut state[channel * states + index];
                *h = (dt * a[channel * states + index]).exp() * *h + dt * b[token * states + index] * x;
                sum += c[token * states + index] * *h;
            }
            y.push(sum);
        }
    }
    Ok(y)
}

/// The scan of Itera-Lite: `h = exp(dt a) h + dt (B s)`, `y = C h + d s`, with one state for all channels. `s` is `[tokens, channels]`, `dt`
/// is `[tokens]`, `a` is `[states]`, `b` is `[states, channels]`, `c` is `[channels, states]`, `d` is `[channels]`. `state` is `[states]`, and is
/// left as it is after the last token.
///
/// # Errors
/// [`KernelError::Length`].
pub fn shared_scan(
    s: &[f64],
    dt: &[f64],
    [a, b, c, d]: [&[f64]; 4],
    state: &mut [f64],
) -> Result<Vec<f64>, KernelError> {
    let (states, channels) = (a.len(), d.len());
    expect_length("input of a scan", dt.len() * channels, s.len())?;
    expect_length("B of a scan", states * channels, b.len())?;
    expect_length("C of a scan", states * channels, c.len())?;
    expect_length("state of a scan", states, state.len())?;
    let mut y = Vec::with_capacity(s.len());
    for (s, dt) in s.chunks_exact(channels.max(1)).zip(dt) {
        for (index, h) in state.iter_mut().enumerate() {
            let b = &b[index * channels..][..channels];
            let input: f64 = s.iter().zip(b).map(|(s, b)| s * b).sum();
            *h = (dt * a[index]).exp() * *h + dt * input;
        }
        for channel in 0..channels {
            let c = &c[channel * states..][..states];
            y.push(state.iter().zip(c).map(|(h, c)| h * c).sum::<f64>() + d[channel] * s[channel]);
        }
    }
    Ok(y)
}
