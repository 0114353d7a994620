use super::{close, normal, on_threads, variants};
use crate::KernelError;
use crate::model::{
    Attention, Cache, Rotary, RotaryStyle, Routes, Selective, Weight, Winners, attention, bounds,
    causal_conv1d, linear, mixture, reference, route, selective_scan, shared_scan,
};

#[test]
fn convolution_agrees_and_goes_on() {
    for (channels, taps, tokens) in [(1, 1, 3), (5, 4, 1), (64, 4, 50), (33, 3, 7), (8, 5, 2), (4, 4, 0)] {
        let (x, w, bias) = (normal(1, tokens * channels), normal(2, channels * taps), normal(3, channels));
        for bias in [None, Some(&bias[..])] {
            let exact = reference::sized(|of| {
                let mut past = vec![0.0; (taps - 1) * channels];
                let bias = bias.map(of);
                reference::causal_conv1d(channels, &of(&x), &of(&w), bias.as_deref(), &mut past)
            })
            .unwrap();
            for cpu in variants() {
                let y = on_threads(|| {
                    let mut y = vec![f32::NAN; x.len()];
                    causal_conv1d(&cpu, channels, &x, &w, bias, None, &mut y).unwrap();
                    y
                });
                close("convolution", &y, &exact, bounds::convolution(taps));
                let (mut past, mut one) = (vec![0.0; (taps - 1) * channels], vec![0.0; channels]);
                for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact(channels)) {
                    causal_conv1d(&cpu, channels, x, &w, bias, Some(&mut past), &mut one).unwrap();
                    assert_eq!(one, y, "token by token");
                }
            }
        }
    }
    let cpu = &variants()[0];
    assert!(causal_conv1d(cpu, 2, &[0.0; 4], &[], None, None, &mut [0.0; 4]).is_err());
    assert!(causal_conv1d(cpu, 2, &[0.0; 3], &[0.0; 8], None, None, &mut [0.0; 3]).is_err());
    assert!(causal_conv1d(cpu, 0, &[0.0; 3], &[0.0; 8], None, None, &mut [0.0; 3]).is_err());
    assert!(causal_conv1d(cpu, 2, &[0.0; 4], &[0.0; 8], None, Some(&mut [0.0; 5]), &mut [0.0; 4]).is_err());
}

#[test]
fn rotary_agrees_with_its_reference() {
    let frequencies = Rotary::frequencies(10_000.0, 8);
    assert_eq!(frequencies[..2], [1.0, 0.1]);
    assert_eq!(frequencies, reference::frequencies(10_000.0, 8));
    let rotary = Rotary::new(&frequencies, 100..140);
    for style in [RotaryStyle::Halves, RotaryStyle::Interleaved] {
        // two values of a head do not turn
        let x = normal(3, 6 * 3 * 10);
        let mut y = x.clone();
        rotary.apply(style, 3, 10, 110, &mut y).unwrap();
        for (index, (x, y)) in x.chunks_exact(10).zip(y.chunks_exact(10)).enumerate() {
            let exact = reference::rotary(style, &frequencies, 110 + index / 3, &reference::wide(x)).unwrap();
            let exact: Vec<(f64, f64)> = exact.into_iter().map(|y| (y, 8.0)).collect();
            close("rotary", y, &exact, 4.0);
            assert_eq!(x[8..], y[8..]);
        }
        let error = rotary.apply(style, 3, 10, 138, &mut y).unwrap_err();
        assert_eq!(error.to_string(), "rotary position 143 at position 5 is not below 140");
        assert!(rotary.apply(style, 3, 10, 99, &mut y).is_err());
        assert!(rotary.apply(style, 3, 7, 110, &mut y).is_err());
        assert!(rotary.apply(style, 3, 10, 110, &mut y[1..]).is_err());
    }
}

#[test]
fn attention_agrees_with_its_reference() {
    for (heads, kv_heads, head, tokens, seen) in [
        (1, 1, 1, 1, 1),
        (4, 2, 16, 5, 5),
        (6, 2, 20, 3, 70),
        (4, 4, 64, 130, 130),
        (8, 1, 40, 1, 257),
        (2, 2, 8, 0, 9),
    ] {
        for (causal, window) in [(true, 0), (false, 0), (true, 1), (true, 3), (true, 64), (true, 67)] {
            let shape = Attention { causal, window, ..Attention::causal(heads, kv_heads, head) };
            let [q, k, v] = [(1, tokens * heads), (2, seen * kv_heads), (3, seen * kv_heads)]
                .map(|(seed, rows)| normal(seed, rows * head));
            let [wide_q, wide_k, wide_v] = [&q, &k, &v].map(|x| reference::wide(x));
            let exact = reference::attention(&(&shape).into(), &wide_q, &wide_k, &wide_v).unwrap();
            let most = |x: &[f32]| x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let score = f64::from(most(&q) * most(&k)) * (head as f64).sqrt();
            let units = bounds::attention(head, seen, score);
            let exact: Vec<_> = exact.into_iter().map(|y| (y, f64::from(most(&v)))).collect();
            for cpu in variants() {
                let y = on_threads(|| {
                    let mut y = vec![f32::NAN; q.len()];
                    attention(&cpu, &shape, &q, &k, &v, &mut y).unwrap();
                    y
                });
                close(&format!("attention {shape:?}"), &y, &exact, units);
            }
        }
    }
}

#[test]
fn attention_token_by_token_gives_the_same_bits() {
    let tokens = 75;
    for window in [0, 1, 20, 70] {
        token_by_token(&Attention { window, ..Attention::causal(4, 2, 24) }, tokens);
    }
}

fn token_by_token(shape: &Attention, tokens: usize) {
    let [q, k, v] = [(1, 4), (2, 2), (3, 2)].map(|(seed, heads)| normal(seed, tokens * heads * 24));
    for cpu in variants() {
        let mut whole = vec![0.0; q.len()];
        attention(&cpu, shape, &q, &k, &v, &mut whole).unwrap();
        let (mut cache, mut y) = (Cache::new(48, tokens), vec![0.0; 96]);
        for token in 0..tokens {
            let range = token * 48..(token + 1) * 48;
            cache.push(&k[range.clone()], &v[range]).unwrap();
            let q = &q[token * 96..(token + 1) * 96];
            attention(&cpu, shape, q, cache.keys(), cache.values(), &mut y).unwrap();
            assert_eq!(y, whole[token * 96..(token + 1) * 96], "{token}");
        }
        assert_eq!(cache.tokens(), tokens);
        cache.truncate(3);
        assert_eq!((cache.tokens(), cache.keys().len()), (3, 144));
        assert!(cache.push(&k[..47], &v[..47]).is_err());
        assert!(cache.push(&k[..48], &v[..47]).is_err());
    }
}

#[test]
fn attention_keeps_nan_where_it_is_seen() {
    let shape = Attention::causal(2, 1, 8);
    let (q, k, mut v) = (normal(1, 6 * 16), normal(2, 6 * 8), normal(3, 6 * 8));
    v[4 * 8 + 3] = f32::NAN;
    for cpu in variants() {
        let mut y = vec![0.0; q.len()];
        attention(&cpu, &shape, &q, &k, &v, &mut y).unwrap();
        for (index, y) in y.iter().enumerate() {
            assert_eq!(y.is_nan(), index / 16 >= 4 && index % 8 == 3, "{index}");
        }
        attention(&cpu, &Attention { window: 1, ..shape }, &q, &k, &v, &mut y).unwrap();
        for (index, y) in y.iter().enumerate() {
            assert_eq!(y.is_nan(), index / 16 == 4 && index % 8 == 3, "{index}");
        }
        assert!(attention(&cpu, &Attention::causal(3, 2, 8), &q, &k, &v, &mut y).is_err());
        assert!(attention(&cpu, &shape, &q, &k[..40], &v[..40], &mut y).is_err());
        assert!(attention(&cpu, &shape, &q, &k, &v[1..], &mut y).is_err());
        let mut short = vec![0.0; 5];
        assert!(attention(&cpu, &shape, &q, &k, &v, &mut short).is_err());
    }
}

/// Steps and decays of a trained model's size.
fn positive(seed: u64, length: usize) -> Vec<f32> {
    normal(seed, length).into_iter().map(|x| x.abs() * 0.3).collect()
}

#[test]
fn selective_scan_agrees_and_goes_on() {
    for (channels, states, tokens) in [(1, 1, 1), (3, 16, 40), (70, 16, 9), (5, 7, 20), (4, 0, 3), (2, 9, 0)]
    {
        let [x, b, c, d] =
            [(1, tokens * channels), (2, tokens * states), (3, tokens * states), (4, channels)]
                .map(|(seed, length)| normal(seed, length));
        let dt = positive(5, tokens * channels);
        let a: Vec<f32> = positive(6, channels * states).into_iter().map(|a| -10.0 * a).collect();
        for d in [None, Some(&d[..])] {
            let scan = Selective { x: &x, dt: &dt, a: &a, b: &b, c: &c, d, channels, states };
            let exact = reference::sized(|of| {
                let (x, b, c, d) = (of(&x), of(&b), of(&c), d.map(of));
                let (dt, a, d) = (reference::wide(&dt), reference::wide(&a), d.as_deref());
                let scan = reference::Selective { x: &x, dt: &dt, a: &a, b: &b, c: &c, d, channels, states };
                reference::selective_scan(&scan, &mut vec![0.0; channels * states])
            })
            .unwrap();
            let mut bits = None;
            for cpu in variants() {
                let y = on_threads(|| {
                    let (mut state, mut y) = (vec![0.0; channels * states], vec![f32::NAN; x.len()]);
                    selective_scan(&cpu, &scan, &mut state, &mut y).unwrap();
                    y
                });
                close("selective scan", &y, &exact, bounds::scan(tokens, states));
                assert_eq!(bits.get_or_insert(y.clone()), &y, "the same bits on every variant");
                let (mut state, mut one) = (vec![0.0; channels * states], vec![0.0; channels]);
                for token in 0..tokens {
                    let (wide, narrow) =
                        (token * channels..(token + 1) * channels, token * states..(token + 1) * states);
                    let scan = Selective {
                        x: &x[wide.clone()],
                        dt: &dt[wide.clone()],
                        b: &b[narrow.clone()],
                        c: &c[narrow],
                        ..scan
                    };
                    selective_scan(&cpu, &scan, &mut state, &mut one).unwrap();
                    assert_eq!(one, y[wide], "token by token");
                }
                assert!(
                    selective_scan(
                        &cpu,
                        &scan,
                        &mut vec![0.0; channels * states + 1],
                        &mut vec![0.0; x.len()]
                    )
                    .is_err()
                );
            }
        }
    }
}

#[test]
fn shared_scan_agrees_and_goes_on() {
    for (channels, states, tokens) in [(1, 1, 1), (128, 8, 40), (20, 3, 5), (64, 8, 0), (4, 0, 3)] {
        let [s, b, c, d] =
            [(1, tokens * channels), (2, states * channels), (3, channels * states), (4, channels)]
                .map(|(seed, length)| normal(seed, length));
        let dt = positive(5, tokens);
        let a: Vec<f32> = positive(6, states).into_iter().map(|a| -10.0 * a).collect();
        let exact = reference::sized(|of| {
            let (dt, a) = (reference::wide(&dt), reference::wide(&a));
            let weights = [a, of(&b), of(&c), of(&d)];
            let weights = weights.each_ref().map(Vec::as_slice);
            reference::shared_scan(&of(&s), &dt, weights, &mut vec![0.0; states])
        })
        .unwrap();
        let (b, c) =
            (Weight::dense(&b, states, channels).unwrap(), Weight::dense(&c, channels, states).unwrap());
        for cpu in variants() {
            let y = on_threads(|| {
                let (mut state, mut y) = (vec![0.0; states], vec![f32::NAN; s.len()]);
                shared_scan(&cpu, &s, &dt, &a, &b, &c, &d, &mut state, &mut y).unwrap();
                y
            });
            let units = bounds::scan(tokens, states)
                + bounds::linear(tokens, channels)
                + bounds::linear(tokens, states);
            close("shared scan", &y, &exact, units);
            let (mut state, mut halves) = (vec![0.0; states], vec![0.0; s.len()]);
            let half = tokens / 2;
            let (first, second) = halves.split_at_mut(half * channels);
            shared_scan(&cpu, &s[..half * channels], &dt[..half], &a, &b, &c, &d, &mut state, first).unwrap();
            shared_scan(&cpu, &s[half * channels..], &dt[half..], &a, &b, &c, &d, &mut state, second)
                .unwrap();
            close("shared scan in halves", &halves, &exact, units);
        }
    }
}

#[test]
fn routes_are_the_largest_logits() {
    let logits = [1.0, 3.0, 2.0, 3.0, -0.0, 0.0, -1.0, -2.0];
    let routes = route(4, 2, Winners::Softmax, &logits).unwrap();
    assert_eq!(routes.experts, [1, 3, 0, 1]);
    assert_eq!(routes.weights, [0.5, 0.5, 0.5, 0.5]);
    let all = route(4, 2, Winners::OfAll, &logits).unwrap();
    let exact = reference::softmax(4, &reference::wide(&logits[..4])).unwrap();
    assert!((f64::from(all.weights[0]) - exact[1]).abs() < 1e-7);
    for winners in [Winners::Softmax, Winners::OfAll, Winners::OfAllRenormalised] {
        let (found, exact) = (
            route(4, 2, winners, &logits).unwrap(),
            reference::route(4, 2, winners, &reference::wide(&logits)).unwrap(),
        );
        assert_eq!(found.experts, exact.experts);
        let apart = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() < 1e-7;
        assert!(found.weights.iter().zip(&exact.weights).all(apart), "{winners:?}");
    }
    assert_eq!(route(4, 2, Winners::OfAllRenormalised, &logits).unwrap(), routes);
    let nan = route(2, 1, Winners::Softmax, &[f32::NAN, 0.0]).unwrap();
    assert!(nan.weights[0].is_nan());
    assert!(route(4, 5, Winners::Softmax, &logits).is_err());
    assert!(route(4, 0, Winners::Softmax, &logits).is_err());
    assert!(route(0, 0, Winners::Softmax, &[]).is_err());
    assert!(route(3, 1, Winners::Softmax, &logits).is_err());
}

#[test]
fn only_chosen_experts_are_computed_once_each() {
    let (tokens, width, output, experts) = (30, 12, 5, 6);
    let x = normal(1, tokens * width);
    let logits: Vec<f32> = normal(2, tokens * experts)
        .iter()
        .enumerate()
        .map(|(at, l)| if at % experts == 4 { -9.0 } else { *l })
        .collect();
    let routes: Routes = route(experts, 2, Winners::Softmax, &logits).unwrap();
    let weights = normal(3, experts * output * width);
    let expert = |number: usize| {
        Weight::dense(&weights, experts * output, width)
            .unwrap()
            .slice(number * output..(number + 1) * output)
            .unwrap()
    };
    for cpu in variants() {
        let mut called = Vec::new();
        let mut y = vec![f32::NAN; tokens * output];
        mixture(tokens, width, output, &routes, &x, &mut y, |number, x, y| {
            called.push(number);
            linear(&cpu, x.len() / width, x, &expert(number), None, y)
        })
        .unwrap();
        assert_eq!(called, [0, 1, 2, 3, 5]);
        let one = |number: usize, x: &[f64]| {
            let own = &weights[number * output * width..][..output * width];
            reference::linear(width, x, &reference::wide(own), None)
        };
        let chosen = reference::Routes {
            k: routes.k,
            experts: routes.experts.clone(),
            weights: reference::wide(&routes.weights),
        };
        let exact = reference::mixture(width, output, &chosen, &reference::wide(&x), one).unwrap();
        let exact: Vec<(f64, f64)> = exact.into_iter().map(|y| (y, 50.0)).collect();
        close("mixture", &y, &exact, 50.0);
    }
    let failed = mixture(tokens, width, output, &routes, &x, &mut vec![0.0; tokens * output], |_, _, _| {
        Err(KernelError::NestedOverflow)
    });
    assert_eq!(failed, Err(KernelError::NestedOverflow));
    let short = mixture::<KernelError>(tokens, width, output, &routes, &x[1..], &mut [], |_, _, _| Ok(()));
    assert!(short.is_err());
}
