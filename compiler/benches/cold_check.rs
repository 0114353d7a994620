//! A cold `icpc check`, as a process: a header with 50,000 tensors and a recipe of 30 arms.
//!
//! `cargo bench -p icpc --bench cold_check`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const REPEATS: usize = 5;

fn main() {
    // `cargo test --benches` runs this, too; a figure is only worth its time when it is asked for.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("icpc-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let result = std::panic::catch_unwind(|| {
        cold_check(&folder);
    });
    fs::remove_dir_all(&folder).unwrap();
    result.unwrap();
}

fn icpc() -> Command {
    Command::new(env!("CARGO_BIN_EXE_icpc"))
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

fn show(what: &str, mut times: Vec<f64>, unit: &str, scale: f64) {
    times.sort_by(f64::total_cmp);
    let [least, median, most] = [times[0], times[times.len() / 2], times[times.len() - 1]].map(|t| t * scale);
    println!("{what:<44} {least:9.3} min {median:9.3} median {most:9.3} max  {unit}");
}

fn header(tensors: &[(String, Vec<u64>)]) -> (Vec<u8>, u64) {
    let mut text = String::from("{");
    let mut offset = 0u64;
    for (i, (name, shape)) in tensors.iter().enumerate() {
        let end = offset + shape.iter().product::<u64>() * 2;
        let comma = if i > 0 { "," } else { "" };
        write!(
            text,
            "{comma}\"{name}\":{{\"dtype\":\"BF16\",\"shape\":{shape:?},\"data_offsets\":[{offset},{end}]}}"
        )
        .unwrap();
        offset = end;
    }
    text.push('}');
    while text.len() % 8 != 0 {
        text.push(' ');
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.into_bytes());
    (bytes, offset)
}

/// A mixture of experts with 50,389 tensors; the weights are a hole, for no check reads them.
fn cold_check(folder: &Path) {
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![1000, 64])];
    for layer in 0..61 {
        let p = format!("model.layers.{layer}.");
        for name in ["q_a_proj", "q_b_proj", "kv_a_proj", "kv_b_proj", "o_proj"] {
            tensors.push((format!("{p}self_attn.{name}.weight"), vec![64, 64]));
        }
        for name in ["self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"] {
            tensors.push((format!("{p}{name}.weight"), vec![64]));
        }
        for expert in 0..272 {
            for name in ["gate_proj", "up_proj", "down_proj"] {
                tensors.push((format!("{p}mlp.experts.{expert}.{name}.weight"), vec![64, 64]));
            }
        }
        tensors.push((format!("{p}mlp.gate.weight"), vec![256, 64]));
    }
    tensors.push(("lm_head.weight".to_owned(), vec![1000, 64]));
    let (bytes, data) = header(&tensors);
    let mut file = File::create(folder.join("model.safetensors")).unwrap();
    file.write_all(&bytes).unwrap();
    file.set_len(bytes.len() as u64 + data).unwrap();
    let mut arms: Vec<String> = ["q_a_proj", "q_b_proj", "kv_a_proj", "kv_b_proj", "o_proj"]
        .map(|n| format!("model.layers.*.self_attn.{n}.weight => int8(per: channel)"))
        .to_vec();
    for tens in 0..6 {
        for name in ["gate_proj", "up_proj", "down_proj"] {
            let (from, to) = (tens * 10, tens * 10 + 9);
            arms.push(format!(
                "model.layers.{{{from}..={to}}}.mlp.experts.*.{name}.weight => nf4(block: 64)"
            ));
        }
    }
    for (pattern, format) in [
        ("**.mlp.experts.**", "nf4"),
        ("**.mlp.gate.weight", "keep"),
        ("**.input_layernorm.weight", "keep"),
        ("**.post_attention_layernorm.weight", "keep"),
        ("** where rank == 1", "keep"),
        ("model.embed_tokens.weight", "int8(per: channel)"),
        ("_", "keep"),
    ] {
        arms.push(format!("{pattern} => {format}"));
    }
    println!("check: {} tensors, {} bytes of header, {} arms", tensors.len(), bytes.len(), arms.len());
    let recipe = folder.join("large.icp");
    let text =
        format!("recipe large {{ checkpoint \"model.safetensors\"; assign {{ {} }} }}\n", arms.join(",\n"));
    fs::write(&recipe, text).unwrap();
    let times = (0..REPEATS * 2)
        .map(|_| {
            seconds(|| {
                let out = icpc().arg("check").arg(&recipe).output().unwrap();
                assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            })
        })
        .collect();
    show("cold `icpc check`", times, "ms", 1e3);
}
