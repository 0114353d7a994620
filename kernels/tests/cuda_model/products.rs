//! Products with stored weights, embeddings, and what a weight decodes to.

use crate::{Encoded, close, cpu, device, formats_of, normal, same};
use icpc_kernels::cuda::model::{Device, bounds};
use icpc_kernels::model::{embed, reference};

/// Of a format, how far off it was at most, in units of u, and the shape at which it was.
#[derive(Default)]
struct Worst(f64, String);

fn check(device: &Device, encoded: &Encoded, tokens: usize, worst: &mut [Worst; 2]) {
    let weight = encoded.weight();
    let (rows, columns) = (weight.rows(), weight.columns());
    let (x, bias) = (normal(7, tokens * columns), normal(8, rows));
    let (on_device, input) = (device.weight(&weight).unwrap(), device.upload(&x).unwrap());
    let decoded = encoded.decoded();
    let what = format!("{} [{rows}, {columns}] × {tokens}", encoded.format);
    for bias in [None, Some(bias.as_slice())] {
        let of_device = bias.map(|bias| device.upload(bias).unwrap());
        let y = device.linear(tokens, &input, &on_device, of_device.as_ref()).unwrap();
        let exact = reference::sized(|of| {
            reference::linear(columns, &of(&x), &of(&decoded), bias.map(of).as_deref())
        })
        .unwrap();
        let y = device.download(&y).unwrap();
        let off = close(&what, &y, &exact, bounds::linear(tokens, columns));
        let again = device.linear(tokens, &input, &on_device, of_device.as_ref()).unwrap();
        same(&what, &device.download(&again).unwrap(), &y);
        let worst = &mut worst[usize::from(tokens > 8)];
        if off > worst.0 {
            *worst = Worst(off, what.clone());
        }
    }
}

#[test]
fn products_with_few_tokens_are_within_their_bound() {
    let Some(device) = device() else { return };
    let mut worst = <[Worst; 2]>::default();
    // whole vectors and tiles, rows that begin within a vector, more than one tile of columns, a row that is left over
    for (rows, columns) in [(37, 128), (5, 1184), (33, 20), (3, 33), (2, 2080)] {
        let values = normal(rows as u64, rows * columns);
        for format in formats_of(&[rows, columns]) {
            let encoded = Encoded::new(format, &[rows, columns], &values);
            for tokens in [1, 3, 8] {
                check(&device, &encoded, tokens, &mut worst);
            }
        }
    }
    println!("linear, few tokens: at most {:.1} u, {}", worst[0].0, worst[0].1);
}

#[test]
fn products_with_many_tokens_are_within_their_bound() {
    let Some(device) = device() else { return };
    let mut worst = <[Worst; 2]>::default();
    for (rows, columns) in [(70, 64), (33, 20), (65, 33)] {
        let values = normal(rows as u64, rows * columns);
        for format in formats_of(&[rows, columns]) {
            let encoded = Encoded::new(format, &[rows, columns], &values);
            for tokens in [9, 70] {
                check(&device, &encoded, tokens, &mut worst);
            }
        }
    }
    println!("linear, many tokens: at most {:.1} u, {}", worst[1].0, worst[1].1);
}

#[test]
fn weights_decode_to_the_same_bits() {
    let Some(device) = device() else { return };
    for (rows, columns) in [(40, 64), (7, 20), (3, 33)] {
        let values = normal(3, rows * columns);
        for format in formats_of(&[rows, columns]) {
            let encoded = Encoded::new(format, &[rows, columns], &values);
            let (weight, expected) = (encoded.weight(), encoded.decoded());
            let on_device = device.weight(&weight).unwrap();
            let what = format!("{format} [{rows}, {columns}]");
            let stored: usize = encoded
                .parts
                .iter()
                .filter(|(role, _)| !role.name().ends_with("quant_map") && role.name() != "nested_offset")
                .map(|(_, bytes)| bytes.len())
                .sum();
            // and 16 values of codes
            assert!(on_device.bytes() as usize <= stored + 64, "{what} is {} bytes", on_device.bytes());
            same(&what, &device.download(&device.decode(&on_device, false).unwrap()).unwrap(), &expected);
            let turned = device.download(&device.decode(&on_device, true).unwrap()).unwrap();
            let columns_first: Vec<f32> = (0..columns)
                .flat_map(|c| (0..rows).map(move |r| (r, c)))
                .map(|(r, c)| expected[r * columns + c])
                .collect();
            same(&what, &turned, &columns_first);
            let ids: Vec<u32> = vec![rows as u32 - 1, 0, 2, 2];
            let found = device.embed(&device.upload_ids(&ids).unwrap(), &on_device).unwrap();
            let mut table = vec![0.0; ids.len() * columns];
            embed(cpu(), &ids, &weight, &mut table).unwrap();
            same(&what, &device.download(&found).unwrap(), &table);
            let part = on_device.slice(1..3).unwrap();
            let found = device.download(&device.decode(&part, false).unwrap()).unwrap();
            same(&what, &found, &expected[columns..3 * columns]);
            let x = device.upload(&normal(9, columns)).unwrap();
            let y = device.download(&device.linear(1, &x, &part, None).unwrap()).unwrap();
            let whole = device.download(&device.linear(1, &x, &on_device, None).unwrap()).unwrap();
            same(&what, &y, &whole[1..3]);
        }
    }
}

#[test]
fn what_is_not_there_is_nan_or_an_error() {
    let Some(device) = device() else { return };
    let encoded = Encoded::new(formats_of(&[4, 64])[0], &[4, 64], &normal(1, 256));
    let weight = device.weight(&encoded.weight()).unwrap();
    let rows = device.embed(&device.upload_ids(&[4, 1]).unwrap(), &weight).unwrap();
    let rows = device.download(&rows).unwrap();
    assert!(
        rows[..64].iter().all(|value| value.is_nan()) && rows[64..].iter().all(|value| value.is_finite())
    );
    let x = device.upload(&[0.0; 63]).unwrap();
    let error = device.linear(1, &x, &weight, None).unwrap_err().to_string();
    assert_eq!(error, "input of a linear layer has a length of 63, not 64");
    assert!(weight.slice(3..5).is_err());
}

#[test]
fn infinity_and_nan_go_through() {
    let Some(device) = device() else { return };
    let encoded = Encoded::new(formats_of(&[70, 64])[0], &[70, 64], &normal(1, 70 * 64));
    let weight = device.weight(&encoded.weight()).unwrap();
    for (tokens, value) in [(1, f32::NAN), (1, f32::INFINITY), (9, f32::NAN), (9, f32::INFINITY)] {
        let mut x = normal(2, tokens * 64);
        x[5] = value;
        let y = device.linear(tokens, &device.upload(&x).unwrap(), &weight, None).unwrap();
        let y = device.download(&y).unwrap();
        assert!(y[..70].iter().all(|y| !y.is_finite()), "{tokens} tokens of {value}");
        assert!(y[70..].iter().all(|y| y.is_finite()), "{tokens} tokens of {value}");
    }
    // the largest number is none of them, although its first 11 bits round to one
    let ones = [[f32::MAX, 0.0].repeat(32), vec![0.0; 64 * 8]].concat();
    let mut one = vec![0.0; 70 * 64];
    one[0] = 0.5;
    let dense = Encoded::new(formats_of(&[70, 64])[0], &[70, 64], &one);
    let y = device
        .linear(9, &device.upload(&ones).unwrap(), &device.weight(&dense.weight()).unwrap(), None)
        .unwrap();
    let y = device.download(&y).unwrap();
    assert!((f64::from(y[0]) / (f64::from(f32::MAX) / 2.0) - 1.0).abs() < 1e-5, "{}", y[0]);
}
