use super::{close, normal, of_result, variants};
use crate::Cpu;
use crate::model::{Gelu, add, bounds, exp, gelu, mul, reference, scale, silu, softplus};

/// Values of all sizes, with the ends of every branch.
fn inputs() -> Vec<f32> {
    let mut x = normal(1, 4000);
    x.extend((-1200..1200).map(|step| step as f32 * 0.1));
    x.extend([
        0.0,
        -0.0,
        1e-30,
        -1e-30,
        1e-44,
        20.0,
        20.00001,
        std::f32::consts::SQRT_2,
        5.656_85,
        5.656_86,
        88.7,
        88.8,
        -87.4,
        -103.0,
    ]);
    x.extend([f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
    x
}

fn check(name: &str, run: impl Fn(&Cpu, &mut [f32]), exact: impl Fn(f64) -> (f64, f64), units: f64) {
    let x = inputs();
    let mut bits = None;
    for cpu in variants() {
        let mut y = x.clone();
        run(&cpu, &mut y);
        for (index, (&x, &y)) in x.iter().zip(&y).enumerate() {
            let (exact, size) = exact(f64::from(x));
            if x.is_finite() && (exact as f32).is_finite() {
                close(&format!("{name}({x:e}) [{index}]"), &[y], &[(exact, size)], units);
            }
            assert_eq!(x.is_nan(), y.is_nan() && x != f32::NEG_INFINITY, "{name}({x}) is {y}");
        }
        let these: Vec<u32> = y.iter().map(|y| if y.is_nan() { 0 } else { y.to_bits() }).collect();
        assert_eq!(bits.get_or_insert(these.clone()), &these, "{name}: the same bits on every variant");
    }
}

#[test]
fn functions_agree_with_their_references() {
    let result = |f: fn(f64) -> f64| move |x: f64| (f(x), f(x).abs());
    let of_x = |f: fn(f64) -> f64| move |x: f64| (f(x), x.abs());
    check("exp", exp, result(f64::exp), bounds::EXP);
    check("gelu", |cpu, x| gelu(cpu, Gelu::Erf, x), of_x(reference::gelu_erf), bounds::GELU);
    check("gelu_tanh", |cpu, x| gelu(cpu, Gelu::Tanh, x), of_x(reference::gelu_tanh), bounds::GELU);
    check("silu", silu, result(reference::silu), bounds::SILU);
    check("softplus", softplus, result(reference::softplus), bounds::SOFTPLUS);
    check("scale", |cpu, x| scale(cpu, 0.3, x), |x| (x * f64::from(0.3f32), x.abs()), 1.0);
}

#[test]
fn erf_is_the_error_function() {
    for (x, erf) in
        [(0.5, 0.520_499_877_813_046_5), (1.0, 0.842_700_792_949_714_9), (3.0, 0.999_977_909_503_001_4)]
    {
        assert!((reference::erf(x) - erf).abs() < 1e-15);
        assert!((reference::erf(-x) + erf).abs() < 1e-15);
    }
}

#[test]
fn shorter_operands_are_repeated() {
    let [a, b] = [normal(2, 21 * 1000), normal(3, 21)];
    for cpu in variants() {
        let (mut sums, mut products) = (a.clone(), a.clone());
        add(&cpu, &mut sums, &b).unwrap();
        mul(&cpu, &mut products, &b).unwrap();
        let exact = |f: fn(f32, f32) -> f32| {
            of_result(a.iter().zip(b.iter().cycle()).map(|(&a, &b)| f64::from(f(a, b))).collect())
        };
        close("sums", &sums, &exact(|a, b| a + b), 0.0);
        close("products", &products, &exact(|a, b| a * b), 0.0);
        add(&cpu, &mut sums, &a).unwrap();
        assert!(add(&cpu, &mut sums, &b[..13]).is_err());
        assert!(add(&cpu, &mut sums, &[]).is_err());
        add(&cpu, &mut [], &[]).unwrap();
    }
}
