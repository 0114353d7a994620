//! Scans of state-space models: a state that decays and takes in each token. The same bits on every variant.

use super::elementwise::exp_of;
use super::parallel::{self, Plain, Shared};
use super::weight::Weight;
use super::{expect_matrix, linear};
use crate::error::expect_length;
use crate::{Cpu, KernelError};

/// Mamba's selective scan: what it reads.
#[derive(Clone, Copy, Debug)]
pub struct Selective<'a> {
    /// `[tokens, channels]`.
    pub x: &'a [f32],
    /// Step of each token and channel, after softplus: `[tokens, channels]`.
    pub dt: &'a [f32],
    /// Decay, `-exp(A_log)`: `[channels, states]`.
    pub a: &'a [f32],
    /// What a token puts in: `[tokens, states]`.
    pub b: &'a [f32],
    /// What a token takes out: `[tokens, states]`.
    pub c: &'a [f32],
    /// Share of the input itself, for each channel.
    pub d: Option<&'a [f32]>,
    /// Channels.
    pub channels: usize,
    /// States of a channel.
    pub states: usize,
}

/// For each channel: `h = exp(dt a) h + (dt x) b`, `y = Σ c h + d x` (Gu and Dao 2023, equation 2 with their discretisation).
///
/// `state` is `[channels, states]`, zeros before the first token, and is left as it is after the last: tokens can come one at a
/// time. `y` is `[tokens, channels]`. The sum over states takes state i into partial sum i mod 16.
///
/// # Errors
/// [`KernelError::Length`]: slices that do not fit.
pub fn selective_scan(
    cpu: &Cpu,
    scan: &Selective<'_>,
    state: &mut [f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    let &Selective { x, dt, a, b, c, d, channels, states } = scan;
    let tokens = x.len().checked_div(channels).unwrap_or(0);
    expect_matrix("input of a scan", tokens, channels, x)?;
    expect_length("steps of a scan", x.len(), dt.len())?;
    expect_matrix("decay of a scan", channels, states, a)?;
    expect_matrix("B of a scan", tokens, states, b)?;
    expect_matrix("C of a scan", tokens, states, c)?;
    expect_length("state of a scan", a.len(), state.len())?;
    expect_length("output of a scan", x.len(), y.len())?;
    if let Some(d) = d {
        expect_length("D of a scan", channels, d.len())?;
    }
    if states == 0 {
        for (index, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = d.map_or(0.0, |d| d[index % channels] * x);
        }
        return Ok(());
    }
    let y = Shared::new(y);
    parallel::runs(state, TOGETHER * states, tokens.saturating_mul(12), |block, state| {
        parallel::run(cpu, Channels { scan, first: block * TOGETHER, state, y: &y });
    });
    Ok(())
}

/// Channels that go along the tokens together: as many as share a line of the cache.
const TOGETHER: usize = 16;

/// Some channels, all tokens.
struct Channels<'a> {
    scan: &'a Selective<'a>,
    first: usize,
    state: &'a mut [f32],
    y: &'a Shared<'a>,
}

const LANES: usize = 16;

impl Plain for Channels<'_> {
    #[inline(always)]
    fn run(self) {
        let Channels { scan, first, state, y } = self;
        let states = scan.states;
        let tokens = scan.b.chunks_exact(states).zip(scan.c.chunks_exact(states));
        for (token, (b, c)) in tokens.enumerate() {
            let decays = scan.a[first * states..].chunks_exact(states);
            for (channel, (state, a)) in (first..).zip(state.chunks_exact_mut(states).zip(decays)) {
                let at = token * scan.channels + channel;
                let (x, dt) = (scan.x[at], scan.dt[at]);
                let sum = step(state, a, b, c, dt, dt * x);
                let through = scan.d.map_or(0.0, |d| d[channel] * x);
                // SAFETY: a channel's outputs are written by one piece.
                unsafe { y.set(at, sum + through) };
            }
        }
    }
}

/// One channel takes in one token; Σ c h.
#[inline(always)]
fn step(state: &mut [f32], a: &[f32], b: &[f32], c: &[f32], dt: f32, input: f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (whole, rest) = state.as_chunks_mut::<LANES>();
    let done = whole.len() * LANES;
    let all = whole.iter_mut().zip(a.as_chunks::<LANES>().0);
    let all = all.zip(b.as_chunks::<LANES>().0).zip(c.as_chunks::<LANES>().0);
    for (((state, a), b), c) in all {
        let mut decays = [0.0f32; LANES];
        for lane in 0..LANES {
            decays[lane] = exp_of(dt * a[lane]);
        }
        for lane in 0..LANES {
            state[lane] = decays[lane] * state[lane] + input * b[lane];
            sums[lane] += c[lane] * state[lane];
        }
    }
    for (lane, state) in rest.iter_mut().enumerate() {
        let index = done + lane;
        *state = exp_of(dt * a[index]) * *state + input * b[index];
        sums[lane] += c[index] * *state;
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// The scan of Itera-Lite, whose state is shared by all channels: `h = exp(dt a) h + dt (B s)`, `y = C h + d s`.
///
/// `s` and `y` are `[tokens, channels]`; `dt` is one step for each token; `a` is `-exp(A_log)`, `[states]`; `b` is `[states, channels]`,
/// `c` is `[channels, states]`; `d` is one share for each channel. `state` is `[states]`, zeros before the first token, and is left as
/// it is after the last.
///
/// # Errors
/// [`KernelError::Length`]: slices that do not fit.
#[expect(clippy::too_many_arguments, reason = "each is a tensor of the formula")]
pub fn shared_scan(
    cpu: &Cpu,
    s: &[f32],
    dt: &[f32],
    a: &[f32],
    b: &Weight<'_>,
    c: &Weight<'_>,
    d: &[f32],
    state: &mut [f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    let (tokens, states, channels) = (dt.len(), a.len(), d.len());
    expect_length("rows of B", states, b.rows())?;
    expect_length("columns of B", channels, b.columns())?;
    expect_length("rows of C", channels, c.rows())?;
    expect_length("columns of C", states, c.columns())?;
    expect_length("state of a scan", states, state.len())?;
    expect_matrix("input of a scan", tokens, channels, s)?;
    expect_length("output of a scan", s.len(), y.len())?;
    let mut h = vec![0.0; tokens * states];
    linear(cpu, tokens, s, b, None, &mut h)?;
    if states > 0 {
        parallel::run(cpu, States { dt, a, h: &mut h, state });
    }
    linear(cpu, tokens, &h, c, None, y)?;
    parallel::runs(y, channels, 1, |token, y| {
        let s = &s[token * channels..token * channels + y.len()];
        parallel::run(cpu, Through { y, d, s });
    });
    Ok(())
}

/// What tokens put in becomes the states after them.
struct States<'a> {
    dt: &'a [f32],
    a: &'a [f32],
    h: &'a mut [f32],
    state: &'a mut [f32],
}

impl Plain for States<'_> {
    #[inline(always)]
    fn run(self) {
        let States { dt, a, h, state } = self;
        for (h, &dt) in h.chunks_exact_mut(a.len()).zip(dt) {
            for ((h, state), a) in h.iter_mut().zip(state.iter_mut()).zip(a) {
                *state = exp_of(dt * a) * *state + dt * *h;
                *h = *state;
            }
        }
    }
}

/// `y += d s`
struct Through<'a> {
    y: &'a mut [f32],
    d: &'a [f32],
    s: &'a [f32],
}

impl Plain for Through<'_> {
    #[inline(always)]
    fn run(self) {
        for ((y, d), s) in self.y.iter_mut().zip(self.d).zip(self.s) {
            *y += d * s;
        }
    }
}
