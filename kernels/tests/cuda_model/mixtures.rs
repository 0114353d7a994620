//! Mixtures of experts.

use crate::{Encoded, close, cpu, device, formats_of, normal};
use icpc_kernels::cuda::model::{Activation, DeviceWeight, Mixture, bounds};
use icpc_kernels::model::{Winners, linear, mixture, mul, route, silu};

#[test]
fn routes_are_the_native_ones() {
    let Some(device) = device() else { return };
    for (experts, k) in [(8, 2), (5, 5), (3, 1), (40, 6)] {
        let (tokens, width) = (6, 32);
        // whole numbers are summed exactly, and some are equal
        let whole = |seed, n| -> Vec<f32> { normal(seed, n).iter().map(|v| v.round()).collect() };
        let router =
            Encoded::new(formats_of(&[experts, width])[0], &[experts, width], &whole(1, experts * width));
        let (x, mut logits) = (whole(2, tokens * width), vec![0.0; tokens * experts]);
        linear(cpu(), tokens, &x, &router.weight(), None, &mut logits).unwrap();
        let (xs, on_device) = (device.upload(&x).unwrap(), device.weight(&router.weight()).unwrap());
        for winners in [Winners::Softmax, Winners::OfAll, Winners::OfAllRenormalised] {
            let expected = route(experts, k, winners, &logits).unwrap();
            let found = device.route(tokens, &xs, &on_device, k, winners).unwrap();
            assert_eq!(found.experts, expected.experts, "{experts} experts, {winners:?}");
            let expected: Vec<(f64, f64)> =
                expected.weights.iter().map(|w| (f64::from(*w), f64::from(*w))).collect();
            close("weights", &found.weights, &expected, 2.0);
        }
        assert!(device.route(tokens, &xs, &on_device, experts + 1, Winners::Softmax).is_err());
        let nan = device.upload(&[f32::NAN; 32]).unwrap();
        let routes = device.route(1, &nan, &on_device, k, Winners::Softmax).unwrap();
        assert!(routes.weights.iter().all(|weight| weight.is_nan()));
    }
}

#[test]
fn mixtures_are_near_the_native_ones() {
    let Some(device) = device() else { return };
    let mut most = 0.0f64;
    for (tokens, experts, k, width, inner, gated) in [
        (1, 4, 2, 64, 96, true),
        (8, 3, 3, 64, 32, false),
        (20, 4, 2, 64, 96, true),
        (150, 3, 1, 32, 64, false),
        (20, 6, 3, 20, 12, true),
    ] {
        for (number, format) in formats_of(&[inner, width]).into_iter().enumerate().step_by(4) {
            if format.layout(&[width as u64, inner as u64], icpc_kernels::DType::F32).is_err() {
                continue;
            }
            let matrix = |seed: usize, rows: usize, columns: usize| {
                let scale = 1.0 / (columns as f32).sqrt();
                let values: Vec<f32> =
                    normal(seed as u64, rows * columns).iter().map(|v| v * scale).collect();
                Encoded::new(format, &[rows, columns], &values)
            };
            let router = Encoded::new(
                formats_of(&[experts, width])[0],
                &[experts, width],
                &normal(5, experts * width),
            );
            let own: Vec<[Encoded; 3]> = (0..experts)
                .map(|e| {
                    [
                        matrix(3 * e, inner, width),
                        matrix(3 * e + 1, width, inner),
                        matrix(3 * e + 2, inner, width),
                    ]
                })
                .collect();
            let x = normal(9 + number as u64, tokens * width);
            let mut logits = vec![0.0; tokens * experts];
            linear(cpu(), tokens, &x, &router.weight(), None, &mut logits).unwrap();
            let routes = route(experts, k, Winners::Softmax, &logits).unwrap();
            let mut expected = vec![0.0; x.len()];
            mixture(tokens, width, width, &routes, &x, &mut expected, |e, x, y| {
                let count = x.len() / width;
                let mut up = vec![0.0; count * inner];
                linear(cpu(), count, x, &own[e][0].weight(), None, &mut up)?;
                if gated {
                    let mut gates = vec![0.0; count * inner];
                    linear(cpu(), count, x, &own[e][2].weight(), None, &mut gates)?;
                    silu(cpu(), &mut gates);
                    mul(cpu(), &mut up, &gates)?;
                } else {
                    silu(cpu(), &mut up);
                }
                linear(cpu(), count, &up, &own[e][1].weight(), None, y)
            })
            .unwrap();
            let on_device = |encoded: &Encoded| device.weight(&encoded.weight()).unwrap();
            let table: Vec<(DeviceWeight, DeviceWeight, Option<DeviceWeight>)> = own
                .iter()
                .map(|[up, down, gate]| (on_device(up), on_device(down), gated.then(|| on_device(gate))))
                .collect();
            let table = device.experts(&table).unwrap();
            let form = Mixture { k, winners: Winners::Softmax, activation: Activation::Silu };
            let xs = device.upload(&x).unwrap();
            let y = device.mixture(tokens, &xs, &on_device(&router), &table, form).unwrap();
            let y = device.download(&y).unwrap();
            // two products, one after the other, of values of about 1
            let units = 2.0 * (bounds::linear(tokens, width) + bounds::linear(tokens, inner));
            let sizes: Vec<(f64, f64)> = expected.iter().map(|v| (f64::from(*v), 8.0)).collect();
            most = most.max(8.0 * close(&format!("{format}, {tokens} tokens"), &y, &sizes, units));
            let again = device.mixture(tokens, &xs, &on_device(&router), &table, form).unwrap();
            crate::same("again", &device.download(&again).unwrap(), &y);
        }
    }
    println!("mixtures: at most {most:.1} u");
}
