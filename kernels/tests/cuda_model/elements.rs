//! Element by element, rows, moving, and what looks for NaN.

use crate::{close, cpu, device, normal, same};
use icpc_kernels::cuda::model::{Activation, Pairing, Strides};
use icpc_kernels::model::{self, Gelu};

fn values() -> Vec<f32> {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        1e-40,
        -1e-40,
        104.5,
        -104.5,
        20.0,
        20.001,
        88.8,
        -87.4,
        5.7,
        -5.7,
    ];
    let wide = normal(1, 501).into_iter().enumerate().map(|(index, v)| v * (1.0 + (index % 20) as f32));
    special.into_iter().chain(wide).collect()
}

#[test]
fn functions_have_the_native_bits() {
    let Some(device) = device() else { return };
    let x = device.upload(&values()).unwrap();
    type Native = fn(&mut [f32]);
    let of_f64: Native = |v| v.iter_mut().for_each(|x| *x = f64::from(*x).tanh() as f32);
    let functions: [(Activation, Native); 7] = [
        (Activation::GeluErf, |v| model::gelu(cpu(), Gelu::Erf, v)),
        (Activation::GeluTanh, |v| model::gelu(cpu(), Gelu::Tanh, v)),
        (Activation::Silu, |v| model::silu(cpu(), v)),
        (Activation::Relu, |v| v.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x })),
        (Activation::Tanh, of_f64),
        (Activation::Exp, |v| model::exp(cpu(), v)),
        (Activation::Softplus, |v| model::softplus(cpu(), v)),
    ];
    for (activation, native) in functions {
        let mut expected = values();
        native(&mut expected);
        let found = device.download(&device.activate(activation, &x).unwrap()).unwrap();
        same(&format!("{activation:?}"), &found, &expected);
        let gates = device.upload(&normal(2, x.len())).unwrap();
        let gated = device.gate(activation, &gates, &x).unwrap();
        let other = device.zip(Pairing::Mul, &x, &device.activate(activation, &gates).unwrap()).unwrap();
        same(
            &format!("{activation:?}"),
            &device.download(&gated).unwrap(),
            &device.download(&other).unwrap(),
        );
    }
    let mut expected = values();
    model::scale(cpu(), -1.0, &mut expected);
    same("scale", &device.download(&device.scale(-1.0, &x).unwrap()).unwrap(), &expected);
}

#[test]
fn rows_are_within_a_rounding_of_the_native_ones() {
    let Some(device) = device() else { return };
    for width in [1, 7, 128, 300, 1031] {
        let rows = 3;
        let (x, weight, bias) = (normal(1, rows * width), normal(2, width), normal(3, width));
        let [xs, weights, biases] = [&x, &weight, &bias].map(|values| device.upload(values).unwrap());
        let exact = |values: &[f32]| -> Vec<(f64, f64)> {
            values.iter().map(|v| (f64::from(*v), f64::from(v.abs()))).collect()
        };
        let mut expected = x.clone();
        model::layer_norm(cpu(), &mut expected, &weight, None, 1e-5).unwrap();
        let found = device.download(&device.layer_norm(&xs, &weights, None, 1e-5).unwrap()).unwrap();
        close("layer_norm", &found, &exact(&expected), 4.0);
        let mut expected = x.clone();
        model::layer_norm(cpu(), &mut expected, &weight, Some(&bias), 1e-5).unwrap();
        let found = device.download(&device.layer_norm(&xs, &weights, Some(&biases), 1e-5).unwrap()).unwrap();
        let sizes: Vec<(f64, f64)> =
            expected.iter().map(|v| (f64::from(*v), f64::from(v.abs()) + 8.0)).collect();
        close("layer_norm with bias", &found, &sizes, 4.0);
        let mut expected = x.clone();
        model::rms_norm(cpu(), &mut expected, &weight, 1e-6).unwrap();
        let found = device.download(&device.rms_norm(&xs, &weights, 1e-6).unwrap()).unwrap();
        close("rms_norm", &found, &exact(&expected), 4.0);
        let mut expected = x.clone();
        model::softmax(cpu(), width, &mut expected).unwrap();
        let found = device.download(&device.softmax(width, &xs).unwrap()).unwrap();
        close("softmax", &found, &exact(&expected), 2.0);
        let mut expected = vec![0.0; rows];
        model::mean(cpu(), width, &x, &mut expected).unwrap();
        let found = device.download(&device.mean(width, &xs).unwrap()).unwrap();
        close("mean", &found, &expected.iter().map(|v| (f64::from(*v), 1.0)).collect::<Vec<_>>(), 2.0);
        let targets: Vec<u32> = (0..rows as u32).map(|row| row % width as u32).collect();
        let expected = model::cross_entropy(cpu(), width, &x, &targets).unwrap();
        let losses = device.cross_entropy(width, &xs, &device.upload_ids(&targets).unwrap()).unwrap();
        let found = device.download_losses(&losses).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found.loss - expected.loss).abs() < 1e-12 * (1.0 + expected.loss),
                "{found:?} {expected:?}"
            );
            assert_eq!(found.hit, expected.hit);
        }
        let rounded: Vec<(f64, f64)> = expected.iter().map(|loss| (loss.loss, loss.loss)).collect();
        close("losses", &device.download(&losses.rounded).unwrap(), &rounded, 1.0);
    }
    let beyond =
        device.cross_entropy(2, &device.upload(&[0.0; 2]).unwrap(), &device.upload_ids(&[2]).unwrap());
    let loss = device.download_losses(&beyond.unwrap()).unwrap()[0];
    assert!(loss.loss.is_nan() && !loss.hit);
}

#[test]
fn axes_are_paired_and_moved() {
    let Some(device) = device() else { return };
    let (a, b) = (normal(1, 2 * 3 * 5), normal(2, 3));
    let (da, db) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
    let strides = Strides { extents: &[2, 3, 5], left: &[15, 5, 1], right: &[0, 1, 0] };
    for (pairing, f) in [
        (Pairing::Add, (|a, b| a + b) as fn(f32, f32) -> f32),
        (Pairing::Sub, |a, b| a - b),
        (Pairing::Mul, |a, b| a * b),
        (Pairing::Div, |a, b| a / b),
    ] {
        let expected: Vec<f32> = a.iter().enumerate().map(|(i, &x)| f(x, b[i / 5 % 3])).collect();
        let found = device.spread(pairing, &da, &db, &strides).unwrap();
        same("spread", &device.download(&found).unwrap(), &expected);
        let row = device.upload(&a[..5]).unwrap();
        let expected: Vec<f32> = a.iter().enumerate().map(|(i, &x)| f(x, a[i % 5])).collect();
        same("zip", &device.download(&device.zip(pairing, &da, &row).unwrap()).unwrap(), &expected);
    }
    // axes 0 and 2 exchanged
    let turned = device.empty(30).unwrap();
    let strides = Strides { extents: &[5, 3, 2], left: &[1, 5, 15], right: &[6, 2, 1] };
    device.move_to(&da, 0, &turned, 0, &strides).unwrap();
    let expected: Vec<f32> =
        (0..30).map(|i| (i / 6, i / 2 % 3, i % 2)).map(|(x, y, z)| a[z * 15 + y * 5 + x]).collect();
    same("move", &device.download(&turned).unwrap(), &expected);
    // columns 2.. of rows of 5
    let part = device.zeros(6 * 4).unwrap();
    let strides = Strides { extents: &[6, 3], left: &[5, 1], right: &[4, 1] };
    device.move_to(&da, 2, &part, 1, &strides).unwrap();
    let found = device.download(&part).unwrap();
    assert!((0..6).all(|r| found[4 * r] == 0.0 && found[4 * r + 1..4 * r + 4] == a[5 * r + 2..5 * r + 5]));
    assert!(device.move_to(&da, 3, &part, 1, &strides).is_err(), "the last row has two columns");
    assert_eq!(device.download_ids(&device.count_up(None, 3).unwrap()).unwrap(), [0, 1, 2]);
    let first = device.upload_ids(&[7]).unwrap();
    assert_eq!(device.download_ids(&device.count_up(Some(&first), 3).unwrap()).unwrap(), [7, 8, 9]);
}

#[test]
fn the_first_value_that_is_not_finite_is_found() {
    let Some(device) = device() else { return };
    let witness = device.witness().unwrap();
    let mut bad = normal(1, 1000);
    device.look(&witness, 0, &device.upload(&bad).unwrap()).unwrap();
    assert_eq!(device.seen(&witness).unwrap(), None);
    (bad[700], bad[701]) = (f32::NEG_INFINITY, f32::NAN);
    device.look(&witness, 5, &device.upload(&bad).unwrap()).unwrap();
    bad[3] = f32::NAN;
    device.look(&witness, 6, &device.upload(&bad).unwrap()).unwrap();
    assert_eq!(device.seen(&witness).unwrap(), Some((5, 700)));
    device.begin_looking(&witness).unwrap();
    let mut looks = device.looks(3).unwrap();
    device.look_at_all(&witness, &looks).unwrap();
    assert_eq!(device.seen(&witness).unwrap(), None, "nothing was given");
    let good = device.upload(&normal(1, 300)).unwrap();
    let (first, second) = (device.upload(&bad[4..]).unwrap(), device.upload(&bad).unwrap());
    device.set_looks(&mut looks, vec![good.clone(), first, second]).unwrap();
    device.look_at_all(&witness, &looks).unwrap();
    let (seen, values) = device.seen_with(&witness, &good).unwrap();
    assert_eq!((seen, values), (Some((1, 696)), normal(1, 300)));
    assert!(device.set_looks(&mut looks, vec![good; 4]).is_err());
}
