use super::super::{TorchExpert, TorchValue, TorchWeight, Unary, gated, mixture, route};
use super::{leaf, near, normal, runtime, same_gradients, value};
use crate::Cpu;
use crate::KernelError;
use crate::model::{self, Weight, Winners};
use tch::Tensor;

const EXPERTS: usize = 5;
const WIDTH: usize = 4;
const INNER: usize = 6;

/// Up, gate and down of each expert.
fn experts() -> Vec<[TorchValue; 3]> {
    let expert = |number: u64| {
        [
            leaf(10 + number, &[INNER, WIDTH]),
            leaf(20 + number, &[INNER, WIDTH]),
            leaf(30 + number, &[WIDTH, INNER]),
        ]
    };
    (0..EXPERTS as u64).map(expert).collect()
}

fn run(
    x: &TorchValue,
    router: &TorchValue,
    experts: &[[TorchValue; 3]],
    k: usize,
    over_all: bool,
) -> TorchValue {
    let runtime = runtime();
    let routes = route(&runtime, x, &TorchWeight::values(router.clone()), k, over_all).unwrap();
    mixture(x, &routes, |number, x| -> Result<TorchValue, KernelError> {
        let [up, gate, down] = experts[number].clone().map(TorchWeight::values);
        let expert = TorchExpert { up: &up, gate: Some(&gate), down: &down };
        Ok(gated(&runtime, x, &expert, Unary::Silu)?.0)
    })
    .unwrap()
}

#[test]
fn a_mixture_is_the_native_one() {
    let cpu = Cpu::detect().unwrap();
    let (x, router) = (normal(1, 14 * WIDTH), normal(2, EXPERTS * WIDTH));
    let experts = experts();
    for (k, over_all) in [(1, false), (2, false), (3, true), (EXPERTS, true)] {
        let found =
            run(&value(&[2, 7, WIDTH], &x), &value(&[EXPERTS, WIDTH], &router), &experts, k, over_all);
        let mut logits = vec![0.0; 14 * EXPERTS];
        let gate = Weight::dense(&router, EXPERTS, WIDTH).unwrap();
        model::linear(cpu, 14, &x, &gate, None, &mut logits).unwrap();
        let winners = if over_all { Winners::OfAll } else { Winners::Softmax };
        let routes = model::route(EXPERTS, k, winners, &logits).unwrap();
        let mut expected = vec![0.0; x.len()];
        model::mixture(
            14,
            WIDTH,
            WIDTH,
            &routes,
            &x,
            &mut expected,
            |number, x, y| -> Result<(), KernelError> {
                let [up, gate, down] = experts[number].clone().map(|w| w.to_floats().unwrap());
                let tokens = x.len() / WIDTH;
                let (mut a, mut b) = (vec![0.0; tokens * INNER], vec![0.0; tokens * INNER]);
                model::linear(cpu, tokens, x, &Weight::dense(&gate, INNER, WIDTH)?, None, &mut a)?;
                model::linear(cpu, tokens, x, &Weight::dense(&up, INNER, WIDTH)?, None, &mut b)?;
                model::silu(cpu, &mut a);
                model::mul(cpu, &mut a, &b)?;
                model::linear(cpu, tokens, &a, &Weight::dense(&down, WIDTH, INNER)?, None, y)
            },
        )
        .unwrap();
        near(&format!("{k} of {EXPERTS}"), &found.to_floats().unwrap(), &expected, 2e-6);
    }
}

#[test]
fn of_equal_scores_the_first_expert_wins() {
    let runtime = runtime();
    let x = value(&[1, 3, 2], &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    // Experts 1 and 3 have the same row.
    let router = value(&[4, 2], &[0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 1.0, 0.0]);
    let routes = route(&runtime, &x, &TorchWeight::values(router), 1, false).unwrap();
    let mut seen = Vec::new();
    mixture(&x, &routes, |number, x| -> Result<TorchValue, KernelError> {
        seen.push((number, x.shape()[0]));
        Ok(x.clone())
    })
    .unwrap();
    assert_eq!(seen, [(0, 1), (1, 2)]);
    for k in [0, 5] {
        let router = TorchWeight::values(leaf(1, &[4, 2]));
        assert!(matches!(route(&runtime, &x, &router, k, false), Err(KernelError::OutOfRange { .. })));
    }
}

#[test]
fn gradients_of_a_mixture_are_those_of_all_experts_with_weights() {
    let (x, router, experts) = (leaf(1, &[2, 7, WIDTH]), leaf(2, &[EXPERTS, WIDTH]), experts());
    for (k, over_all) in [(2, false), (3, true)] {
        let fast = run(&x, &router, &experts, k, over_all);
        let logits = x.0.matmul(&router.0.tr());
        let (_, chosen) = logits.sort_stable(true, -1, true);
        let mask = logits.zeros_like().scatter_value(-1, &chosen.narrow(-1, 0, k as i64), 1.0);
        let shares = if over_all {
            logits.softmax(-1, None) * &mask
        } else {
            logits.masked_fill(&mask.eq(0.0), f64::NEG_INFINITY).softmax(-1, None)
        };
        let mut slow = x.0.zeros_like();
        for (number, [up, gate, down]) in experts.iter().enumerate() {
            let inner = x.0.matmul(&gate.0.tr()).silu() * x.0.matmul(&up.0.tr());
            let share: Tensor = shares.narrow(-1, number as i64, 1);
            slow = slow.f_add(&(inner.matmul(&down.0.tr()) * share)).unwrap();
        }
        let leaves: Vec<&TorchValue> = [&x, &router].into_iter().chain(experts.iter().flatten()).collect();
        same_gradients(&format!("{k} of {EXPERTS}"), &leaves, &fast, &TorchValue(slow));
    }
}
