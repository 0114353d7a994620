//! Every function against its reference, on every variant and the emulated ones, within [`super::bounds`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod elementwise;
mod int8;
mod linear;
mod rows;
mod sequence;

use super::bounds::{TINY, U};
use crate::Cpu;

/// Every variant that this processor has, and those without vectors.
fn variants() -> Vec<Cpu> {
    Cpu::variants().into_iter().chain(Cpu::emulated()).collect()
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

/// `found` is within `units` of u of `size` from `exact`.
#[track_caller]
fn close(what: &str, found: &[f32], exact: &[(f64, f64)], units: f64) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (index, (&found, &(exact, size))) in found.iter().zip(exact).enumerate() {
        let off = (f64::from(found) - exact).abs();
        let bound = units * 1.001 * U * size + TINY;
        assert!(
            off <= bound || (found.is_nan() && exact.is_nan()),
            "{what}: element {index} is {found:e}, not {exact:e}: off by {off:e}, and {bound:e} is allowed"
        );
    }
}

/// The results themselves as sizes.
fn of_result(values: Vec<f64>) -> Vec<(f64, f64)> {
    values.into_iter().map(|value| (value, value.abs())).collect()
}

/// Run on pools of one and of three threads: the same bits.
#[track_caller]
fn on_threads(work: impl Fn() -> Vec<f32> + Sync) -> Vec<f32> {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(&work);
    let three = pool(3).install(&work);
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&one), bits(&three), "threads change nothing");
    one
}

#[test]
fn the_first_value_that_is_not_finite_is_found() {
    use super::first_not_finite;
    assert_eq!(first_not_finite(&[]), None);
    let mut values = vec![f32::MAX; 5000];
    assert_eq!(first_not_finite(&values), None);
    for index in [4999, 1024, 1023, 7] {
        values[index] = if index % 2 == 0 { f32::NAN } else { f32::NEG_INFINITY };
        assert_eq!(first_not_finite(&values), Some(index));
    }
}
