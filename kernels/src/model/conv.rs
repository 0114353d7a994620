//! The causal convolution of state-space models: each channel by itself.

use super::expect_matrix;
use super::parallel::{self, Plain};
use crate::error::expect_length;
use crate::{Cpu, KernelError};

/// `y[t, c] = bias[c] + Σⱼ w[c, j] x[t - (k - 1) + j, c]`, added from j = 0 on; before the first token lies `past`, or zeros.
///
/// `x` and `y` are `[tokens, channels]`; `w` is `[channels, 1, k]` as checkpoints store it. `past` is `[k - 1, channels]`, the
/// inputs before these, and holds the last ones afterwards: so tokens can come one at a time.
///
/// # Errors
/// [`KernelError::Length`]: a slice that does not fit, or no taps.
pub fn causal_conv1d(
    cpu: &Cpu,
    channels: usize,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    past: Option<&mut [f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    if channels == 0 {
        return expect_length("output of a convolution", 0, x.len().max(y.len()));
    }
    let (tokens, taps) = (x.len() / channels, w.len() / channels);
    expect_matrix("input of a convolution", tokens, channels, x)?;
    expect_matrix("output of a convolution", tokens, channels, y)?;
    expect_length("weight of a convolution", taps.max(1) * channels, w.len())?;
    if let Some(bias) = bias {
        expect_length("bias", channels, bias.len())?;
    }
    let before = (taps - 1) * channels;
    if let Some(past) = &past {
        expect_length("past of a convolution", before, past.len())?;
    }
    let mut by_tap = vec![0.0; w.len()];
    for (channel, w) in w.chunks_exact(taps).enumerate() {
        w.iter().enumerate().for_each(|(tap, &w)| by_tap[tap * channels + channel] = w);
    }
    let mut all = vec![0.0; before + x.len()];
    if let Some(past) = &past {
        all[..before].copy_from_slice(past);
    }
    all[before..].copy_from_slice(x);
    parallel::runs(y, channels, taps, |token, y| {
        let window = &all[token * channels..(token + taps) * channels];
        parallel::run(cpu, Taps { window, by_tap: &by_tap, bias, y });
    });
    if let Some(past) = past {
        past.copy_from_slice(&all[x.len()..]);
    }
    Ok(())
}

/// One token's outputs.
struct Taps<'a> {
    window: &'a [f32],
    by_tap: &'a [f32],
    bias: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl Plain for Taps<'_> {
    #[inline(always)]
    fn run(self) {
        let Taps { window, by_tap, bias, y } = self;
        match bias {
            Some(bias) => y.copy_from_slice(bias),
            None => y.fill(0.0),
        }
        for (x, w) in window.chunks_exact(y.len()).zip(by_tap.chunks_exact(y.len())) {
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y += w * x;
            }
        }
    }
}
