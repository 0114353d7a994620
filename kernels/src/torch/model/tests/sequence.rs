use super::super::{
    AttentionShape, KeyValues, TorchValue, TorchWeight, attention, causal_conv1d, rotate, selective_scan,
    shared_scan,
};
use super::{leaf, near, normal, runtime, same_gradients, value};
use crate::Cpu;
use crate::model::{self, Attention, Rotary, RotaryStyle, Selective, Weight};
use tch::Tensor;

fn weight(shape: &[usize], values: &[f32]) -> TorchWeight {
    TorchWeight::values(value(shape, values))
}

fn positive(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|x| (x.exp() + 1.0).ln()).collect()
}

/// Sequence `number` of `[batch, ..]`.
fn part(values: &[f32], number: usize, batch: usize) -> &[f32] {
    let length = values.len() / batch;
    &values[number * length..(number + 1) * length]
}

#[test]
fn the_shared_scan_is_the_native_one() {
    let (runtime, cpu) = (runtime(), Cpu::detect().unwrap());
    let (batch, channels, states) = (2, 6, 5);
    for tokens in [1, 2, 7, 64, 131] {
        // decays from none to what underflows
        let a_log = [-6.0, -1.0, 0.0, 3.0, 7.0];
        let (x, dt) = (normal(1, batch * tokens * channels), positive(normal(2, batch * tokens)));
        let (b, c, d) = (normal(3, states * channels), normal(4, channels * states), normal(5, channels));
        let weights = [
            weight(&[states], &a_log),
            weight(&[states, channels], &b),
            weight(&[channels, states], &c),
            weight(&[channels], &d),
        ];
        let weights = [&weights[0], &weights[1], &weights[2], &weights[3]];
        let (tx, tdt) = (value(&[batch, tokens, channels], &x), value(&[batch, tokens], &dt));
        let found = shared_scan(&runtime, &tx, &tdt, weights, None).unwrap();
        let mut expected = Vec::new();
        for number in 0..batch {
            let rate: Vec<f32> = a_log.iter().map(|a| -f32::exp(*a)).collect();
            let mut y = vec![0.0; tokens * channels];
            let (b, c) =
                (Weight::dense(&b, states, channels).unwrap(), Weight::dense(&c, channels, states).unwrap());
            let (x, dt) = (part(&x, number, batch), part(&dt, number, batch));
            model::shared_scan(cpu, x, dt, &rate, &b, &c, &d, &mut vec![0.0; states], &mut y).unwrap();
            expected.extend(y);
        }
        near(&format!("{tokens} tokens"), &found.to_floats().unwrap(), &expected, 2e-6);
        // in two parts
        let (cut, mut state) = (tokens / 3, None);
        let mut parts = Vec::new();
        for (first, length) in [(0, cut), (cut, tokens - cut)].into_iter().filter(|(_, n)| *n > 0) {
            let piece = |v: &TorchValue| TorchValue(v.0.narrow(1, first as i64, length as i64));
            let y = shared_scan(&runtime, &piece(&tx), &piece(&tdt), weights, Some(&mut state)).unwrap();
            parts.push(y.0);
        }
        let joined = TorchValue(Tensor::cat(&parts, 1));
        near("in parts", &joined.to_floats().unwrap(), &expected, 2e-6);
    }
}

#[test]
fn the_selective_scan_is_the_native_one() {
    let (runtime, cpu) = (runtime(), Cpu::detect().unwrap());
    let (batch, channels, states) = (2, 5, 4);
    for tokens in [1, 3, 64, 65, 150] {
        let wide = batch * tokens * channels;
        let (x, dt) = (normal(1, wide), positive(normal(2, wide)));
        let (b, c) = (normal(3, batch * tokens * states), normal(4, batch * tokens * states));
        let a_log: Vec<f32> = normal(5, channels * states).iter().map(|x| x * 3.0).collect();
        let d = normal(6, channels);
        let weights = [weight(&[channels, states], &a_log), weight(&[channels], &d)];
        let shape = [batch, tokens, channels];
        let small = [batch, tokens, states];
        let values = [value(&shape, &x), value(&shape, &dt), value(&small, &b), value(&small, &c)];
        let [tx, tdt, tb, tc] = &values;
        let mut state = None;
        let found = selective_scan(&runtime, [tx, tdt, tb, tc], [&weights[0], &weights[1]], Some(&mut state))
            .unwrap();
        let rate: Vec<f32> = a_log.iter().map(|a| -a.exp()).collect();
        let (mut expected, mut last) = (Vec::new(), Vec::new());
        for number in 0..batch {
            let (mut y, mut h) = (vec![0.0; tokens * channels], vec![0.0; channels * states]);
            let scan = Selective {
                x: part(&x, number, batch),
                dt: part(&dt, number, batch),
                a: &rate,
                b: part(&b, number, batch),
                c: part(&c, number, batch),
                d: Some(&d),
                channels,
                states,
            };
            model::selective_scan(cpu, &scan, &mut h, &mut y).unwrap();
            expected.extend(y);
            last.extend(h);
        }
        near(&format!("{tokens} tokens"), &found.to_floats().unwrap(), &expected, 2e-6);
        near("the state", &state.unwrap().to_floats().unwrap(), &last, 2e-6);
    }
}

/// One token after the other.
fn loop_of(decay: &Tensor, input: &Tensor) -> Tensor {
    let mut state = input.select(1, 0).zeros_like();
    let mut all = Vec::new();
    for token in 0..decay.size()[1] {
        state = decay.select(1, token) * &state + input.select(1, token);
        all.push(state.shallow_clone());
    }
    Tensor::stack(&all, 1)
}

#[test]
fn gradients_of_scans_are_those_of_a_loop() {
    let runtime = runtime();
    let (batch, tokens, channels, states) = (2, 70, 3, 4);
    let x = leaf(1, &[batch, tokens, channels]);
    let raw = leaf(2, &[batch, tokens, channels]);
    let dt = TorchValue(raw.0.softplus());
    let (b, c) = (leaf(3, &[batch, tokens, states]), leaf(4, &[batch, tokens, states]));
    let (a_log, d) = (leaf(5, &[channels, states]), leaf(6, &[channels]));
    let weights = [TorchWeight::values(a_log.clone()), TorchWeight::values(d.clone())];
    let fast = selective_scan(&runtime, [&x, &dt, &b, &c], [&weights[0], &weights[1]], None).unwrap();
    let dt = raw.0.softplus();
    let decay = (dt.unsqueeze(3) * -a_log.0.exp()).exp();
    let h = loop_of(&decay, &((&dt * &x.0).unsqueeze(3) * b.0.unsqueeze(2)));
    let slow = TorchValue(h.matmul(&c.0.unsqueeze(3)).squeeze_dim(3) + &x.0 * &d.0);
    near("selective", &fast.to_floats().unwrap(), &slow.to_floats().unwrap(), 1e-6);
    same_gradients("selective", &[&x, &raw, &b, &c, &a_log, &d], &fast, &slow);

    let step = leaf(7, &[batch, tokens]);
    let dt = TorchValue(step.0.softplus());
    let (a_log, b, c) = (leaf(8, &[states]), leaf(9, &[states, channels]), leaf(10, &[channels, states]));
    let weights = [&a_log, &b, &c, &d].map(|w| TorchWeight::values(w.clone()));
    let weights = [&weights[0], &weights[1], &weights[2], &weights[3]];
    let fast = shared_scan(&runtime, &x, &dt, weights, None).unwrap();
    let dt = step.0.softplus().unsqueeze(2);
    let h = loop_of(&(&dt * -a_log.0.exp()).exp(), &(x.0.matmul(&b.0.tr()) * &dt));
    let slow = TorchValue(h.matmul(&c.0.tr()) + &x.0 * &d.0);
    same_gradients("shared", &[&x, &step, &a_log, &b, &c, &d], &fast, &slow);
}

#[test]
fn gradients_are_finite_where_decays_underflow() {
    let runtime = runtime();
    let x = leaf(1, &[1, 40, 2]);
    let dt = value(&[1, 40, 2], &vec![50.0; 80]).leaf().unwrap();
    let (b, c) = (leaf(3, &[1, 40, 3]), leaf(4, &[1, 40, 3]));
    let a_log = value(&[2, 3], &[9.0; 6]).leaf().unwrap();
    let weights = [TorchWeight::values(a_log.clone()), TorchWeight::values(leaf(6, &[2]))];
    let y = selective_scan(&runtime, [&x, &dt, &b, &c], [&weights[0], &weights[1]], None).unwrap();
    y.average().unwrap().backward().unwrap();
    for leaf in [&x, &dt, &b, &c, &a_log] {
        assert_eq!(leaf.gradient().unwrap().unwrap().first_not_finite().unwrap(), None);
    }
}

#[test]
fn convolution_is_the_native_one() {
    let (runtime, cpu) = (runtime(), Cpu::detect().unwrap());
    let (batch, tokens, channels, taps) = (2, 9, 3, 4);
    let x = normal(1, batch * tokens * channels);
    let (filters, bias) = (normal(2, channels * taps), normal(3, channels));
    let weights = [weight(&[channels, 1, taps], &filters), weight(&[channels], &bias)];
    let tx = value(&[batch, tokens, channels], &x);
    let found = causal_conv1d(&runtime, &tx, &weights[0], Some(&weights[1]), None).unwrap();
    let mut expected = Vec::new();
    for number in 0..batch {
        let mut y = vec![0.0; tokens * channels];
        let mut past = vec![0.0; (taps - 1) * channels];
        let x = part(&x, number, batch);
        model::causal_conv1d(cpu, channels, x, &filters, Some(&bias), Some(&mut past), &mut y).unwrap();
        expected.extend(y);
    }
    near("convolution", &found.to_floats().unwrap(), &expected, 1e-6);
    let mut past = None;
    let mut parts = Vec::new();
    for (first, length) in [(0, 1), (1, 1), (2, 5), (7, 2)] {
        let piece = TorchValue(tx.0.narrow(1, first, length));
        parts.push(
            causal_conv1d(&runtime, &piece, &weights[0], Some(&weights[1]), Some(&mut past)).unwrap().0,
        );
    }
    near("in parts", &TorchValue(Tensor::cat(&parts, 1)).to_floats().unwrap(), &expected, 1e-6);
}

#[test]
fn attention_is_the_native_one() {
    let (runtime, cpu) = (runtime(), Cpu::detect().unwrap());
    let (batch, tokens, head) = (2, 11, 6);
    for (heads, kv_heads, causal, window, scale) in [
        (4, 4, true, 0, None),
        (4, 2, true, 0, None),
        (6, 2, false, 0, None),
        (2, 1, true, 0, Some(1.0f64)),
        (4, 2, true, 3, None),
        (2, 2, true, 1, None),
        (2, 2, true, 11, None),
    ] {
        let what = format!("{heads} heads, {kv_heads} of keys, causal {causal}, window {window}");
        let (wide, narrow) = (batch * tokens * heads * head, batch * tokens * kv_heads * head);
        let (q, k, v) = (normal(1, wide), normal(2, narrow), normal(3, narrow));
        let mut expected = Vec::new();
        for number in 0..batch {
            let (mut q, mut k) = (part(&q, number, batch).to_vec(), part(&k, number, batch).to_vec());
            let turns = Rotary::new(&Rotary::frequencies(10_000.0, head), 0..tokens);
            turns.apply(RotaryStyle::Halves, heads, head, 0, &mut q).unwrap();
            turns.apply(RotaryStyle::Halves, kv_heads, head, 0, &mut k).unwrap();
            let mut form = Attention { causal, window, ..Attention::causal(heads, kv_heads, head) };
            form.scale = scale.map_or(form.scale, |s| s as f32);
            let mut y = vec![0.0; tokens * heads * head];
            model::attention(cpu, &form, &q, &k, part(&v, number, batch), &mut y).unwrap();
            expected.extend(y);
        }
        let scale = scale.unwrap_or(1.0 / (head as f64).sqrt());
        let shape = AttentionShape { heads, kv_heads, head, causal, window, scale };
        let (wide, narrow) = ([batch, tokens, heads * head], [batch, tokens, kv_heads * head]);
        let run = |q: &TorchValue, k: &TorchValue, v: &TorchValue, first, past: Option<&mut KeyValues>| {
            let q = rotate(&runtime, q, heads, 10_000.0, first).unwrap();
            let k = rotate(&runtime, k, kv_heads, 10_000.0, first).unwrap();
            attention(&shape, &q, &k, v, past).unwrap()
        };
        let values = [value(&wide, &q), value(&narrow, &k), value(&narrow, &v)];
        let [tq, tk, tv] = &values;
        let fused = run(tq, tk, tv, 0, None);
        near(&what, &fused.to_floats().unwrap(), &expected, 2e-6);
        let traced = run(&tq.leaf().unwrap(), tk, tv, 0, None);
        near(&format!("{what}, traced"), &traced.to_floats().unwrap(), &expected, 2e-6);
        if !causal {
            continue;
        }
        let (mut past, mut parts) = (KeyValues::new(), Vec::new());
        for (first, length) in [(0, 3), (3, 1), (4, 1), (5, 6)] {
            let piece = |v: &TorchValue| TorchValue(v.0.narrow(1, first, length));
            parts.push(run(&piece(tq), &piece(tk), &piece(tv), first as usize, Some(&mut past)).0);
        }
        let joined = TorchValue(Tensor::cat(&parts, 1));
        near(&format!("{what}, in parts"), &joined.to_floats().unwrap(), &expected, 2e-6);
    }
}
