//! Models on libtorch, beside the native engine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![cfg(feature = "torch")]

#[path = "model/fixtures.rs"]
mod fixtures;
#[path = "model/quick.rs"]
mod quick;

use fixtures::{FAMILIES, apart, family, fixture, ids, write};
use icpc::backend::place::Place;
use icpc::eval::{Baseline, Model, Protocol, State, TorchModel, calibrate, evaluate, metric_json};
use icpc::exec::{Silent, Stop};
use icpc_kernels::torch::TorchDevice;
use icpc_kernels::torch::model::{TorchRuntime, TorchValue, TorchWeight, cross_entropy};
use quick::{ids_of, quickstart, text};

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

#[test]
fn the_quickstart_gives_the_native_logits_in_every_format() {
    let native = quickstart();
    let torch = native.on(Place::Torch(None)).unwrap();
    let ids = ids_of(128);
    let formats = "fp16,int8(per: channel),int4(per: channel),nf4(block: 64, double: true)";
    let matrices = native.tensors().into_iter().filter(|t| t.shape.len() == 2 && t.dtype.is_float());
    let names: Vec<String> = matrices.map(|t| t.name).collect();
    let plain = apart(&native.logits(&ids).unwrap().values, &torch.logits(&ids).unwrap().values);
    println!("itera_lite: {plain:.1e}");
    assert!(plain < 1e-4, "{plain:e}");
    for format in icpc::sensitivity::parse_formats(formats).unwrap() {
        let changes: Vec<(&str, _)> = names.iter().map(|name| (name.as_str(), format)).collect();
        let (a, b) = (native.with_formats(&changes).unwrap(), torch.with_formats(&changes).unwrap());
        assert_eq!(b.place(), Place::Torch(None));
        let share = apart(&a.logits(&ids).unwrap().values, &b.logits(&ids).unwrap().values);
        println!("itera_lite in {format}: {share:.1e}");
        assert!(share < 1e-4, "{format}: {share:e}");
    }
}

#[test]
fn several_sequences_at_once_are_each_by_itself() {
    for model in
        ["mamba", "mixtral", "llama", "bert"].map(|name| family(name).0).into_iter().chain([quickstart()])
    {
        let torch = model.on(Place::Torch(None)).unwrap();
        let vocabulary = torch.vocabulary().unwrap() as u32;
        let sequence = |start: u32, length: u32| -> Vec<u32> {
            (0..length).map(|i| (start + i * 13) % vocabulary).collect()
        };
        let all = [sequence(1, 7), sequence(2, 7), sequence(3, 5), sequence(4, 6), sequence(5, 6)];
        let all: Vec<&[u32]> = all.iter().map(Vec::as_slice).collect();
        for (ids, found) in all.iter().zip(torch.logits_of(&all)) {
            let share = apart(&torch.logits(ids).unwrap().values, &found.unwrap().values);
            assert!(share < 1e-5, "{}: {share:e}", torch.graph().name);
        }
        // One that cannot be run says so, the others are there.
        let mixed: [&[u32]; 3] = [&[1, 2], &[1, vocabulary], &[2, 1]];
        let found = torch.logits_of(&mixed);
        assert!(found[0].is_ok() && found[2].is_ok());
        assert!(found[1].as_ref().unwrap_err().to_string().contains("beyond the vocabulary"));
    }
}

#[test]
fn perplexities_are_the_native_ones() {
    let (native, tokens) = (quickstart(), text());
    let torch = native.on(Place::Torch(None)).unwrap();
    let protocol = Protocol { samples: Some(20), batch: Some(6), ..Protocol::default() };
    let measure = |model: &Model| {
        let baseline = Baseline::new(model);
        evaluate(model, Some(&baseline), &tokens, &protocol, &Silent, &Stop::default()).unwrap().metric
    };
    let (a, b) = (measure(&native), measure(&torch));
    assert_eq!((a.backend.as_str(), b.backend.as_str()), ("native", "torch-cpu"));
    println!("perplexity {} and {}", a.perplexity, b.perplexity);
    assert!((a.perplexity / b.perplexity - 1.0).abs() < 1e-5);
    assert!((a.top1 - b.top1).abs() < 1e-3);
    // A model beside itself: what is computed together is what is computed by itself.
    assert!(b.against.unwrap().divergence.unwrap() < 1e-9);
    assert!(metric_json(&a).contains("\"backend\": \"native\""));
}

#[test]
fn statistics_are_the_native_ones() {
    let (native, tokens) = (quickstart(), text());
    let torch = native.on(Place::Torch(None)).unwrap();
    let protocol = Protocol { samples: Some(4), ..Protocol::default() };
    let run = |model: &Model| calibrate(model, &tokens, &protocol, &Silent, &Stop::default()).unwrap();
    let (a, b) = (run(&native), run(&torch));
    assert_eq!((a.calibration.backend.as_str(), b.calibration.backend.as_str()), ("native", "torch-cpu"));
    assert_eq!(a.calibration.rows, b.calibration.rows);
    assert_eq!(a.calibration.unseen, b.calibration.unseen);
    let values = |bytes: Vec<u8>| -> Vec<f32> {
        let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        bytes[8 + header..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let (a, b) = (values(a.to_bytes()), values(b.to_bytes()));
    assert!(!a.is_empty());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= 1e-4 * a.abs() + 1e-5, "{a} {b}");
    }
}

#[test]
fn what_is_not_finite_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = fixture("llama");
    write(folder.path(), &fixture);
    let path = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let offsets = &json["model.layers.1.mlp.up_proj.weight"]["data_offsets"];
    let (start, end) = (offsets[0].as_u64().unwrap() as usize, offsets[1].as_u64().unwrap() as usize);
    for four in bytes[8 + header + start..8 + header + end].as_chunks_mut::<4>().0 {
        *four = 3e38f32.to_le_bytes();
    }
    std::fs::write(&path, bytes).unwrap();
    let model = Model::open(folder.path().to_str().unwrap()).unwrap();
    let ids = ids(&fixture);
    let native = model.logits(&ids).unwrap_err();
    let torch = model.on(Place::Torch(None)).unwrap().logits(&ids).unwrap_err();
    assert_eq!(native, torch);
    assert!(native.to_string().contains("in `model.layers.1`"), "{native}");
}

/// The loss of a batch, and the gradient of each weight.
fn gradients(model: &TorchModel, leaves: &[TorchValue]) -> f64 {
    let weights: Vec<TorchWeight> =
        (0..leaves.len()).map(|n| TorchWeight::values(leaves[model.first_of(n)].clone())).collect();
    let logits = model.forward_with(&weights, &[1, 2, 3, 4, 9, 8, 7, 6], 2).unwrap();
    let targets = TorchValue::ids(model.runtime(), &[2, 4], &[2, 3, 4, 5, 8, 7, 6, 5]).unwrap();
    let loss = cross_entropy(&logits, &targets).unwrap().average().unwrap();
    loss.backward().unwrap();
    loss.number().unwrap()
}

#[test]
fn gradients_are_slopes() {
    let mut models: Vec<Model> =
        FAMILIES.into_iter().filter(|f| *f != "bert").map(|name| family(name).0).collect();
    models.push(quickstart());
    for model in models {
        let name = model.graph().name.clone();
        let runtime = TorchRuntime::open(TorchDevice::Cpu, 2).unwrap();
        let torch = TorchModel::of(&model, runtime).unwrap();
        let dense: Vec<TorchValue> = torch.weights().iter().map(|w| w.dense(&runtime).unwrap()).collect();
        let leaves: Vec<TorchValue> = dense.iter().map(|v| v.leaf().unwrap()).collect();
        gradients(&torch, &leaves);
        // Along the gradient itself, for all weights at once.
        let mut square = 0.0;
        let mut steps = Vec::new();
        for (number, leaf) in leaves.iter().enumerate().filter(|(n, _)| torch.first_of(*n) == *n) {
            let Some(gradient) = leaf.gradient().unwrap() else { continue };
            let gradient = gradient.to_floats().unwrap();
            square += gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            steps.push((number, gradient));
        }
        assert!(square > 0.0, "{name}");
        let at = |step: f64| -> f64 {
            let mut moved = leaves.clone();
            for (number, gradient) in &steps {
                let values = dense[*number].to_floats().unwrap();
                let new: Vec<f32> = values.iter().zip(gradient).map(|(v, g)| v + step as f32 * g).collect();
                let shape = dense[*number].shape();
                moved[*number] = TorchValue::floats(&runtime, &shape, &new).unwrap().leaf().unwrap();
            }
            gradients(&torch, &moved)
        };
        let step = 2e-3 / square.sqrt();
        let slope = (at(step) - at(-step)) / (2.0 * step);
        println!("{name}: slope {slope:.6}, square of the gradient {square:.6}");
        assert!((slope / square - 1.0).abs() < 0.02, "{name}: {slope} {square}");
    }
}

#[test]
fn inputs_of_products_are_rounded_as_the_format_says() {
    let native = quickstart();
    let torch = native.on(Place::Torch(None)).unwrap();
    let ids = ids_of(128);
    let format = icpc::sensitivity::parse_formats("int8(per: channel, activations: dynamic)").unwrap()[0];
    let tensors = native.tensors();
    let names = tensors.iter().map(|t| t.name.as_str());
    let names =
        names.filter(|n| ["_proj.weight", "w1.weight", "w2.weight"].iter().any(|end| n.ends_with(end)));
    let changes: Vec<(&str, _)> = names.map(|name| (name, format)).collect();
    assert!(changes.len() > 20);
    let (a, b) = (native.with_formats(&changes).unwrap(), torch.with_formats(&changes).unwrap());
    let (a, b) = (a.logits(&ids).unwrap().values, b.logits(&ids).unwrap().values);
    let share = apart(&a, &b);
    println!("rounded inputs: {share:.1e}");
    let plain = apart(&a, &native.logits(&ids).unwrap().values);
    assert!(share < plain / 10.0, "{share:e} beside {plain:e} of the rounding itself");
    let floats = |model: &Model| {
        let model = model.with_formats(&changes).unwrap().with_rounding(icpc::eval::Rounding::Float).unwrap();
        model.logits(&ids).unwrap().values
    };
    let share = apart(&floats(&native), &floats(&torch));
    assert!(share < 1e-4, "{share:e}");
}
