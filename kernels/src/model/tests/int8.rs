use super::{normal, on_threads, variants};
use crate::format::{Format, Int, IntBits, Per};
use crate::model::{ActivationScale, Weight, bounds, linear_int8, reference};
use crate::{DType, KernelError, Role};

fn weight<'a>(per: Per, symmetric: bool, shape: [u64; 2], codes: &'a [u8], scales: &'a [u8]) -> Weight<'a> {
    let format = Format::Int(Int { per, symmetric, ..Int::new(IntBits::Eight) });
    let part = |role| match role {
        Role::Codes => Some(codes),
        Role::Scales => Some(scales),
        _ => Some(&codes[..scales.len() / 4]),
    };
    Weight::new(&format, &shape, DType::F32, part).unwrap()
}

/// The codes of the reference, and the roundings to f32 that [`linear_int8`] says.
fn in_f32(
    columns: usize,
    x: &[f64],
    codes: &[f64],
    scales: &[f32],
    scale: ActivationScale,
    bias: &[f32],
) -> Vec<f32> {
    let rounded = reference::rounded(columns, x, scale).unwrap();
    let sums = reference::linear(columns, &rounded.codes, codes, None).unwrap();
    let tokens = sums.chunks_exact(scales.len()).zip(&rounded.steps);
    let token = |(sums, step): (&[f64], &f64)| -> Vec<f32> {
        let row = |(sum, (scale, bias)): (&f64, (&f32, &f32))| *sum as f32 * (*step as f32 * scale) + bias;
        sums.iter().zip(scales.iter().zip(bias)).map(row).collect()
    };
    tokens.flat_map(token).collect()
}

#[test]
fn integers_are_the_same_everywhere() {
    for columns in [1usize, 31, 32, 33, 63, 64, 65, 200, 4096, 5000] {
        for (tokens, rows) in [(1, 5), (3, 70), (17, 9)] {
            // all codes, -128 too, which other programs write
            let codes: Vec<u8> = (0..rows * columns).map(|index| (index * 7 + index / 251) as u8).collect();
            let scales: Vec<f32> = (0..rows).map(|row| 0.01 + row as f32 * 0.003).collect();
            let scale_bytes: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
            let (mut x, bias) = (normal(columns as u64, tokens * columns), normal(8, rows));
            x[0] = 1000.0;
            x[tokens * columns - 1] = -1000.0;
            let signed: Vec<f64> = codes.iter().map(|&code| f64::from(code as i8)).collect();
            let shape = [rows as u64, columns as u64];
            for (per, scales, bytes) in [
                (Per::Channel { axis: 0 }, scales.clone(), &scale_bytes[..]),
                (Per::Tensor, vec![scales[0]; rows], &scale_bytes[..4]),
            ] {
                for scale in [ActivationScale::Dynamic, ActivationScale::Static(0.02), ActivationScale::Whole]
                {
                    let w = weight(per, true, shape, &codes, bytes);
                    let wide = reference::wide(&x);
                    let exact = in_f32(columns, &wide, &signed, &scales, scale, &bias);
                    let (scales, biases) = (reference::wide(&scales), reference::wide(&bias));
                    let plain =
                        reference::linear_int8(columns, &wide, &signed, &scales, scale, Some(&biases));
                    for ((plain, exact), bias) in plain.unwrap().iter().zip(&exact).zip(biases.iter().cycle())
                    {
                        // the step, its product with a scale, the sum, its product, the bias
                        let bound = 6.0 * bounds::U * (plain.abs() + bias.abs());
                        assert!((plain - f64::from(*exact)).abs() <= bound, "{plain} {exact}");
                    }
                    for cpu in variants() {
                        let y = on_threads(|| {
                            let mut y = vec![f32::NAN; tokens * rows];
                            linear_int8(&cpu, tokens, &x, &w, scale, Some(&bias), &mut y).unwrap();
                            y
                        });
                        assert_eq!(y, exact, "{cpu:?} {columns} {tokens} {rows}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_largest_sums_fit() {
    let columns = 1 << 17;
    let (codes, scale) = (vec![0x80u8; columns], 1.0f32.to_le_bytes());
    let w = weight(Per::Tensor, true, [1, columns as u64], &codes, &scale);
    for cpu in variants() {
        for x in [1.0, -1.0] {
            let mut y = [0.0];
            linear_int8(&cpu, 1, &vec![x; columns], &w, ActivationScale::Dynamic, None, &mut y).unwrap();
            assert_eq!(y, [(-128.0 * 127.0 * columns as f32) * (x / 127.0)]);
        }
    }
}

#[test]
fn what_integers_cannot_do_is_an_error() {
    let cpu = &variants()[0];
    let (codes, scales) = ([1u8; 8], [0u8; 32]);
    let w = weight(Per::Channel { axis: 0 }, true, [2, 4], &codes, &scales[..8]);
    let mut y = [0.0; 2];
    let mut run = |x: &[f32], w: &Weight<'_>, scale| linear_int8(cpu, 1, x, w, scale, None, &mut y);
    run(&[0.0; 4], &w, ActivationScale::Dynamic).unwrap();
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(
            run(&[0.0; 4], &w, ActivationScale::Static(bad)),
            Err(KernelError::Malformed { .. })
        ));
    }
    let error = run(&[0.0, f32::INFINITY, 0.0, 0.0], &w, ActivationScale::Dynamic).unwrap_err();
    assert_eq!(error, KernelError::NonFinite { index: 1, value: f64::INFINITY });
    assert!(run(&[0.0; 3], &w, ActivationScale::Dynamic).is_err());
    let columns = weight(Per::Channel { axis: 1 }, true, [2, 4], &codes, &scales[..16]);
    let zeros = weight(Per::Tensor, false, [2, 4], &codes, &scales[..4]);
    let dense = [0.0; 8];
    for w in [columns, zeros, Weight::dense(&dense, 2, 4).unwrap()] {
        assert!(matches!(run(&[0.0; 4], &w, ActivationScale::Dynamic), Err(KernelError::Malformed { .. })));
    }
}
