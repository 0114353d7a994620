//! Models on libtorch, beside the native engine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![cfg(feature = "torch")]

#[path = "model/fixtures.rs"]
mod fixtures;

use fixtures::{FAMILIES, fixture, ids, write};
use icpc::backend::place::Place;
use icpc::eval::{Model, State};

/// The largest difference, as a share of the largest magnitude.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

fn family(name: &str) -> (Model, Vec<u32>) {
    let fixture = fixture(name);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &fixture);
    (Model::open(folder.path().to_str().unwrap()).unwrap(), ids(&fixture))
}

#[test]
fn logits_of_every_family_are_the_native_ones() {
    for name in FAMILIES {
        let (native, ids) = family(name);
        let expected = native.logits(&ids).unwrap();
        let torch = native.on(Place::Torch(None)).unwrap();
        let found = torch.logits(&ids).unwrap();
        let share = apart(&expected.values, &found.values);
        println!("{name}: {share:.1e}");
        assert!(share < 1e-4, "{name}: {share:e}");
    }
}

#[test]
fn tokens_one_at_a_time_give_the_same_logits() {
    for name in FAMILIES.into_iter().filter(|f| *f != "bert") {
        let (native, ids) = family(name);
        let torch = native.on(Place::Torch(None)).unwrap();
        let whole = torch.logits(&ids).unwrap();
        let mut state = State::new();
        let mut values = torch.next(&ids[..3], &mut state).unwrap().values;
        for id in &ids[3..] {
            values.extend(torch.next(&[*id], &mut state).unwrap().values);
        }
        let share = apart(&whole.values, &values);
        assert!(share < 1e-5, "{name}: {share:e}");
    }
}
