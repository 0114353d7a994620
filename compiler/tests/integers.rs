//! Products in integers, recomputed by numpy from the file that a run wrote: equal bit by bit.
//!
//! Opt-in, since it needs Python with numpy and safetensors:
//!
//! ```text
//! cargo test -p icpc --test integers -- --ignored
//! ```
//!
//! installs them once into a virtual environment below the target folder; `ICPC_PYTHON` names an interpreter that has
//! them already.

#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(feature = "exec")]

mod python;

use std::process::Command;

use icpc::eval::Model;
use python::{TOP, python, run};

const ARCH: &str = "arch one {
    dim vocab, hidden;

    table.weight : [vocab, hidden] @embedding;
    head.weight  : [vocab, hidden] @linear;
    head.bias    : [vocab]         @bias;

    forward(tokens: [batch, seq]) -> [batch, seq, vocab] {
        linear(embed(tokens, table.weight), head.weight, head.bias)
    }
}
";

/// Numbers of a fixed generator, a few of them large.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count).map(|_| (0..3).map(|_| next()).product::<f32>() * 20.0).collect()
}

fn checkpoint(vocab: usize, hidden: usize) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let mut table = numbers(1, vocab * hidden);
    // A row of zeros has no scale.
    table.iter_mut().take(hidden).for_each(|x| *x = 0.0);
    let tensors = [
        ("table.weight", vec![vocab, hidden], table),
        ("head.weight", vec![vocab, hidden], numbers(2, vocab * hidden)),
        ("head.bias", vec![vocab], numbers(3, vocab)),
    ];
    for (name, shape, values) in tensors {
        let begin = data.len();
        data.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(name.to_owned(), entry);
    }
    let text = serde_json::to_vec(&header).unwrap();
    [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat()
}

#[test]
#[ignore = "needs Python with numpy, and installs it unless ICPC_PYTHON names one"]
fn numpy_gives_the_same_bits() {
    let python = python("python-numpy", "requirements-numpy.txt");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("text.bin"), (0..=255).cycle().take(4000).collect::<Vec<u8>>()).unwrap();
    for (vocab, hidden) in [(300, 64), (257, 77)] {
        std::fs::write(at("model.safetensors"), checkpoint(vocab, hidden)).unwrap();
        for per in ["channel", "tensor"] {
            for activations in ["dynamic", "static(absmax)", "static(percentile(98%))"] {
                let text = format!(
                    "{ARCH}\nrecipe r for one {{
                        checkpoint \"model.safetensors\"; target cpu;
                        assign {{ head.weight => int8(per: {per}, activations: {activations}), _ => keep }}
                        calibrate {{ data: \"text.bin\", tokenizer: \"bytes\", max_length: 128 }}
                        emit \"out\";
                    }}\n"
                );
                std::fs::write(at("r.icp"), text).unwrap();
                run(Command::new(env!("CARGO_BIN_EXE_icpc")).args([
                    "run",
                    &at("r.icp"),
                    "--quiet",
                    "--force",
                ]));
                let model = Model::open_for(&at("r.icp"), "r", Some(&at("out"))).unwrap();
                let ids: Vec<u32> = (0..u32::try_from(vocab).unwrap()).collect();
                let logits = model.logits(&ids).unwrap();
                let bytes: Vec<u8> = logits.values.iter().flat_map(|x| x.to_le_bytes()).collect();
                std::fs::write(at("logits"), bytes).unwrap();
                let script = format!("{TOP}/tests/python/numpy_int8_products.py");
                print!("{}", run(Command::new(&python).arg(script).args([at("out"), at("logits")])));
            }
        }
    }
}
