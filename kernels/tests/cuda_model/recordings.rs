//! What is written down once and done again, and memory.

use crate::{Encoded, device, device_with, formats_of, normal, same};
use icpc_kernels::KernelError;
use icpc_kernels::cuda::model::{Activation, Device, Floats, Ids, KeyValues, Pairing, Turns};
use icpc_kernels::model::{Attention, Rotary};

/// One token of a layer: embedding, projections, attention over what came before, and the residual.
struct Layer {
    table: icpc_kernels::cuda::model::DeviceWeight,
    projections: Vec<icpc_kernels::cuda::model::DeviceWeight>,
    norm: Floats,
    turns: Turns,
    shape: Attention,
}

impl Layer {
    fn new(device: &Device) -> Layer {
        let (width, format) = (64, formats_of(&[64, 64])[24]);
        let weight = |seed, rows| {
            let encoded = Encoded::new(format, &[rows, width], &normal(seed, rows * width));
            device.weight(&encoded.weight()).unwrap()
        };
        Layer {
            table: weight(1, 100),
            projections: (2..6).map(|seed| weight(seed, width)).collect(),
            norm: device.upload(&normal(7, width)).unwrap(),
            turns: device.turns(&Rotary::frequencies(10_000.0, 16), 64).unwrap(),
            shape: Attention::causal(4, 4, 16),
        }
    }

    fn token(
        &self,
        device: &Device,
        id: &Ids,
        past: &Ids,
        cache: &mut KeyValues,
    ) -> Result<Floats, KernelError> {
        let x = device.embed(id, &self.table)?;
        let normed = device.rms_norm(&x, &self.norm, 1e-5)?;
        let [q, k, v, o] = self.projections.as_slice() else { panic!() };
        let project = |w| device.linear(1, &normed, w, None);
        let q = device.turn(&self.turns, 4, 16, Some(past), &project(q)?)?;
        device.append(cache, Some(&self.turns), 16, past, &project(k)?, &project(v)?)?;
        let y = device.linear(1, &device.attention_cached(&self.shape, past, &q, cache)?, o, None)?;
        device.zip(Pairing::Add, &device.activate(Activation::Silu, &y)?, &x)
    }
}

#[test]
fn a_recorded_token_is_any_token() {
    let Some(device) = device() else { return };
    let layer = Layer::new(&device);
    let ids: Vec<u32> = (0..20).map(|n| n * 7 % 100).collect();
    let start =
        || (device.zero_ids(1).unwrap(), device.zero_ids(1).unwrap(), device.key_values(64, 0).unwrap());
    let (id, past, mut cache) = start();
    let expected: Vec<Vec<f32>> = ids
        .iter()
        .enumerate()
        .map(|(number, token)| {
            device.replace_ids(&[(&id, &[*token])]).unwrap();
            device.replace_ids(&[(&past, &[number as u32])]).unwrap();
            device.download(&layer.token(&device, &id, &past, &mut cache).unwrap()).unwrap()
        })
        .collect();
    let (id, past, mut cache) = start();
    device.replace_ids(&[(&id, &ids[..1])]).unwrap();
    let first = layer.token(&device, &id, &past, &mut cache).unwrap();
    same("the first token", &device.download(&first).unwrap(), &expected[0]);
    let before = device.memory();
    let recording = device.record(|| layer.token(&device, &id, &past, &mut cache)).unwrap();
    for (number, token) in ids.iter().enumerate().skip(1) {
        device.replace_ids(&[(&id, &[*token])]).unwrap();
        device.replace_ids(&[(&past, &[number as u32])]).unwrap();
        // others may use the device in between
        let other = device.upload(&normal(number as u64, 64)).unwrap();
        device.activate(Activation::Exp, &other).unwrap();
        let y = recording.replay().unwrap();
        same(&format!("token {number}"), &device.download(y).unwrap(), &expected[number]);
    }
    let kept = device.memory();
    assert!(kept > before, "a recording has memory of its own");
    drop(recording);
    assert!(device.memory() < kept, "which it gives back");
}

#[test]
fn a_recording_that_fails_is_ended() {
    let Some(device) = device() else { return };
    let failed = device.record(|| -> Result<(), KernelError> {
        device.zeros(100)?;
        Err(KernelError::Malformed { what: "on purpose" })
    });
    assert_eq!(failed.unwrap_err(), KernelError::Malformed { what: "on purpose" });
    same("zeros", &device.download(&device.zeros(3).unwrap()).unwrap(), &[0.0; 3]);
}

#[test]
fn memory_is_used_again_and_its_end_is_an_error() {
    let Some(device) = device_with(64 << 10) else { return };
    let x = device.upload(&normal(1, 1000)).unwrap();
    for _ in 0..50 {
        device.activate(Activation::Exp, &x).unwrap();
    }
    assert_eq!(device.memory(), 8192);
    // what is idle is given back first
    let large = device.zeros(14_000).unwrap();
    assert_eq!(large.len(), 14_000);
    let error = device.zeros(14_000).unwrap_err().to_string();
    assert!(error.contains("1 MiB") && error.contains("smaller format"), "{error}");
}
