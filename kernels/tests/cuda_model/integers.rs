//! Inputs of products that are rounded to 8 bits: the codes and the results of the native functions, bit by bit.

use crate::{Encoded, cpu, device, normal, same};
use icpc_kernels::cuda::model::{Activation, Device, DeviceWeight, Mixture};
use icpc_kernels::format::{Format, Int, IntBits, Per, ScaleDType};
use icpc_kernels::model::ActivationScale::{self, Dynamic, Static, Whole};
use icpc_kernels::model::{Winners, linear, linear_int8, mixture, mul, round_inputs, route, silu};

fn int8(per: Per) -> Format {
    Format::Int(Int { per, ..Int::new(IntBits::Eight) })
}

/// Rows that are hard to round: halves of steps, no step, steps below normal numbers, one large number, -0.
fn rows(seed: u64, rows: usize, columns: usize) -> Vec<f32> {
    let mut x = normal(seed, rows * columns);
    for (number, row) in x.chunks_exact_mut(columns).enumerate() {
        match number % 6 {
            1 => row.iter_mut().enumerate().for_each(|(k, x)| *x = (k % 255) as f32 * 0.5 - 63.5),
            2 => row.fill(if number % 4 == 0 { 0.0 } else { -0.0 }),
            3 => row.iter_mut().for_each(|x| *x *= f32::MIN_POSITIVE / 64.0),
            4 => row[columns / 2] = f32::MAX,
            5 => row.iter_mut().for_each(|x| *x = -x.abs()),
            _ => {}
        }
    }
    x
}

/// What inputs are rounded with.
const SCALES: [ActivationScale; 5] = [Dynamic, Whole, Static(0.013), Static(1e-30), Static(3e38)];

#[test]
fn codes_are_the_native_ones() {
    let Some(device) = device() else { return };
    for (count, columns) in [(1, 64), (13, 48), (7, 33), (3, 1), (6, 1100)] {
        for scale in SCALES {
            let same_sign: Vec<f32> = normal(5, count * columns).iter().map(|x| x.abs()).collect();
            for x in
                [rows(3, count, columns), normal(4, count * columns), same_sign, vec![0.0; count * columns]]
            {
                let what = format!("{count} × {columns}, {scale:?}");
                let expected = round_inputs(columns, &x, scale).unwrap();
                let rounded = device.round_inputs(columns, &device.upload(&x).unwrap(), scale).unwrap();
                let (codes, scales) = device.download_rounded(&rounded).unwrap();
                same(&what, &scales, &expected.scales);
                let less_zero: Vec<i32> =
                    expected.codes.iter().map(|code| i32::from(*code) - expected.zero).collect();
                assert_eq!(
                    codes.iter().map(|code| i32::from(*code)).collect::<Vec<_>>(),
                    less_zero,
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn products_are_the_native_ones() {
    let Some(device) = device() else { return };
    let half = Format::Int(Int {
        scale: ScaleDType::F16,
        per: Per::Channel { axis: 0 },
        ..Int::new(IntBits::Eight)
    });
    // whole vectors, words, neither; more than a step of a warp, and of a tile
    for (rows_of_w, columns) in [(70, 64), (33, 1040), (5, 132), (66, 33), (3, 1)] {
        for format in [int8(Per::Tensor), int8(Per::Channel { axis: 0 }), half] {
            let encoded = Encoded::new(format, &[rows_of_w, columns], &normal(1, rows_of_w * columns));
            let (weight, bias) = (encoded.weight(), normal(2, rows_of_w));
            let on_device = device.weight(&weight).unwrap();
            for tokens in [1, 2, 5, 9, 70] {
                let x = rows(7, tokens, columns);
                let input = device.upload(&x).unwrap();
                for scale in [Dynamic, Whole, Static(0.02)] {
                    for bias in [None, Some(bias.as_slice())] {
                        let what = format!("{format} [{rows_of_w}, {columns}] × {tokens}, {scale:?}");
                        let mut expected = vec![0.0; tokens * rows_of_w];
                        linear_int8(cpu(), tokens, &x, &weight, scale, bias, &mut expected).unwrap();
                        let of_device = bias.map(|bias| device.upload(bias).unwrap());
                        let rounding = on_device.clone().with_inputs(Some(scale));
                        let y = device.linear(tokens, &input, &rounding, of_device.as_ref()).unwrap();
                        same(&what, &device.download(&y).unwrap(), &expected);
                    }
                }
            }
            let part = on_device.slice(1..3).unwrap().with_inputs(Some(Dynamic));
            let x = normal(9, columns);
            let mut expected = vec![0.0; 2];
            let native = weight.slice(1..3).unwrap();
            linear_int8(cpu(), 1, &x, &native, Dynamic, None, &mut expected).unwrap();
            let y = device.linear(1, &device.upload(&x).unwrap(), &part, None).unwrap();
            same("some rows", &device.download(&y).unwrap(), &expected);
        }
    }
}

#[test]
fn what_is_not_finite_spoils_its_scale() {
    let Some(device) = device() else { return };
    let encoded = Encoded::new(int8(Per::Tensor), &[70, 64], &normal(1, 70 * 64));
    let weight = device.weight(&encoded.weight()).unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
        for (scale, tokens) in [Dynamic, Static(0.1), Whole].into_iter().flat_map(|s| [(s, 3), (s, 9)]) {
            let mut x = normal(2, tokens * 64);
            x[5] = value;
            let w = weight.clone().with_inputs(Some(scale));
            let y = device.linear(tokens, &device.upload(&x).unwrap(), &w, None).unwrap();
            let y = device.download(&y).unwrap();
            let spoilt = if scale == Whole { y.len() } else { 70 };
            assert!(y[..spoilt].iter().all(|y| y.is_nan()), "{value}, {scale:?}");
            assert!(y[spoilt..].iter().all(|y| y.is_finite()), "{value}, {scale:?}");
        }
    }
}

#[test]
fn other_weights_and_scales_are_errors() {
    let Some(device) = device() else { return };
    let x = device.upload(&normal(1, 64)).unwrap();
    for per in [Per::Block(32), Per::Channel { axis: 1 }] {
        let encoded = Encoded::new(int8(per), &[8, 64], &normal(1, 8 * 64));
        let weight = device.weight(&encoded.weight()).unwrap().with_inputs(Some(Dynamic));
        let mut y = vec![0.0; 8];
        let native =
            linear_int8(cpu(), 1, &normal(1, 64), &encoded.weight(), Dynamic, None, &mut y).unwrap_err();
        assert_eq!(device.linear(1, &x, &weight, None).unwrap_err(), native);
    }
    let encoded = Encoded::new(int8(Per::Tensor), &[8, 64], &normal(1, 8 * 64));
    let weight = device.weight(&encoded.weight()).unwrap();
    for step in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = device.linear(1, &x, &weight.clone().with_inputs(Some(Static(step))), None).unwrap_err();
        assert!(error.to_string().contains("positive number"), "{error}");
    }
}

/// One matrix of an expert, and how its inputs are rounded.
struct Member(Encoded, Option<ActivationScale>);

impl Member {
    fn times(&self, tokens: usize, x: &[f32], y: &mut [f32]) {
        match self.1 {
            None => linear(cpu(), tokens, x, &self.0.weight(), None, y).unwrap(),
            Some(scale) => linear_int8(cpu(), tokens, x, &self.0.weight(), scale, None, y).unwrap(),
        }
    }

    fn on(&self, device: &Device) -> DeviceWeight {
        device.weight(&self.0.weight()).unwrap().with_inputs(self.1)
    }
}

#[test]
fn mixtures_round_as_each_matrix_says() {
    let Some(device) = device() else { return };
    let form = Mixture { k: 2, winners: Winners::Softmax, activation: Activation::Silu };
    // of each expert; with all of them rounded every result has the native bits
    let all: [(&str, [Option<ActivationScale>; 4]); 4] = [
        ("each row", [Some(Dynamic); 4]),
        ("together", [Some(Whole); 4]),
        ("known", [Some(Static(0.02)), Some(Static(0.03)), Some(Static(0.01)), Some(Static(0.5))]),
        ("some", [Some(Dynamic), None, Some(Whole), Some(Static(0.02))]),
    ];
    for (name, scales) in all {
        for (tokens, width, inner, gated) in
            [(1, 64, 96, true), (7, 64, 32, false), (40, 64, 96, true), (20, 20, 13, true)]
        {
            let what = format!("{name}, {tokens} tokens");
            let format = int8(Per::Channel { axis: 0 });
            let member = |seed: u64, rows: usize, columns: usize, scale| {
                Member(Encoded::new(format, &[rows, columns], &normal(seed, rows * columns)), scale)
            };
            let router = member(5, 4, width, Some(Dynamic));
            let own: Vec<[Member; 3]> = (0..4)
                .map(|e| {
                    let scale = scales[e];
                    let seed = 3 * e as u64 + 10;
                    [
                        member(seed, inner, width, scale),
                        member(seed + 1, width, inner, scale),
                        member(seed + 2, inner, width, scale),
                    ]
                })
                .collect();
            let x = rows(9, tokens, width).iter().map(|x| x.clamp(-9.0, 9.0)).collect::<Vec<_>>();
            let mut logits = vec![0.0; tokens * 4];
            router.times(tokens, &x, &mut logits);
            let routes = route(4, 2, Winners::Softmax, &logits).unwrap();
            let mut expected = vec![0.0; x.len()];
            mixture(
                tokens,
                width,
                width,
                &routes,
                &x,
                &mut expected,
                |e, x, y| -> Result<(), icpc_kernels::KernelError> {
                    let count = x.len() / width;
                    let mut up = vec![0.0; count * inner];
                    own[e][0].times(count, x, &mut up);
                    if gated {
                        let mut gates = vec![0.0; count * inner];
                        own[e][2].times(count, x, &mut gates);
                        silu(cpu(), &mut gates);
                        mul(cpu(), &mut up, &gates).unwrap();
                    } else {
                        silu(cpu(), &mut up);
                    }
                    own[e][1].times(count, &up, y);
                    Ok(())
                },
            )
            .unwrap();
            let table: Vec<(DeviceWeight, DeviceWeight, Option<DeviceWeight>)> = own
                .iter()
                .map(|[up, down, gate]| (up.on(&device), down.on(&device), gated.then(|| gate.on(&device))))
                .collect();
            let experts = device.experts(&table).unwrap();
            let xs = device.upload(&x).unwrap();
            let found = device.route(tokens, &xs, &router.on(&device), 2, Winners::Softmax).unwrap();
            assert_eq!(found.experts, routes.experts, "{what}");
            let y = device.mixture(tokens, &xs, &router.on(&device), &experts, form).unwrap();
            let y = device.download(&y).unwrap();
            // weights of experts and their sum are floats, which differ in the last bits
            let largest = expected.iter().fold(0.0f32, |most, y| most.max(y.abs()));
            let apart = y.iter().zip(&expected).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f32::max);
            println!("{what}: {apart:.1e} of the largest");
            assert!(apart < 1e-6, "{what}: {apart:e}");
            let again = device.mixture(tokens, &xs, &router.on(&device), &experts, form).unwrap();
            same("again", &device.download(&again).unwrap(), &y);
        }
    }
}
