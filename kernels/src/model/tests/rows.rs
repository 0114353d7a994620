use super::{close, normal, of_result, on_threads, variants};
use crate::model::{
    TokenLoss, bounds, cross_entropy, divergence, layer_norm, log_softmax, mean, reference, rms_norm, softmax,
};

const WIDTHS: [usize; 9] = [1, 2, 7, 8, 9, 64, 100, 255, 3000];

#[test]
fn norms_agree_with_their_references() {
    for width in WIDTHS {
        let tokens = 200_000 / width / 16 + 2;
        let mut x = normal(width as u64, tokens * width);
        // a row far from 0, whose variance is small beside its mean
        x[..width].iter_mut().for_each(|x| *x = *x * 0.01 + 300.0);
        let (weight, bias) = (normal(2, width), normal(3, width));
        let mut exact = [Vec::new(), Vec::new(), Vec::new()];
        for x in x.chunks_exact(width) {
            // one rounding of what comes before the weight, one of the product, one of the sum
            let (x, weight, bias) = (reference::wide(x), reference::wide(&weight), reference::wide(&bias));
            let plain = reference::layer_norm(&x, &weight, None, 1e-5).unwrap();
            let whole = reference::layer_norm(&x, &weight, Some(&bias), 1e-5).unwrap();
            exact[0].extend(
                whole.into_iter().zip(plain.iter().zip(&bias)).map(|(y, (p, b))| (y, p.abs() + b.abs())),
            );
            exact[1].extend(of_result(plain));
            exact[2].extend(of_result(reference::rms_norm(&x, &weight, 1e-6).unwrap()));
        }
        let mut bits = None;
        for cpu in variants() {
            let run = |which: usize| {
                on_threads(|| {
                    let mut y = x.clone();
                    match which {
                        0 => layer_norm(&cpu, &mut y, &weight, Some(&bias), 1e-5).unwrap(),
                        1 => layer_norm(&cpu, &mut y, &weight, None, 1e-5).unwrap(),
                        _ => rms_norm(&cpu, &mut y, &weight, 1e-6).unwrap(),
                    }
                    y
                })
            };
            let all = [0, 1, 2].map(run);
            for (y, exact) in all.iter().zip(&exact) {
                close(&format!("norm of {width}"), y, exact, 4.0);
            }
            assert_eq!(bits.get_or_insert(all.clone()), &all, "the same bits on every variant");
        }
    }
    let cpu = &variants()[0];
    assert!(layer_norm(cpu, &mut [0.0; 5], &[1.0; 2], None, 1e-5).is_err());
    assert!(layer_norm(cpu, &mut [0.0; 4], &[1.0; 2], Some(&[0.0]), 1e-5).is_err());
    assert!(rms_norm(cpu, &mut [0.0; 4], &[], 1e-5).is_err());
    rms_norm(cpu, &mut [], &[1.0; 2], 1e-5).unwrap();
}

#[test]
fn softmax_agrees_with_its_reference() {
    for width in WIDTHS {
        let tokens = 20_000 / width + 1;
        let mut x = normal(width as u64, tokens * width);
        x.iter_mut().for_each(|x| *x *= 8.0);
        x[0] = 700.0;
        let exact = reference::wide(&x);
        let soft = of_result(reference::softmax(width, &exact).unwrap());
        let log = reference::log_softmax(width, &exact).unwrap();
        let log: Vec<(f64, f64)> = log.into_iter().map(|y| (y, y.abs() + 8.0)).collect();
        let mut bits = None;
        for cpu in variants() {
            let run = |f: fn(&crate::Cpu, usize, &mut [f32]) -> Result<(), crate::KernelError>| {
                on_threads(|| {
                    let mut y = x.clone();
                    f(&cpu, width, &mut y).unwrap();
                    y
                })
            };
            let all = [run(softmax), run(log_softmax)];
            close(&format!("softmax of {width}"), &all[0], &soft, bounds::softmax(104.0));
            close(&format!("log_softmax of {width}"), &all[1], &log, 2.0);
            assert_eq!(bits.get_or_insert(all.clone()), &all, "the same bits on every variant");
        }
    }
    for cpu in variants() {
        let mut y = [1.0, f32::NAN, 2.0, f32::INFINITY, 1.0, 0.0, f32::NEG_INFINITY, 0.0, 0.0];
        softmax(&cpu, 3, &mut y).unwrap();
        assert!(y[..6].iter().all(|y| y.is_nan()), "{y:?}");
        assert_eq!(y[6..], [0.0, 0.5, 0.5]);
        assert!(softmax(&cpu, 0, &mut [1.0]).is_err());
    }
}

#[test]
fn means_are_of_rows() {
    for cpu in variants() {
        for width in WIDTHS {
            let x = normal(4, 3 * width);
            let mut y = [0.0; 3];
            mean(&cpu, width, &x, &mut y).unwrap();
            for (x, y) in x.chunks_exact(width).zip(y) {
                let exact = reference::mean(width, &reference::wide(x)).unwrap()[0];
                assert!((f64::from(y) - exact).abs() <= exact.abs() * bounds::U + 1e-12);
            }
        }
        mean(&cpu, 5, &[], &mut []).unwrap();
        assert!(mean(&cpu, 5, &[0.0; 5], &mut [0.0; 2]).is_err());
    }
}

#[test]
fn losses_agree_with_their_references() {
    for vocab in [1usize, 2, 9, 100, 2000] {
        let tokens = 20;
        let mut logits = normal(vocab as u64, tokens * vocab);
        logits.iter_mut().for_each(|x| *x *= 5.0);
        let baseline: Vec<f32> =
            logits.iter().zip(normal(9, tokens * vocab)).map(|(a, b)| a + b * 0.1).collect();
        let targets: Vec<u32> = (0..tokens).map(|token| (token * 7 % vocab) as u32).collect();
        let mut all: Option<(Vec<TokenLoss>, Vec<f64>)> = None;
        for cpu in variants() {
            let losses = cross_entropy(&cpu, vocab, &logits, &targets).unwrap();
            let divergences = divergence(&cpu, vocab, &baseline, &logits).unwrap();
            for token in 0..tokens {
                let row = token * vocab..(token + 1) * vocab;
                let (p, q) = (&baseline[row.clone()], &logits[row]);
                let [wide_p, wide_q] = [p, q].map(reference::wide);
                let exact = reference::cross_entropy(vocab, &wide_q, &targets[token..=token]).unwrap()[0];
                assert!((losses[token].loss - exact).abs() <= 1e-12 * (1.0 + exact), "{vocab}");
                let best =
                    q.iter().enumerate().fold(0, |best, (index, x)| if *x > q[best] { index } else { best });
                assert_eq!(losses[token].hit, best == targets[token] as usize);
                let exact = reference::divergence(vocab, &wide_p, &wide_q).unwrap()[0];
                assert!((divergences[token] - exact).abs() <= 1e-11, "{vocab}");
            }
            let these = (losses, divergences);
            assert_eq!(all.get_or_insert(these.clone()), &these, "the same bits on every variant");
        }
    }
}

#[test]
fn losses_of_bad_input() {
    let cpu = &variants()[0];
    let error = cross_entropy(cpu, 3, &[0.0; 6], &[2, 3]).unwrap_err();
    assert_eq!(error.to_string(), "target 3 at position 1 is not below 3");
    assert!(cross_entropy(cpu, 3, &[0.0; 5], &[2, 1]).is_err());
    assert!(divergence(cpu, 3, &[0.0; 6], &[0.0; 3]).is_err());
    assert!(divergence(cpu, 3, &[0.0; 4], &[0.0; 4]).is_err());
    for cpu in variants() {
        let losses = cross_entropy(&cpu, 2, &[f32::NAN, 1.0, 1.0, f32::NAN, 1.0, 1.0], &[0, 0, 0]).unwrap();
        assert!(losses[0].loss.is_nan() && losses[1].loss.is_nan() && !losses[0].hit && !losses[1].hit);
        assert!(losses[2].hit && (losses[2].loss - std::f64::consts::LN_2).abs() < 1e-15);
        let masked = cross_entropy(&cpu, 2, &[f32::NEG_INFINITY, 1.0], &[1]).unwrap();
        assert_eq!(masked[0].loss, 0.0);
        let same = divergence(&cpu, 2, &[f32::NEG_INFINITY, 1.0], &[f32::NEG_INFINITY, 1.0]).unwrap();
        assert_eq!(same, [0.0]);
    }
}
