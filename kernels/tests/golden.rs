//! Every case that bitsandbytes itself wrote is reproduced (needs the bench data; `fixtures.rs` needs nothing).

#![allow(clippy::unwrap_used, reason = "tests")]

use icpc_kernels::backend::{NestedDecodeOp, Op};
use icpc_kernels::format::dynamic_map::DYNAMIC_MAP;
use icpc_kernels::format::{Code4, Code4Kind, Format};
use icpc_kernels::{Backend, Cpu, DType, Decoder, Encoder, Reference, Role, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;

struct Stored {
    dtype: DType,
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

fn golden() -> Option<BTreeMap<String, Stored>> {
    let root = std::env::var_os("ICPC_BENCH_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let Ok(file) = std::fs::read(root.join("golden/bnb_nf4.safetensors")) else {
        eprintln!("skipped: bench data absent");
        return None;
    };
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    let data = &file[8 + length..];
    let mut tensors = BTreeMap::new();
    for (name, value) in header.as_object().unwrap() {
        if name == "__metadata__" {
            continue;
        }
        let dtype = match value["dtype"].as_str().unwrap() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::Bf16,
            _ => DType::U8,
        };
        let numbers = |key: &str| -> Vec<u64> {
            value[key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
        };
        let range = numbers("data_offsets");
        let bytes = data[range[0] as usize..range[1] as usize].to_vec();
        tensors.insert(name.clone(), Stored { dtype, shape: numbers("shape"), bytes });
    }
    Some(tensors)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn nested_decode(codes: &[u8], scales: &[f32], offset: f32) -> Vec<f32> {
    let mut absmax = vec![0.0; codes.len()];
    let op = NestedDecodeOp { codes, scales, offset, absmax: &mut absmax };
    Reference.run(Op::NestedDecode(op)).unwrap();
    absmax
}

fn encode(backend: &dyn Backend, format: &Format, input: &Stored) -> BTreeMap<Role, Vec<u8>> {
    let encoder = Encoder::new(format, &input.shape, input.dtype, 1 << 14).unwrap();
    let mut parts: BTreeMap<Role, Vec<u8>> =
        encoder.layout().parts.iter().map(|part| (part.role, vec![0; part.bytes as usize])).collect();
    let (mut pieces, mut deferred) = (Vec::new(), Vec::new());
    let width = input.dtype.width() as usize;
    for (start, elements) in encoder.chunks() {
        let bytes = &input.bytes[start as usize * width..(start + elements) as usize * width];
        let range = encoder.main_range(start, elements);
        let main = &mut parts.get_mut(&Role::Codes).unwrap()[range.start as usize..range.end as usize];
        let encoded = encoder.encode(backend, start, bytes, main, true).unwrap();
        pieces.extend(encoded.pieces);
        deferred.extend(encoded.deferred);
    }
    pieces.extend(encoder.finish(backend, &deferred).unwrap());
    for piece in pieces {
        let at = piece.offset as usize;
        parts.get_mut(&piece.role).unwrap()[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    parts
}

/// libtorch, where it is built in.
fn torch() -> Option<Box<dyn Backend>> {
    #[cfg(feature = "torch")]
    return Some(Box::new(icpc_kernels::Torch::cpu().unwrap()));
    #[cfg(not(feature = "torch"))]
    None
}

#[test]
fn bitsandbytes_cases_are_reproduced() {
    let Some(tensors) = golden() else { return };
    assert_eq!(floats(&tensors["dynamic_map"].bytes).map_bits(), DYNAMIC_MAP.to_vec().map_bits());
    let mut cases = 0;
    for (name, input) in &tensors {
        let Some(case) = name.strip_suffix(".input") else { continue };
        cases += 1;
        let stored = |suffix: &str| tensors.get(&format!("{case}.weight{suffix}"));
        let state = stored(".quant_state.bitsandbytes__nf4").unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state.bytes).unwrap();
        let block = state["blocksize"].as_u64().unwrap() as u32;
        let double = stored(".nested_absmax").is_some();
        let format = Format::Code4(Code4 { kind: Code4Kind::Nf4, block, double });
        let backends: Vec<Box<dyn Backend>> = Cpu::variants()
            .into_iter()
            .map(|cpu| Box::new(cpu) as Box<dyn Backend>)
            .chain([Box::new(Reference) as Box<dyn Backend>])
            .chain(torch())
            .collect();
        for backend in backends {
            let label = format!("{case} on {}", backend.name());
            let parts = encode(&*backend, &format, input);
            let layout = format.layout(&input.shape, input.dtype).unwrap();
            assert_eq!(layout.part(Role::Codes).unwrap().shape, stored("").unwrap().shape, "{label}");
            assert!(parts[&Role::Codes] == stored("").unwrap().bytes, "{label}: codes");
            assert!(parts[&Role::QuantMap] == stored(".quant_map").unwrap().bytes, "{label}: codebook");
            if double {
                check_nested(&label, input, &parts, &tensors, case, &state);
            } else {
                assert!(parts[&Role::Absmax] == stored(".absmax").unwrap().bytes, "{label}: absmax");
                let side = |role: Role| parts.get(&role).map(Vec::as_slice);
                let decoder = Decoder::new(&format, &input.shape, input.dtype, side).unwrap();
                let mut decoded = vec![0; input.bytes.len()];
                let elements = layout.elements as usize;
                decoder
                    .decode(&*backend, 0, elements, &parts[&Role::Codes], input.dtype, &mut decoded)
                    .unwrap();
                // Where blocks cross rows, bitsandbytes' CPU kernel takes the absmax of another block (its result is
                // far from its own input); it multiplies in the source's type, so only f32 is bit-equal.
                if input.shape[1] % u64::from(block) != 0 {
                    continue;
                }
                let theirs = &tensors[&format!("{case}.dequant")].bytes;
                if input.dtype == DType::F32 {
                    assert!(&decoded == theirs, "{label}: dequantised");
                }
                let epsilon = if input.dtype == DType::Bf16 { 1.0 / 128.0 } else { 1.0 / 1024.0 };
                let (ours, theirs) = (Source::new(input.dtype, &decoded), Source::new(input.dtype, theirs));
                for (ours, theirs) in ours.unwrap().weights().zip(theirs.unwrap().weights()) {
                    assert!((ours - theirs).abs() <= epsilon * ours.abs(), "{label}: {ours} {theirs}");
                }
            }
        }
    }
    assert_eq!(cases, 19);
}

/// Nested codes equal bitsandbytes' or stand for a value that is nearer to the true absmax.
fn check_nested(
    label: &str,
    input: &Stored,
    parts: &BTreeMap<Role, Vec<u8>>,
    tensors: &BTreeMap<String, Stored>,
    case: &str,
    state: &serde_json::Value,
) {
    let stored = |suffix: &str| &tensors[&format!("{case}.weight{suffix}")].bytes;
    assert!(&parts[&Role::NestedQuantMap] == stored(".nested_quant_map"), "{label}: nested map");
    let offset = floats(&parts[&Role::NestedOffset])[0];
    let golden_offset = state["nested_offset"].as_f64().unwrap() as f32;
    assert!(
        (offset - golden_offset).abs() <= 4.0 * f32::EPSILON * offset.abs(),
        "{label}: {offset} {golden_offset}"
    );
    let plain = Format::Code4(Code4 {
        kind: Code4Kind::Nf4,
        block: state["blocksize"].as_u64().unwrap() as u32,
        double: false,
    });
    let absmax = floats(&encode(&Reference, &plain, input)[&Role::Absmax]);
    let (nested, golden_nested) = (floats(&parts[&Role::NestedAbsmax]), floats(stored(".nested_absmax")));
    assert_eq!(nested.len(), golden_nested.len());
    let ours = nested_decode(&parts[&Role::Absmax], &nested, offset);
    let theirs = nested_decode(stored(".absmax"), &golden_nested, golden_offset);
    for (index, &exact) in absmax.iter().enumerate() {
        if parts[&Role::Absmax][index] != stored(".absmax")[index] {
            let (near, far) = ((ours[index] - exact).abs(), (theirs[index] - exact).abs());
            assert!(near <= far, "{label}: absmax {index}: {exact} {} {}", ours[index], theirs[index]);
        }
    }
}

trait Bits {
    fn map_bits(&self) -> Vec<u32>;
}

impl Bits for Vec<f32> {
    fn map_bits(&self) -> Vec<u32> {
        self.iter().map(|value| value.to_bits()).collect()
    }
}
