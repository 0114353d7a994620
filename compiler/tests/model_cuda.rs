//! Models on the CUDA engine beside the native one. Its kernels run on the processor, or with `ICPC_REQUIRE_CUDA=1` on a GPU.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![cfg(all(feature = "exec", feature = "cuda"))]

#[allow(dead_code, unreachable_pub)]
#[path = "shared/bench_data.rs"]
mod bench_data;
#[path = "model/fixtures.rs"]
mod fixtures;
#[path = "model/cuda_integers.rs"]
mod integers;
#[allow(missing_docs, unreachable_pub, dead_code, unsafe_code)]
#[path = "../../kernels/tests/cuda_shim/library.rs"]
mod library;
#[allow(missing_docs, unreachable_pub, dead_code, unsafe_code)]
#[path = "../../kernels/tests/cuda_shim/processor.rs"]
mod processor;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fixtures::{FAMILIES, apart, family, fixture, write};
use icpc::eval::{Model, State};
use icpc_kernels::cuda::Engine;
use icpc_kernels::cuda::cublaslt::CublasLt;
use icpc_kernels::cuda::model::Device;
use library::Libraries;
use processor::Processor;

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/itera_quickstart.pt");
const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");

/// A device. Nothing where there is no C++ compiler.
fn device() -> Option<Device> {
    counted().map(|(device, _)| device)
}

/// The same, and how often a step that was written down was done, which a GPU does not tell.
fn counted() -> Option<(Device, Replays)> {
    if std::env::var_os("ICPC_REQUIRE_CUDA").is_some() {
        return Some((Device::open(0).unwrap(), Replays(None)));
    }
    let processor = Processor::new(Libraries::of_models()?, u64::MAX);
    let replays = Arc::clone(&processor.replays);
    Some((Device::of(&Engine::new(processor)).unwrap(), Replays(Some(replays))))
}

struct Replays(Option<Arc<AtomicUsize>>);

impl Replays {
    #[track_caller]
    fn were(&self, expected: usize) {
        if let Some(counted) = &self.0 {
            assert_eq!(counted.load(Ordering::Relaxed), expected, "tokens that were done again");
        }
    }
}

/// Whole sequences, and tokens one at a time: the first few, one that is computed, one that is written down, the rest.
fn agree(name: &str, native: &Model, cuda: &Model, ids: &[u32]) {
    let expected = native.logits(ids).unwrap();
    let found = cuda.logits(ids).unwrap();
    let share = apart(&expected.values, &found.values);
    println!("{name}: {share:.1e} of the largest logit");
    assert!(share < 1e-5, "{name}: {share:e}");
    if !native.is_stepwise() {
        return;
    }
    let mut state = State::new();
    let mut values = cuda.next(&ids[..3], &mut state).unwrap().values;
    for id in &ids[3..] {
        values.extend(cuda.next(&[*id], &mut state).unwrap().values);
    }
    let share = apart(&expected.values, &values);
    println!("{name}, token by token: {share:.1e}");
    assert!(share < 1e-5, "{name}, token by token: {share:e}");
}

#[test]
fn logits_of_every_family_are_the_native_ones() {
    for name in FAMILIES {
        let Some((device, replays)) = counted() else { return };
        let ((native, ids), (other, _)) = (family(name), family(name));
        agree(name, &native, &other.on_cuda(&device).unwrap(), &ids);
        // three at once, one computed, all others by what the second one wrote down
        let steps = if native.is_stepwise() { ids.len() - 4 } else { 0 };
        replays.were(steps);
    }
}

#[test]
fn dense_products_of_models_are_left_to_a_library() {
    if std::env::var_os("ICPC_REQUIRE_CUDA").is_some() {
        // a GPU's device has one where it is installed
        return;
    }
    let (Some(stand_in), Some(libraries)) = (Libraries::stand_in(), Libraries::of_models()) else { return };
    let mut processor = Processor::new(libraries, u64::MAX);
    processor.products = Some(Arc::new(CublasLt::of(&stand_in.path).unwrap()));
    let device = Device::of(&Engine::new(processor)).unwrap();
    for name in ["bert", "gpt2", "llama", "mamba"] {
        let before = stand_in.products();
        let ((native, ids), (other, _)) = (family(name), family(name));
        assert!(ids.len() > 8, "{name} has few tokens");
        agree(name, &native, &other.on_cuda(&device).unwrap(), &ids);
        println!("{name}: {} products of the library", stand_in.products() - before);
        assert!(stand_in.products() - before > 5, "{name}");
    }
    // f32, bf16 and f16 in one model
    let native = Model::open(QUICKSTART).unwrap();
    let formats = icpc::sensitivity::parse_formats("bf16, fp16").unwrap();
    let is_matrix = |name: &str, ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let tensors = native.tensors();
    let changes: Vec<(&str, _)> = tensors
        .iter()
        .filter_map(|tensor| match tensor.name.as_str() {
            name if is_matrix(name, &["in_proj.weight", "w1.weight"]) => Some((name, formats[0])),
            name if is_matrix(name, &["out_proj.weight"]) => Some((name, formats[1])),
            _ => None,
        })
        .collect();
    let (native, cuda) = (native.with_formats(&changes).unwrap(), native.with_formats(&changes).unwrap());
    let before = device.cublaslt_products();
    agree("itera_lite", &native, &cuda.on_cuda(&device).unwrap(), &quickstart_ids());
    assert!(device.cublaslt_products() - before > 10);
}

fn quickstart_ids() -> Vec<u32> {
    (0..24).map(|i| i * 29 % 600).collect()
}

#[test]
fn itera_lite_gives_the_native_logits_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let mut paths = vec![("as it is", QUICKSTART.to_owned())];
    for (name, arms) in [
        ("nf4", "@linear where rank == 2 => nf4(block: 64, double: true), _ => bf16"),
        ("fp4", "@linear where rank == 2 => fp4, _ => fp16"),
        ("int8", "@linear where rank == 2 => int8(per: channel), embedding.weight => int8, _ => keep"),
        ("int4", "@linear where rank == 2 => int4(per: block 32, symmetric: false), _ => keep"),
    ] {
        let recipe = folder.path().join(format!("{name}.icp"));
        let items =
            format!("checkpoint {QUICKSTART:?}; target cpu; assign {{ {arms} }} emit \"x\" as safetensors;");
        std::fs::write(&recipe, format!("recipe r {{ {items} }}")).unwrap();
        let out = text(folder.path().join(name));
        let run = ["run", recipe.to_str().unwrap(), "--quiet", "--out", &out];
        let output = Command::new(PROGRAM).args(run).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        paths.push((name, out));
    }
    for (name, path) in paths {
        let Some(device) = device() else { return };
        let (native, cuda) = (Model::open(&path).unwrap(), Model::open(&path).unwrap());
        let cuda = cuda.on_cuda(&device).unwrap();
        // weights lie on the device as they are stored, but for rounding up to 256 bytes and a few words of each
        let tensors = 40 * 1024;
        assert!(device.memory() < native.weight_bytes() + tensors, "{name}: {} bytes", device.memory());
        agree(&format!("itera_lite, {name}"), &native, &cuda, &quickstart_ids());
    }
}

#[test]
fn inputs_of_products_are_the_native_ones() {
    let Some(device) = device() else { return };
    for name in ["mixtral", "mamba"] {
        let ((native, ids), (other, _)) = (family(name), family(name));
        let seen = |model: &Model| {
            let mut all: Vec<(String, usize, Vec<f32>)> = Vec::new();
            let mut tap = |weight: &str, width: usize, rows: &[f32]| {
                all.push((weight.to_owned(), width, rows.to_vec()));
            };
            model.logits_tapped(&ids, &mut tap).unwrap();
            all
        };
        let (expected, found) = (seen(&native), seen(&other.on_cuda(&device).unwrap()));
        assert_eq!(expected.len(), found.len(), "{name}");
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!((&expected.0, expected.1), (&found.0, found.1));
            let share = apart(&expected.2, &found.2);
            assert!(share < 1e-4, "{name}, {}: {share:e}", expected.0);
        }
    }
}

#[test]
fn two_states_go_along_beside_each_other() {
    let Some(device) = device() else { return };
    let ((native, _), (other, _)) = (family("llama"), family("llama"));
    let cuda = other.on_cuda(&device).unwrap();
    let sequences: [Vec<u32>; 2] = [(0..12).collect(), (0..12).rev().collect()];
    let mut along: Vec<_> =
        sequences.iter().map(|ids| (State::new(), ids.iter(), native.logits(ids).unwrap())).collect();
    for position in 0..12 {
        for (state, ids, expected) in &mut along {
            let row = cuda.next(&[*ids.next().unwrap()], state).unwrap().values;
            let share = apart(expected.row(position).unwrap(), &row);
            assert!(share < 1e-5, "position {position}: {share:e}");
        }
    }
}

#[test]
fn a_state_outgrows_its_room() {
    let Some((device, replays)) = counted() else { return };
    let ((native, ids), (other, _)) = (family("qwen2"), family("qwen2"));
    let cuda = other.on_cuda(&device).unwrap();
    let ids: Vec<u32> = ids.iter().copied().cycle().take(140).collect();
    let expected = native.logits(&ids).unwrap();
    let mut state = State::new();
    for (position, id) in ids.iter().enumerate() {
        let row = cuda.next(&[*id], &mut state).unwrap().values;
        let share = apart(expected.row(position).unwrap(), &row);
        assert!(share < 1e-5, "position {position}: {share:e}");
    }
    // room for 64 tokens, and for 128: the first ones, and those for which memory moves, are computed
    replays.were(140 - 3);
}

/// Changes some elements of a tensor of a checkpoint.
fn change(path: &Path, tensor: &str, elements: std::ops::Range<usize>, value: f32) {
    let mut bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let start = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize + 8 + length;
    for four in bytes[start..].as_chunks_mut::<4>().0[elements].iter_mut() {
        *four = value.to_le_bytes();
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn infinity_in_a_step_names_what_made_it() {
    let Some((device, replays)) = counted() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &fixture("gpt2"));
    // position 7 is as large as can be, and too large with what attention adds; norms take any number
    let path = folder.path().join("model.safetensors");
    change(&path, "transformer.wpe.weight", 7 * 24..8 * 24, f32::MAX);
    change(&path, "transformer.h.0.attn.c_proj.bias", 0..24, 1e36);
    let open = || Model::open(folder.path().to_str().unwrap()).unwrap();
    let (native, cuda) = (open(), open().on_cuda(&device).unwrap());
    let ids: Vec<u32> = (0..12).collect();
    let first_bad = |model: &Model| {
        let mut state = State::new();
        let mut failed = ids.iter().enumerate().map(|(n, id)| (n, model.next(&[*id], &mut state)));
        failed.find_map(|(n, found)| found.err().map(|error| (n, error.layer, error.operation))).unwrap()
    };
    let expected = first_bad(&native);
    assert_eq!(first_bad(&cuda), expected);
    assert_eq!((expected.0, expected.2.as_str()), (7, "add"));
    replays.were(7);
}

#[test]
fn ids_and_memory_that_are_not_there_are_errors() {
    let Some(device) = device() else { return };
    let (other, _) = family("llama");
    let cuda = other.on_cuda(&device).unwrap();
    let error = cuda.logits(&[1_000_000]).unwrap_err().to_string();
    assert!(error.contains("beyond the vocabulary"), "{error}");
    let Some(libraries) = Libraries::of_models() else { return };
    let small = Device::of(&Engine::new(Processor::new(libraries, 4096))).unwrap();
    let (other, _) = family("llama");
    let error = other.on_cuda(&small).err().unwrap().to_string();
    assert!(error.contains("MiB of memory left") && error.contains("tensor `"), "{error}");
}
