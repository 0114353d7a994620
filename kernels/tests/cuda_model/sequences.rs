//! Along the tokens: the whole sequence at once and one token after the other.

use crate::{Encoded, close, cpu, device, formats_of, normal, same};
use icpc_kernels::cuda::model::{Device, SelectiveScan, SharedScan, bounds};
use icpc_kernels::model::{self, Attention, Rotary, RotaryStyle, Selective, reference};

#[test]
fn convolutions_have_the_native_bits() {
    let Some(device) = device() else { return };
    for (tokens, channels, taps) in [(9, 40, 4), (2, 300, 4), (5, 3, 1), (1, 7, 5)] {
        let (x, w, bias) = (normal(1, tokens * channels), normal(2, channels * taps), normal(3, channels));
        let mut past = normal(4, (taps - 1) * channels);
        let [xs, ws, biases, pasts] = [&x, &w, &bias, &past].map(|v| device.upload(v).unwrap());
        let mut expected = vec![0.0; x.len()];
        model::causal_conv1d(cpu(), channels, &x, &w, Some(&bias), Some(&mut past), &mut expected).unwrap();
        let y = device.causal_conv1d(channels, &xs, &ws, Some(&biases), &pasts).unwrap();
        same("convolution", &device.download(&y).unwrap(), &expected);
        same("its past", &device.download(&pasts).unwrap(), &past);
    }
}

#[test]
fn selective_scans_have_the_native_bits() {
    let Some(device) = device() else { return };
    for (tokens, channels, states) in [(21, 20, 16), (1, 8, 16), (17, 3, 5), (4, 9, 33), (3, 2, 128)] {
        let positive = |seed, n| -> Vec<f32> { normal(seed, n).iter().map(|v| v.abs() + 0.01).collect() };
        let (x, dt) = (normal(1, tokens * channels), positive(2, tokens * channels));
        let a: Vec<f32> = positive(3, channels * states).iter().map(|v| -v).collect();
        let (b, c, d) = (normal(4, tokens * states), normal(5, tokens * states), normal(6, channels));
        let mut state = normal(7, channels * states);
        let [xs, dts, a_s, bs, cs, ds, states_s] =
            [&x, &dt, &a, &b, &c, &d, &state].map(|v| device.upload(v).unwrap());
        let mut expected = vec![0.0; x.len()];
        let scan = Selective { x: &x, dt: &dt, a: &a, b: &b, c: &c, d: Some(&d), channels, states };
        model::selective_scan(cpu(), &scan, &mut state, &mut expected).unwrap();
        let scan =
            SelectiveScan { x: &xs, dt: &dts, a: &a_s, b: &bs, c: &cs, d: Some(&ds), channels, states };
        let y = device.selective_scan(&scan, &states_s).unwrap();
        same("selective scan", &device.download(&y).unwrap(), &expected);
        same("its state", &device.download(&states_s).unwrap(), &state);
    }
}

#[test]
fn shared_scans_are_within_their_bound() {
    let Some(device) = device() else { return };
    let mut most = 0.0f64;
    // the last one is too long for one launch
    for (tokens, channels, states) in [(12, 64, 8), (1, 128, 16), (5, 33, 3), (150, 320, 24)] {
        for format in formats_of(&[states, channels]).into_iter().step_by(3) {
            if tokens > 100 && format.to_string() != "keep" && !format.to_string().starts_with("nf4") {
                continue;
            }
            let s = normal(1, tokens * channels);
            let dt: Vec<f32> = normal(2, tokens).iter().map(|v| v.abs() * 0.1 + 0.01).collect();
            let a: Vec<f32> = normal(3, states).iter().map(|v| -v.abs() - 0.1).collect();
            let b = Encoded::new(format, &[states, channels], &normal(4, states * channels));
            let c = Encoded::new(
                formats_of(&[channels, states])[1],
                &[channels, states],
                &normal(5, channels * states),
            );
            let d = normal(6, channels);
            let exact = reference::sized(|of| {
                let (dt, a) = (reference::wide(&dt), reference::wide(&a));
                let weights = [a, of(&b.decoded()), of(&c.decoded()), of(&d)];
                let weights = weights.each_ref().map(Vec::as_slice);
                reference::shared_scan(&of(&s), &dt, weights, &mut vec![0.0; states])
            })
            .unwrap();
            let (bs, cs) = (device.weight(&b.weight()).unwrap(), device.weight(&c.weight()).unwrap());
            let [ss, dts, a_s, ds] = [&s, &dt, &a, &d].map(|v| device.upload(v).unwrap());
            let state = device.zeros(states).unwrap();
            let scan = SharedScan { s: &ss, dt: &dts, a: &a_s, b: &bs, c: &cs, d: &ds };
            let y = device.shared_scan(&scan, &state).unwrap();
            let units = model::bounds::scan(tokens, states)
                + bounds::linear(tokens, channels)
                + bounds::linear(tokens, states);
            most = most.max(close(
                &format!("shared scan, {format}"),
                &device.download(&y).unwrap(),
                &exact,
                units,
            ));
            // and token by token, which ends in about the same state
            let one_by_one = device.zeros(states).unwrap();
            let mut last = Vec::new();
            for token in 0..tokens.min(12) {
                let part = device.upload(&s[token * channels..(token + 1) * channels]).unwrap();
                let step = device.upload(&dt[token..token + 1]).unwrap();
                let scan = SharedScan { s: &part, dt: &step, ..scan };
                last = device.download(&device.shared_scan(&scan, &one_by_one).unwrap()).unwrap();
                let exact = &exact[token * channels..(token + 1) * channels];
                close("shared scan, token by token", &last, exact, units);
            }
            assert_eq!(last.len(), channels);
        }
    }
    println!("shared scan: at most {most:.1} u");
}

#[test]
fn rotary_positions_have_the_native_bits() {
    let Some(device) = device() else { return };
    let (tokens, heads, head, first) = (5, 3, 16, 6);
    for turned in [16, 8] {
        let frequencies = Rotary::frequencies(10_000.0, turned);
        let x = normal(1, tokens * heads * head);
        let mut expected = x.clone();
        Rotary::new(&frequencies, first..first + tokens)
            .apply(RotaryStyle::Halves, heads, head, first, &mut expected)
            .unwrap();
        let turns = device.turns(&frequencies, 11).unwrap();
        let past = device.upload_ids(&[first as u32]).unwrap();
        let y = device.turn(&turns, heads, head, Some(&past), &device.upload(&x).unwrap()).unwrap();
        same("rotary", &device.download(&y).unwrap(), &expected);
    }
}

/// Within the bound of the exact one; gives how far off.
fn check(found: &[f32], shape: &Attention, q: &[f32], keys: &[f32], values: &[f32]) -> f64 {
    let [wide_q, wide_k, wide_v] = [q, keys, values].map(reference::wide);
    let exact = reference::attention(&shape.into(), &wide_q, &wide_k, &wide_v).unwrap();
    let seen = keys.len() / shape.kv_heads / shape.head;
    let largest = |values: &[f32]| values.iter().fold(0.0f64, |most, v| most.max(f64::from(v.abs())));
    let score = largest(q) * largest(keys) * shape.head as f64 * f64::from(shape.scale);
    let size = largest(values);
    let exact: Vec<(f64, f64)> = exact.into_iter().map(|y| (y, size)).collect();
    close(&format!("{shape:?}, {seen} keys"), found, &exact, bounds::attention(shape.head, seen, score))
}

#[test]
fn attention_is_within_its_bound() {
    let Some(device) = device() else { return };
    let mut most = 0.0f64;
    for (tokens, heads, kv_heads, head) in
        [(40, 4, 2, 32), (3, 2, 2, 8), (9, 3, 1, 128), (70, 2, 2, 17), (5, 2, 1, 256), (1, 4, 4, 64)]
    {
        for (causal, window) in [(true, 0), (false, 0), (true, 1), (true, 7), (true, 33)] {
            let shape = Attention { causal, window, ..Attention::causal(heads, kv_heads, head) };
            let q = normal(1, tokens * heads * head);
            let (k, v) = (normal(2, tokens * kv_heads * head), normal(3, tokens * kv_heads * head));
            let [qs, ks, vs] = [&q, &k, &v].map(|values| device.upload(values).unwrap());
            let y = device.download(&device.attention(&shape, &qs, &ks, &vs).unwrap()).unwrap();
            most = most.max(check(&y, &shape, &q, &k, &v));
        }
    }
    println!("attention: at most {most:.1} u of the largest value");
    let shape = Attention::causal(1, 1, 257);
    let x = device.upload(&normal(1, 257)).unwrap();
    let error = device.attention(&shape, &x, &x, &x).unwrap_err().to_string();
    assert!(error.contains("257") && error.contains("native backend"), "{error}");
}

#[test]
fn later_tokens_that_are_nan_are_not_seen() {
    let Some(device) = device() else { return };
    let shape = Attention::causal(2, 2, 16);
    let (q, mut k, mut v) = (normal(1, 20 * 32), normal(2, 20 * 32), normal(3, 20 * 32));
    k[19 * 32..].fill(f32::NAN);
    v[19 * 32..].fill(f32::NAN);
    let [qs, ks, vs] = [&q, &k, &v].map(|values| device.upload(values).unwrap());
    let y = device.download(&device.attention(&shape, &qs, &ks, &vs).unwrap()).unwrap();
    assert!(y[..19 * 32].iter().all(|y| y.is_finite()) && y[19 * 32..].iter().all(|y| y.is_nan()));
}

#[test]
fn tokens_come_one_at_a_time_or_a_few() {
    let Some(device) = device() else { return };
    for window in [0, 20] {
        one_at_a_time(&device, window);
    }
}

fn one_at_a_time(device: &Device, window: usize) {
    let (heads, kv_heads, head, tokens) = (4, 2, 32, 75);
    let shape = Attention { window, ..Attention::causal(heads, kv_heads, head) };
    let frequencies = Rotary::frequencies(10_000.0, head);
    let turns = device.turns(&frequencies, tokens).unwrap();
    let q = normal(1, tokens * heads * head);
    let (k, v) = (normal(2, tokens * kv_heads * head), normal(3, tokens * kv_heads * head));
    let turned = |heads: usize, x: &[f32]| {
        let mut x = x.to_vec();
        Rotary::new(&frequencies, 0..tokens).apply(RotaryStyle::Halves, heads, head, 0, &mut x).unwrap();
        x
    };
    let (turned_q, turned_k) = (turned(heads, &q), turned(kv_heads, &k));
    // more than there is room for at first
    let mut cache = device.key_values(kv_heads * head, 0).unwrap();
    let past = device.zero_ids(1).unwrap();
    let mut first = 0;
    while first < tokens {
        let count = if first % 3 == 0 { 5 } else { 1 }.min(tokens - first);
        device.replace_ids(&[(&past, &[first as u32])]).unwrap();
        let rows = |values: &[f32], width: usize| {
            device.upload(&values[first * width..(first + count) * width]).unwrap()
        };
        let queries = device.turn(&turns, heads, head, Some(&past), &rows(&q, heads * head)).unwrap();
        let (keys, values) = (rows(&k, kv_heads * head), rows(&v, kv_heads * head));
        device.append(&mut cache, Some(&turns), head, &past, &keys, &values).unwrap();
        let y = device.attention_cached(&shape, &past, &queries, &cache).unwrap();
        let seen = (first + count) * kv_heads * head;
        let queries = &turned_q[first * heads * head..(first + count) * heads * head];
        check(&device.download(&y).unwrap(), &shape, queries, &turned_k[..seen], &v[..seen]);
        first += count;
    }
    assert_eq!((cache.tokens(), cache.room()), (75, 128));
    let error = device.append(
        &mut cache,
        Some(&turns),
        head,
        &past,
        &device.zeros(64).unwrap(),
        &device.zeros(64).unwrap(),
    );
    assert!(error.unwrap_err().to_string().contains("rotary position"));
}
