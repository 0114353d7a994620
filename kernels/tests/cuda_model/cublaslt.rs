//! Dense products by a library: what stands for cuBLASLt computes what it is told, within the bounds of our own kernel. With
//! `ICPC_REQUIRE_CUDA=1` it is the library of this machine.

use crate::library::{Libraries, StandIn};
use crate::processor::Processor;
use crate::{Encoded, close, device_with, formats_of, normal, same};
use icpc_kernels::cuda::Engine;
use icpc_kernels::cuda::cublaslt::{CublasLt, Factors, Multiplier, OVERRIDE, Product};
use icpc_kernels::cuda::model::{Device, bounds};
use icpc_kernels::format::{Cast, Format};
use icpc_kernels::model::reference;
use icpc_kernels::{DType, KernelError};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A device with a library, and the stand-in where it is that.
fn device() -> Option<(Device, Option<StandIn>)> {
    if std::env::var_os("ICPC_REQUIRE_CUDA").is_some() {
        return Some((Device::open(0).unwrap(), None));
    }
    let stand_in = Libraries::stand_in()?;
    let mut processor = Processor::new(Libraries::of_models()?, u64::MAX);
    processor.products = Some(Arc::new(CublasLt::of(&stand_in.path).unwrap()));
    Some((Device::of(&Engine::new(processor)).unwrap(), Some(stand_in)))
}

fn floats() -> [(Format, u64); 3] {
    let cast = |to| Format::Cast(Cast::new(to, false).unwrap());
    // and how many products of the library one of ours is
    [(Format::Keep, 1), (cast(DType::Bf16), 3), (cast(DType::F16), 1)]
}

#[test]
fn products_are_within_the_bounds_of_our_own() {
    let Some((device, stand_in)) = device() else { return };
    let mut most = 0.0f64;
    for (rows, columns) in [(70, 64), (33, 20), (65, 33), (129, 1000), (1, 1)] {
        let (values, bias) = (normal(1, rows * columns), normal(8, rows));
        for (format, each) in floats() {
            let encoded = Encoded::new(format, &[rows, columns], &values);
            let (weight, decoded) = (device.weight(&encoded.weight()).unwrap(), encoded.decoded());
            for tokens in [9, 70] {
                let x = normal(7, tokens * columns);
                let input = device.upload(&x).unwrap();
                for bias in [None, Some(bias.as_slice())] {
                    let what = format!("{format} [{rows}, {columns}] × {tokens}, bias {}", bias.is_some());
                    let of_device = bias.map(|bias| device.upload(bias).unwrap());
                    let multiply = || {
                        device
                            .download(&device.linear(tokens, &input, &weight, of_device.as_ref()).unwrap())
                            .unwrap()
                    };
                    let before = stand_in.as_ref().map(|s| (s.products(), s.questions()));
                    let y = multiply();
                    let exact = reference::sized(|of| {
                        reference::linear(columns, &of(&x), &of(&decoded), bias.map(of).as_deref())
                    })
                    .unwrap();
                    most = most.max(close(&what, &y, &exact, bounds::linear(tokens, columns)));
                    let asked = stand_in.as_ref().map(StandIn::questions);
                    same(&what, &multiply(), &y);
                    if let (Some(s), Some((products, questions))) = (&stand_in, before) {
                        assert_eq!(s.products() - products, 2 * each, "{what}");
                        assert!(s.questions() - questions <= each, "{what}");
                        assert_eq!(Some(s.questions()), asked, "{what}: the second time nothing is asked");
                    }
                }
            }
        }
    }
    println!("dense products by the library: at most {most:.1} u");
}

#[test]
fn some_rows_and_parts_of_rows_are_multiplied() {
    let Some((device, stand_in)) = device() else { return };
    let (rows, columns, tokens) = (50, 33, 10);
    for (format, _) in floats() {
        let encoded = Encoded::new(format, &[rows, columns], &normal(1, rows * columns));
        let (weight, decoded) = (device.weight(&encoded.weight()).unwrap(), encoded.decoded());
        let x = normal(2, tokens * columns);
        let input = device.upload(&x).unwrap();
        // rows that begin at an odd address
        let part = weight.slice(7..40).unwrap();
        let y = device.download(&device.linear(tokens, &input, &part, None).unwrap()).unwrap();
        let part = &decoded[7 * columns..40 * columns];
        let exact = reference::sized(|of| reference::linear(columns, &of(&x), &of(part), None)).unwrap();
        close(&format!("rows of {format}"), &y, &exact, bounds::linear(tokens, columns));
        // f16 is widened a few rows at a time, the last time fewer
        let bias = normal(3, rows);
        let of_device = device.upload(&bias).unwrap();
        let whole =
            device.download(&device.linear(tokens, &input, &weight, Some(&of_device)).unwrap()).unwrap();
        device.widen_at_once(12 * columns);
        let before = stand_in.as_ref().map(StandIn::products);
        let y = device.download(&device.linear(tokens, &input, &weight, Some(&of_device)).unwrap()).unwrap();
        same("a few rows at a time", &y, &whole);
        if let (Some(s), Some(before)) = (&stand_in, before)
            && format.to_string().contains("16")
            && !format.to_string().starts_with('b')
        {
            assert_eq!(s.products() - before, 5);
        }
        device.widen_at_once(1 << 24);
        // what a product takes the other way is dense
        let turned = device.dense(&device.decode(&weight, true).unwrap(), columns, rows).unwrap();
        let x = normal(4, tokens * rows);
        let y = device.linear(tokens, &device.upload(&x).unwrap(), &turned, None).unwrap();
        let other: Vec<f32> = (0..columns)
            .flat_map(|c| decoded.iter().skip(c).step_by(columns).copied().collect::<Vec<_>>())
            .collect();
        let exact = reference::sized(|of| reference::linear(rows, &of(&x), &of(&other), None)).unwrap();
        close("transposed", &device.download(&y).unwrap(), &exact, bounds::linear(tokens, rows));
    }
}

#[test]
fn what_the_library_is_not_for_goes_to_our_own() {
    let Some((device, Some(stand_in))) = device() else { return };
    let Some(without) = device_with(u64::MAX) else { return };
    let (rows, columns) = (40, 64);
    let multiply = |device: &Device, encoded: &Encoded, tokens: usize| {
        let x = device.upload(&normal(7, tokens * columns)).unwrap();
        let weight = device.weight(&encoded.weight()).unwrap();
        device.download(&device.linear(tokens, &x, &weight, None).unwrap()).unwrap()
    };
    for format in formats_of(&[rows, columns]) {
        let encoded = Encoded::new(format, &[rows, columns], &normal(1, rows * columns));
        let is_dense = floats().iter().any(|(of, _)| *of == format);
        for tokens in [8, 20] {
            let before = stand_in.products();
            let found = multiply(&device, &encoded, tokens);
            assert_eq!(stand_in.products() > before, is_dense && tokens > 8, "{format}, {tokens} tokens");
            let own = multiply(&without, &encoded, tokens);
            if !is_dense || tokens == 8 {
                same(&format!("{format}, {tokens} tokens"), &found, &own);
            } else {
                // the same bits, when it is left out or does nothing of that form
                device.use_cublaslt(false);
                same("without it", &multiply(&device, &encoded, tokens), &own);
                device.use_cublaslt(true);
                stand_in.does_nothing(true);
                same("of another form", &multiply(&device, &encoded, 21), &multiply(&without, &encoded, 21));
                stand_in.does_nothing(false);
            }
        }
    }
}

#[test]
fn tf32_is_not_taken_when_it_is_proposed() {
    let Some((device, Some(stand_in))) = device() else { return };
    stand_in.ignores_numerics(true);
    let (rows, columns, tokens) = (30, 64, 12);
    let (x, values) = (normal(1, tokens * columns), normal(2, rows * columns));
    let encoded = Encoded::new(Format::Keep, &[rows, columns], &values);
    let weight = device.weight(&encoded.weight()).unwrap();
    let y = device.linear(tokens, &device.upload(&x).unwrap(), &weight, None).unwrap();
    assert_eq!(stand_in.products(), 1);
    let exact = reference::sized(|of| reference::linear(columns, &of(&x), &of(&values), None)).unwrap();
    close("f32", &device.download(&y).unwrap(), &exact, bounds::linear(tokens, columns));
}

#[test]
fn infinity_nan_and_the_largest_number_go_through() {
    let Some((device, _)) = device() else { return };
    for (format, _) in floats() {
        let encoded = Encoded::new(format, &[70, 64], &normal(1, 70 * 64));
        let weight = device.weight(&encoded.weight()).unwrap();
        for value in [f32::NAN, f32::INFINITY, f32::from_bits(0x7f80_0001)] {
            let mut x = normal(2, 9 * 64);
            x[5] = value;
            let y = device.linear(9, &device.upload(&x).unwrap(), &weight, None).unwrap();
            let y = device.download(&y).unwrap();
            assert!(y[..70].iter().all(|y| !y.is_finite()), "{format}, {value}");
            assert!(y[70..].iter().all(|y| y.is_finite()), "{format}, {value}");
        }
        let mut half = vec![0.0; 70 * 64];
        half[0] = 0.5;
        let encoded = Encoded::new(format, &[70, 64], &half);
        let x = [[f32::MAX, 0.0].repeat(32), vec![0.0; 64 * 8]].concat();
        let weight = device.weight(&encoded.weight()).unwrap();
        let y = device.linear(9, &device.upload(&x).unwrap(), &weight, None).unwrap();
        assert_eq!(device.download(&y).unwrap()[0], f32::MAX / 2.0, "{format}");
    }
}

#[test]
fn a_recorded_product_is_done_again_with_other_numbers() {
    let Some((device, stand_in)) = device() else { return };
    let (rows, columns, tokens) = (40, 200, 10);
    for (format, _) in floats() {
        let encoded = Encoded::new(format, &[rows, columns], &normal(1, rows * columns));
        let weight = device.weight(&encoded.weight()).unwrap();
        let (first, second) = (normal(2, tokens * columns), normal(3, tokens * columns));
        let expected = device.linear(tokens, &device.upload(&second).unwrap(), &weight, None).unwrap();
        let expected = device.download(&expected).unwrap();
        // the place that the recording reads, and what is put there
        let (table, ids) = (
            device.dense(&device.upload(&[first, second].concat()).unwrap(), 2 * tokens, columns).unwrap(),
            device.upload_ids(&(0..tokens as u32).collect::<Vec<_>>()).unwrap(),
        );
        let ask = || -> Result<_, KernelError> {
            device.linear(tokens, &device.embed(&ids, &table)?, &weight, None)
        };
        let of_first = device.download(&ask().unwrap()).unwrap();
        let before = stand_in.as_ref().map(StandIn::products);
        let recording = device.record(ask).unwrap();
        assert_eq!(stand_in.as_ref().map(StandIn::products), before, "it is written down, not done");
        same("as it was", &device.download(recording.replay().unwrap()).unwrap(), &of_first);
        let others: Vec<u32> = (tokens as u32..2 * tokens as u32).collect();
        device.replace_ids(&[(&ids, &others)]).unwrap();
        same("with others", &device.download(recording.replay().unwrap()).unwrap(), &expected);
    }
}

#[test]
fn the_library_is_compared_with_our_own() {
    let Some((device, _)) = device() else { return };
    let compared = device.compare_products().unwrap();
    for found in &compared {
        println!("{}: {:.1} u apart, {:.0} allowed", found.name, found.apart, found.allowed);
        assert!(found.by_library && found.agrees(), "{found:?}");
    }
    assert!(compared.iter().any(|found| found.apart > 0.0));
    let Some(without) = device_with(u64::MAX) else { return };
    assert!(without.compare_products().unwrap().iter().all(|found| !found.by_library && found.apart == 0.0));
}

#[test]
fn everything_is_destroyed_and_what_was_not_asked_is_an_error() {
    let Some(stand_in) = Libraries::stand_in() else { return };
    {
        let mut multiplier = Multiplier::new(Arc::new(CublasLt::of(&stand_in.path).unwrap())).unwrap();
        let (w, x, mut y) = ([1.0f32, 2.0, 3.0, 4.0], [1.0f32, 10.0], [0.0f32; 2]);
        let product = Product {
            factors: Factors::F32,
            rows: 2,
            columns: 2,
            tokens: 1,
            stride: 2,
            adds: false,
            w: w.as_ptr() as u64,
            x: x.as_ptr() as u64,
            bias: 0,
            y: y.as_mut_ptr() as u64,
            workspace: 0,
            workspace_bytes: 0,
        };
        // SAFETY: the arrays have these sizes.
        let error = unsafe { multiplier.multiply(&product, std::ptr::null_mut()) }.unwrap_err().to_string();
        assert!(error.contains("not asked for"), "{error}");
        assert!(multiplier.knows(&product).unwrap());
        // SAFETY: as above.
        unsafe { multiplier.multiply(&product, std::ptr::null_mut()) }.unwrap();
        assert_eq!(y, [21.0, 43.0]);
        let more = Product { adds: true, ..product };
        assert!(multiplier.knows(&more).unwrap());
        // SAFETY: as above.
        unsafe { multiplier.multiply(&more, std::ptr::null_mut()) }.unwrap();
        assert_eq!((y, multiplier.forms()), ([42.0, 86.0], 1));
        // rows that are longer than their distance
        let error = multiplier.knows(&Product { stride: 1, ..product }).unwrap_err().to_string();
        assert!(
            error.contains("cuBLASLt 12.8.4 failed: status 7, an invalid value; set ICPC_CUBLASLT=none"),
            "{error}"
        );
    }
    assert_eq!(stand_in.objects(), 0);
}

/// A folder that is not there.
const NOWHERE: &str = "nowhere/at/all";

#[test]
fn an_absent_library_is_named_with_its_remedy() {
    match std::env::var(OVERRIDE).as_deref() {
        Ok(NOWHERE) => {
            let absent = CublasLt::load(None).unwrap_err();
            insta::assert_snapshot!(absent, @"no cuBLASLt can be loaded from nowhere/at/all, which ICPC_CUBLASLT names, so icpc's own kernels multiply dense weights: `pip install nvidia-cublas-cu12` in the active Python environment, or set ICPC_CUBLASLT to its path");
        }
        Ok("none") => {
            insta::assert_snapshot!(CublasLt::load(None).unwrap_err(), @"ICPC_CUBLASLT leaves cuBLASLt out, so icpc's own kernels multiply dense weights: unset ICPC_CUBLASLT")
        }
        _ => {
            for value in [NOWHERE, "none"] {
                let mut own = Command::new(std::env::current_exe().unwrap());
                let own = own.args(["--exact", "cublaslt::an_absent_library_is_named_with_its_remedy"]);
                let output = own.env(OVERRIDE, value).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            }
            let Some(stand_in) = Libraries::stand_in() else { return };
            let mut own = Command::new(std::env::current_exe().unwrap());
            let own = own.args(["--exact", "cublaslt::a_library_is_taken_from_where_it_is_named"]);
            let output = own.env(OVERRIDE, &stand_in.path).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
    assert!(CublasLt::of(Path::new(NOWHERE)).is_err());
}

/// The real one, where `ICPC_CUBLASLT` names it: it takes every descriptor without a GPU.
#[test]
fn a_library_is_taken_from_where_it_is_named() {
    let Ok(lt) = CublasLt::load(Some(12)) else { return };
    println!("{lt:?}");
    let newer = CublasLt::load(Some(11)).unwrap_err().to_string();
    assert!(newer.contains("is of CUDA 12, and the driver runs CUDA 11"), "{newer}");
}
