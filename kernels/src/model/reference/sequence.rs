//! What goes along the tokens, in f64. Results come with the sum of magnitudes that a bound is about, where it is not the
//! result itself.

use super::super::{Attention, RotaryStyle, Routes, Selective};

/// `[tokens, channels]` without a past.
pub fn causal_conv1d(channels: usize, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<(f64, f64)> {
    let (tokens, taps) = (x.len() / channels, w.len() / channels);
    let mut y = Vec::new();
    for token in 0..tokens {
        for channel in 0..channels {
            let start = bias.map_or(0.0, |bias| f64::from(bias[channel]));
            let (mut sum, mut size) = (start, start.abs());
            for tap in 0..taps {
                // tap `taps - 1` is the token itself
                let Some(from) = (token + tap + 1).checked_sub(taps) else { continue };
                let product = f64::from(w[channel * taps + tap]) * f64::from(x[from * channels + channel]);
                sum += product;
                size += product.abs();
            }
            y.push((sum, size));
        }
    }
    y
}

/// One head at one position.
pub fn rotary(style: RotaryStyle, frequencies: &[f64], position: usize, x: &[f32]) -> Vec<f64> {
    let mut y: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    for (pair, frequency) in frequencies.iter().enumerate() {
        let (low, high) = match style {
            RotaryStyle::Halves => (pair, pair + frequencies.len()),
            RotaryStyle::Interleaved => (2 * pair, 2 * pair + 1),
        };
        let (sine, cosine) = (position as f64 * frequency).sin_cos();
        (y[low], y[high]) = (y[low] * cosine - y[high] * sine, y[high] * cosine + y[low] * sine);
    }
    y
}

/// `[tokens, heads, head]`.
pub fn attention(shape: &Attention, q: &[f32], keys: &[f32], values: &[f32]) -> Vec<f64> {
    let (width, kv_width) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let (tokens, seen) = (q.len() / width, keys.len() / kv_width);
    let mut y = Vec::new();
    for token in 0..tokens {
        for head in 0..shape.heads {
            let q = &q[token * width + head * shape.head..][..shape.head];
            let first = head * shape.kv_heads / shape.heads * shape.head;
            let last = if shape.causal { seen - tokens + token + 1 } else { seen };
            let first_key =
                if shape.causal && shape.window > 0 { last.saturating_sub(shape.window) } else { 0 };
            let score = |key: usize| -> f64 {
                let k = &keys[key * kv_width + first..][..shape.head];
                let products = q.iter().zip(k).map(|(&q, &k)| f64::from(q) * f64::from(k));
                products.sum::<f64>() * f64::from(shape.scale)
            };
            let scores: Vec<f64> = (first_key..last).map(score).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            for place in 0..shape.head {
                let value = |key: usize| f64::from(values[key * kv_width + first + place]);
                let sum: f64 = (first_key..).zip(&weights).map(|(key, weight)| weight * value(key)).sum();
                y.push(sum / total);
            }
        }
    }
    y
}

/// `[tokens, channels]` from a state of zeros.
pub fn selective_scan(scan: &Selective<'_>) -> Vec<(f64, f64)> {
    let (channels, states) = (scan.channels, scan.states);
    let tokens = scan.x.len() / channels;
    let mut y = vec![(0.0, 0.0); tokens * channels];
    for channel in 0..channels {
        let mut state = vec![(0.0, 0.0); states];
        for token in 0..tokens {
            let at = token * channels + channel;
            let (x, dt) = (f64::from(scan.x[at]), f64::from(scan.dt[at]));
            let through = scan.d.map_or(0.0, |d| f64::from(d[channel])) * x;
            y[at] = (through, through.abs());
            for (index, (h, size)) in state.iter_mut().enumerate() {
                let decay = (dt * f64::from(scan.a[channel * states + index])).exp();
                let input = dt * f64::from(scan.b[token * states + index]) * x;
                (*h, *size) = (decay * *h + input, decay * *size + input.abs());
                let c = f64::from(scan.c[token * states + index]);
                y[at].0 += c * *h;
                y[at].1 += c.abs() * *size;
            }
        }
    }
    y
}

/// `[tokens, channels]` from a state of zeros; B and C decoded, `[states, channels]` and `[channels, states]`.
pub fn shared_scan(s: &[f32], dt: &[f32], a: &[f32], b: &[f32], c: &[f32], d: &[f32]) -> Vec<(f64, f64)> {
    let (states, channels) = (a.len(), d.len());
    let mut h = vec![(0.0, 0.0); states];
    let mut y = Vec::new();
    for (s, &dt) in s.chunks_exact(channels).zip(dt) {
        let dt = f64::from(dt);
        for (index, (h, size)) in h.iter_mut().enumerate() {
            let decay = (dt * f64::from(a[index])).exp();
            let b = &b[index * channels..(index + 1) * channels];
            let products = s.iter().zip(b).map(|(&s, &b)| dt * f64::from(s) * f64::from(b));
            let (input, large) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
            (*h, *size) = (decay * *h + input, decay * *size + large);
        }
        for channel in 0..channels {
            let through = f64::from(d[channel]) * f64::from(s[channel]);
            let c = &c[channel * states..(channel + 1) * states];
            let products =
                h.iter().zip(c).map(|((h, size), &c)| (h * f64::from(c), size * f64::from(c).abs()));
            y.push(products.fold((through, through.abs()), |sum, p| (sum.0 + p.0, sum.1 + p.1)));
        }
    }
    y
}

/// `[tokens, output]` of experts that compute all tokens one by one.
pub fn mixture(
    width: usize,
    output: usize,
    routes: &Routes,
    x: &[f32],
    expert: impl Fn(usize, &[f32]) -> Vec<f32>,
) -> Vec<f64> {
    let mut y = Vec::new();
    let routed = routes.experts.chunks_exact(routes.k).zip(routes.weights.chunks_exact(routes.k));
    for (x, (experts, weights)) in x.chunks_exact(width).zip(routed) {
        let mut sum = vec![0.0; output];
        for (&number, &weight) in experts.iter().zip(weights) {
            let values = expert(number as usize, x);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(weight) * f64::from(value));
        }
        y.extend(sum);
    }
    y
}
