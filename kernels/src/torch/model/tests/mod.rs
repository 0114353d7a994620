//! Every function beside the native arithmetic, and gradients beside those of plainer ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod mixture;
mod sequence;
mod weight;

use super::{TorchRuntime, TorchValue};
use crate::torch::TorchDevice;
use tch::Tensor;

fn runtime() -> TorchRuntime {
    TorchRuntime::open(TorchDevice::Cpu, 2).unwrap()
}

/// Values that are about normal; the same for the same seed.
fn normal(seed: u64, length: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..length).map(|_| (next() + next() + next() + next() - 2.0) * 1.7).collect()
}

fn value(shape: &[usize], values: &[f32]) -> TorchValue {
    TorchValue::floats(&runtime(), shape, values).unwrap()
}

/// Random values with a trace.
fn leaf(seed: u64, shape: &[usize]) -> TorchValue {
    value(shape, &normal(seed, shape.iter().product())).leaf().unwrap()
}

/// `found` is `expected` up to `share` of the largest magnitude.
#[track_caller]
fn near(what: &str, found: &[f32], expected: &[f32], share: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-30f32, |most, x| most.max(x.abs()));
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0f32, |most, x| most.max(x));
    assert!(off <= share * largest, "{what}: off by {off:e}, the largest is {largest:e}");
    assert!(found.iter().all(|x| x.is_finite()), "{what}");
}

/// Gradients of a weighted sum of two results with respect to the same leaves are the same.
#[track_caller]
fn same_gradients(what: &str, leaves: &[&TorchValue], a: &TorchValue, b: &TorchValue) {
    let weights = value(&a.shape(), &normal(99, a.shape().iter().product()));
    let gradients = |y: &TorchValue| -> Vec<Vec<f32>> {
        y.0.f_mul(&weights.0).unwrap().f_sum(tch::Kind::Float).unwrap().backward();
        let all = leaves.iter().map(|leaf| {
            let gradient = leaf.gradient().unwrap().expect("a gradient");
            let values = gradient.to_floats().unwrap();
            let mut kept: Tensor = gradient.0;
            let _ = kept.zero_();
            values
        });
        all.collect()
    };
    for (number, (a, b)) in gradients(a).iter().zip(gradients(b)).enumerate() {
        near(&format!("{what}: gradient of leaf {number}"), a, &b, 2e-5);
    }
}

#[test]
fn what_is_not_finite_is_found() {
    let mut values = vec![f32::MAX, -f32::MAX, 0.0, 1.0];
    let finite = value(&[2, 2], &values);
    assert!(finite.witness().unwrap().unwrap().number().unwrap().is_finite());
    assert_eq!(finite.first_not_finite().unwrap(), None);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        values[2] = bad;
        let found = value(&[2, 2], &values);
        assert_eq!(found.first_not_finite().unwrap(), Some(2));
        let all = [finite.witness().unwrap().unwrap(), found.witness().unwrap().unwrap()];
        let numbers = TorchValue::numbers(&all).unwrap();
        assert_eq!(numbers.iter().map(|n| n.is_finite()).collect::<Vec<_>>(), [true, false]);
    }
    let ids = TorchValue::ids(&runtime(), &[2], &[1, 2]).unwrap();
    assert!(ids.witness().unwrap().is_none());
}
