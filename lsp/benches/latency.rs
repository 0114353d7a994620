//! How long a client waits, at the server's standard input and output, with 1,000 and with 100,000 tensors.
//!
//! `cargo bench -p icpc-lsp --bench latency`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/protocol/client.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod client;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use client::Client;
use serde_json::{Value, json};

const EDITS: i64 = 300;
const STARTS: usize = 10;
const REQUESTS: [&str; 5] = [
    "textDocument/documentSymbol",
    "textDocument/inlayHint",
    "textDocument/codeLens",
    "textDocument/semanticTokens/full",
    "textDocument/codeAction",
];

fn main() {
    // `cargo test --benches` runs this, too; a figure is only worth its time when it is asked for.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    for layers in [50, 5_000] {
        let folder = tempfile::tempdir().unwrap();
        let tensors = checkpoint(folder.path(), layers);
        println!("{tensors} tensors");
        measure(folder.path());
    }
}

/// A header with 20 tensors a layer; the weights are a hole, for nothing reads them.
fn checkpoint(folder: &Path, layers: usize) -> usize {
    let mut tensors = Vec::new();
    for layer in 0..layers {
        let p = format!("model.layers.{layer}.");
        for name in ["q_proj", "k_proj", "v_proj", "o_proj"] {
            tensors.push((format!("{p}self_attn.{name}.weight"), vec![64u64, 64]));
        }
        for name in ["input_layernorm", "post_attention_layernorm"] {
            tensors.push((format!("{p}{name}.weight"), vec![64]));
        }
        for expert in 0..4 {
            for name in ["gate_proj", "up_proj", "down_proj"] {
                tensors.push((format!("{p}mlp.experts.{expert}.{name}.weight"), vec![64, 64]));
            }
        }
        tensors.push((format!("{p}mlp.gate.weight"), vec![4, 64]));
        tensors.push((format!("{p}mlp.factor"), vec![]));
    }
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
    let path = folder.join("model.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(bytes.len() as u64 + offset).unwrap();
    tensors.len()
}

fn recipe(block: &str) -> String {
    let mut arms = String::new();
    for name in ["q_proj", "k_proj", "v_proj", "o_proj"] {
        writeln!(arms, "        model.layers.*.self_attn.{name}.weight => int8(per: channel),").unwrap();
    }
    for layer in 0..20 {
        writeln!(
            arms,
            "        model.layers.{layer}.mlp.experts.*.{{gate,up}}_proj.weight => nf4(block: 128),"
        )
        .unwrap();
    }
    format!(
        "recipe large {{\n    checkpoint \"model.safetensors\";\n    assign {{\n{arms}        **.mlp.experts.** => \
         nf4(block: {block}),\n        _ => keep,\n    }}\n    require {{ size <= 10 GB; compression >= 1.1x; \
         }}\n}}\n"
    )
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |q: usize| times[(times.len() * q / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("  {what:<52} p50 {:8.3}  p99 {:8.3}  max {:8.3} ms", at(50), at(99), at(100));
}

fn measure(folder: &Path) {
    let root = format!("file://{}", folder.canonicalize().unwrap().display());
    let uri = format!("{root}/large.icp");
    let initialize = json!({ "processId": null, "rootUri": root, "capabilities": {
        "textDocument": {
            "publishDiagnostics": { "dataSupport": true, "relatedInformation": true },
            "codeAction": { "codeActionLiteralSupport": { "codeActionKind": { "valueSet": ["quickfix"] } } },
        }
    } });
    let starts = (0..STARTS).map(|_| {
        let start = Instant::now();
        let mut client = Client::ready(&initialize);
        client.open(&uri, &recipe("64"));
        client.diagnostics(&uri, 1);
        start.elapsed()
    });
    show("start to first diagnostics", starts.collect());

    let mut client = Client::ready(&initialize);
    client.open(&uri, &recipe("64"));
    client.diagnostics(&uri, 1);
    let mut version = 1;
    // What is typed changes a number, then a pattern, then moves everything by a line.
    let edits: [(&str, &dyn Fn(i64) -> String); 3] = [
        ("an edit of a format to its diagnostics", &|i| recipe(["64", "128", "63"][(i % 3) as usize])),
        ("an edit of a pattern to its diagnostics", &|i| {
            recipe("64").replace("19.mlp.experts.*", &format!("{}.mlp.experts.*", i % 47))
        }),
        ("a new line above to its diagnostics", &|i| {
            format!("{}{}", "\n".repeat((i % 2) as usize + 1), recipe("64"))
        }),
    ];
    for (what, text) in edits {
        let mut times = Vec::new();
        for i in 0..EDITS {
            version += 1;
            let text = text(i);
            let start = Instant::now();
            client.replace(&uri, version, &text);
            client.diagnostics(&uri, version);
            times.push(start.elapsed());
        }
        show(what, times);
    }

    let all = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let about = json!({ "textDocument": { "uri": uri }, "range": all, "context": { "diagnostics": [] } });
    for method in REQUESTS {
        version += 1;
        client.replace(&uri, version, &recipe("64"));
        client.diagnostics(&uri, version);
        let times = (0..EDITS).map(|_| {
            let start = Instant::now();
            client.ask(method, &about).unwrap();
            start.elapsed()
        });
        show(method, times.collect());
        // Right behind an edit, nothing that follows from the text is known yet.
        let mut times = Vec::new();
        for i in 0..EDITS {
            version += 1;
            client.replace(&uri, version, &recipe(["128", "64"][(i % 2) as usize]));
            client.diagnostics(&uri, version);
            let start = Instant::now();
            client.ask(method, &about).unwrap();
            times.push(start.elapsed());
        }
        show(&format!("{method}, first after an edit"), times);
    }

    // Hover and definition at places that own much and little; each behind an edit, so that nothing of the answer is known.
    let text = recipe("64");
    let places = [
        ("one arm", "q_proj.weight"),
        ("most tensors", ".mlp.experts.**"),
        ("the rest", "_ => keep"),
        ("a format", "nf4(block: 64)"),
    ];
    for (what, place) in places {
        let before = &text[..text.find(place).unwrap() + 1];
        let line = before.matches('\n').count();
        let character = before.len() - before.rfind('\n').unwrap() - 1;
        for method in ["textDocument/hover", "textDocument/definition"] {
            let mut times = Vec::new();
            for i in 0..EDITS {
                version += 1;
                client.replace(&uri, version, &format!("{text}{}", "\n".repeat(i as usize % 2)));
                client.diagnostics(&uri, version);
                let at = json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } });
                let start = Instant::now();
                let answer = client.ask(method, &at).unwrap();
                times.push(start.elapsed());
                assert!(method.ends_with("definition") || !answer.is_null(), "{what}: {answer}");
            }
            show(&format!("{method}, {what}"), times);
        }
    }

    // A segment is typed at these places, and asked for after each letter.
    for prefix in ["", "model.", "model.layers.*.", "model.layers.", "**.", "@"] {
        let mut times = Vec::new();
        for i in 0..EDITS {
            version += 1;
            let typed = &"mlp"[..(i % 4) as usize];
            let text = recipe("64")
                .replace("**.mlp.experts.** =>", &format!("{prefix}{typed}\n        **.mlp.experts.** =>"));
            client.replace(&uri, version, &text);
            let line = text
                .lines()
                .position(|l| l.trim_end() == format!("        {prefix}{typed}").trim_end())
                .unwrap();
            let position = json!({ "line": line, "character": 8 + prefix.len() + typed.len() });
            let at = json!({ "textDocument": { "uri": uri }, "position": position });
            let start = Instant::now();
            client.ask("textDocument/completion", &at).unwrap();
            times.push(start.elapsed());
            client.received.clear();
        }
        show(&format!("an edit, then completion behind `{prefix}`"), times);
    }

    // An edit while the answer to another is computed: the time until the server can speak again.
    let mut times = Vec::new();
    for i in 0..EDITS {
        version += 1;
        client.replace(&uri, version, &recipe(["64", "128"][(i % 2) as usize]));
        std::thread::sleep(Duration::from_micros((i as u64 % 40) * 250));
        version += 1;
        let start = Instant::now();
        client.replace(&uri, version, &recipe(["128", "64"][(i % 2) as usize]));
        let _: Result<Value, Value> = client.ask("textDocument/documentSymbol", &about);
        times.push(start.elapsed());
        client.diagnostics(&uri, version);
        client.received.clear();
    }
    show("an edit that cancels a check, to the next answer", times);
    assert_eq!(client.stop(), Some(0));
}
