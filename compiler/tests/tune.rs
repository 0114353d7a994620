//! Runs that train, with the program itself: what they refuse, what they leave, how they go on.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");

const RECIPE: &str = r#"
arch tiny {
    dim vocab, hidden, inner, positions, counted;

    table.weight    : [vocab, hidden]     @embedding;
    position.weight : [positions, hidden] @position;
    blocks[i] {
        norm.{weight,bias} : [hidden]         @norm;
        up.weight          : [inner, hidden]  @linear;
        down.weight        : [hidden, inner]  @linear;
    }
    counts      : [counted] @buffer;
    head.weight = table.weight;

    sequence <= positions;

    forward(tokens: [batch, seq]) -> [batch, seq, vocab] {
        let x = embed(tokens, table.weight) + embed(iota(seq), position.weight);
        for block in blocks {
            let h = layer_norm(x, block.norm, eps: 1e-5);
            let x = x + linear(gelu(linear(h, block.up.weight)), block.down.weight);
        }
        linear(x, head.weight)
    }
}

derive student from tiny { hidden: 16, blocks: 2, positions: 16 }

recipe tuned(data: string = "ids.txt", steps: int = 60, lr: float = 1e-2, window: int = 16) for tiny {
    checkpoint "model.safetensors";
    prune dim inner in blocks.* { keep: 50% }
    prune blocks.0.** where rank == 2 { sparsity: 50% }
    prune blocks.1.up.weight { keep: 2 of 4 }
    assign {
        counts            => keep,
        @norm             => keep,
        blocks.0.*.weight => int8(per: tensor, clip: percentile(99%)),
        @linear           => nf4(block: 64, double: true),
        _                 => bf16,
    }
    tune { data: data, steps: steps, lr: lr, window: window, batch: 4, accumulate: 2, labels: 90%, checkpoint_every: 5, seed: 7 }
    evaluate { data: "held.txt", window: 16 }
    emit "out" as safetensors;
}

recipe smaller(steps: int = 40) for student {
    checkpoint "model.safetensors";
    assign { counts => keep, @linear => int8, _ => fp16 }
    tune { data: "ids.txt", steps: steps, lr: 1e-2, window: 16, batch: 8, labels: 90% }
    evaluate { data: "held.txt", window: 16 }
    emit "out" as safetensors;
}

recipe plain for tiny {
    checkpoint "model.safetensors";
    assign { _ => keep }
    tune { data: "ids.txt", steps: 10, window: 16, distill: false }
    emit "out" as safetensors;
}

recipe integers(data: string = "ids.txt", held: string = "held.txt", steps: int = 30, lr: float = 1e-2) for tiny {
    checkpoint "model.safetensors";
    prune dim inner in blocks.* { keep: 50% }
    assign {
        counts             => keep,
        @norm              => keep,
        blocks.*.up.weight => int8(per: channel, activations: dynamic),
        @linear            => int8(per: channel, activations: static(percentile(99%))),
        _                  => bf16,
    }
    calibrate { data: "held.txt", samples: 8, max_length: 16, seed: 3 }
    tune { data: data, steps: steps, lr: lr, window: 16, batch: 4, labels: 90%, checkpoint_every: 5, seed: 7 }
    evaluate { data: held, window: 16 }
    emit "out" as safetensors;
}

recipe sliced for student {
    checkpoint "model.safetensors";
    assign { counts => keep, _ => fp32 }
    emit "out" as safetensors;
}
"#;

/// A fixed generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// Ids in which each follows from the one before it, nine times of ten.
fn ids(count: usize, seed: u64) -> String {
    let (mut random, mut id, mut out) = (Random(seed), 1u64, String::new());
    for _ in 0..count {
        out.push_str(&format!("{id} "));
        id = if random.next() % 10 == 0 { random.next() % 32 } else { (id * 5 + 3) % 32 };
    }
    out
}

/// A folder with a checkpoint, whose weights are at most `largest`, two texts of ids and the recipes.
fn folder(largest: f32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut shapes: Vec<(String, Vec<usize>)> =
        vec![("table.weight".to_owned(), vec![32, 32]), ("position.weight".to_owned(), vec![32, 32])];
    for block in 0..3 {
        shapes.push((format!("blocks.{block}.norm.weight"), vec![32]));
        shapes.push((format!("blocks.{block}.norm.bias"), vec![32]));
        shapes.push((format!("blocks.{block}.up.weight"), vec![64, 32]));
        shapes.push((format!("blocks.{block}.down.weight"), vec![32, 64]));
    }
    let (mut header, mut data, mut random) = (serde_json::Map::new(), Vec::new(), Random(7));
    for (name, shape) in shapes {
        let begin = data.len();
        for _ in 0..shape.iter().product::<usize>() {
            let value = (random.next() % 2001) as f32 / 1000.0 - 1.0;
            let value = if name.contains("norm") { 1.0 } else { value * largest };
            data.extend_from_slice(&value.to_le_bytes());
        }
        let place = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(name, place);
    }
    let begin = data.len();
    data.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    let place = serde_json::json!({"dtype": "I64", "shape": [1], "data_offsets": [begin, data.len()]});
    header.insert("counts".to_owned(), place);
    let text = serde_json::to_vec(&header).unwrap();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text);
    file.extend(data);
    std::fs::write(folder.path().join("model.safetensors"), file).unwrap();
    std::fs::write(folder.path().join("tune.icp"), RECIPE).unwrap();
    std::fs::write(folder.path().join("ids.txt"), ids(4000, 1)).unwrap();
    std::fs::write(folder.path().join("held.txt"), ids(1000, 2)).unwrap();
    folder
}

fn command(folder: &Path, recipe: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "tune.icp", "--recipe", recipe, "--quiet", "--threads", "1"]).args(arguments);
    command.current_dir(folder);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_does_not_train_says_what_does() {
    let folder = folder(0.3);
    let output = command(folder.path(), "tuned", &["--backend", "native"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("the backend `native` does not train models"), "{}", said(&output));
    assert!(said(&output).contains("--features torch"), "{}", said(&output));
    if !cfg!(feature = "torch") {
        let output = command(folder.path(), "tuned", &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(said(&output).contains("this icpc was built without libtorch"), "{}", said(&output));
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_smaller_shape_is_made_of_its_checkpoint() {
    let folder = folder(0.3);
    let output = command(folder.path(), "sliced", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!folder.path().join(".out.tune").exists());
    let weights = std::fs::read(folder.path().join("out/model.safetensors")).unwrap();
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&weights[8..8 + length]).unwrap();
    assert_eq!(header["blocks.1.up.weight"]["shape"], serde_json::json!([64, 16]));
    assert!(header.get("blocks.2.up.weight").is_none());
    // The second of two blocks is the last of three: its elements are those of the checkpoint.
    let source = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let from = u64::from_le_bytes(source[..8].try_into().unwrap()) as usize;
    let of: serde_json::Value = serde_json::from_slice(&source[8..8 + from]).unwrap();
    let begin =
        |header: &serde_json::Value, name: &str| header[name]["data_offsets"][0].as_u64().unwrap() as usize;
    let (at, whole) =
        (8 + length + begin(&header, "blocks.1.up.weight"), 8 + from + begin(&of, "blocks.2.up.weight"));
    for row in [0, 5, 63] {
        for column in [0, 7, 15] {
            let (stored, exact) = (at + (row * 16 + column) * 4, whole + (row * 32 + column) * 4);
            assert_eq!(weights[stored..stored + 4], source[exact..exact + 4], "{row} {column}");
        }
    }
    let again = command(folder.path(), "sliced", &[]).output().unwrap();
    assert!(said(&again).contains("is there already"), "{}", said(&again));
}

#[cfg(feature = "torch")]
#[path = "tune/disturbances.rs"]
mod disturbances;

#[cfg(feature = "torch")]
#[path = "tune/integers.rs"]
mod integers;

#[cfg(feature = "torch")]
mod training {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use super::*;

    pub(super) fn weights(folder: &Path, output: &str) -> Vec<u8> {
        std::fs::read(folder.join(output).join("model.safetensors")).unwrap()
    }

    pub(super) fn report(folder: &Path, output: &str) -> serde_json::Value {
        let text = std::fs::read(folder.join(output).join("report.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub(super) fn done(mut command: Command) {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }

    pub(super) fn perplexities(report: &serde_json::Value) -> Vec<f64> {
        let all = report["tune"]["perplexities"].as_array().unwrap();
        all.iter().map(|p| p["perplexity"].as_f64().unwrap()).collect()
    }

    #[test]
    fn what_is_trained_is_what_is_stored() {
        let folder = folder(0.3);
        done(command(folder.path(), "tuned", &[]));
        assert!(!folder.path().join(".out.tune").exists());
        let report = report(folder.path(), "out");
        let found = perplexities(&report);
        assert!(found.len() == 2 && found[1] < 0.7 * found[0], "{found:?}");
        assert_eq!(report["tune"]["steps"], 60);
        assert_eq!(report["selections"].as_array().unwrap().len(), 3);
        // The student in its formats is the output.
        let mut eval = Command::new(PROGRAM);
        eval.args(["eval", "tune.icp", "--recipe", "tuned", "--format", "json"]).current_dir(folder.path());
        let measured = eval.output().unwrap();
        let metric: serde_json::Value = serde_json::from_slice(&measured.stdout).unwrap();
        let stored = metric["perplexity"].as_f64().unwrap();
        assert!((stored / found[1] - 1.0).abs() < 1e-4, "{stored} {found:?}");
        // What was predicted was written, and reads back.
        let plan: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("out/plan.json")).unwrap()).unwrap();
        let bytes = weights(folder.path(), "out").len() as u64;
        assert_eq!(plan["output"]["files"][0]["bytes"].as_u64(), Some(bytes));
        let mut verify = Command::new(PROGRAM);
        verify.args(["verify", "out"]).current_dir(folder.path());
        done(verify);
    }

    #[test]
    fn zeros_of_a_pruning_stay() {
        let folder = folder(0.3);
        done(command(folder.path(), "tuned", &[]));
        let mut dense = Command::new(PROGRAM);
        dense.args(["dequantize", "out", "dense"]).current_dir(folder.path());
        done(dense);
        let bytes = weights(folder.path(), "dense");
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let values = |name: &str| -> Vec<f32> {
            let place = &header[name]["data_offsets"];
            let range = 8 + length + place[0].as_u64().unwrap() as usize
                ..8 + length + place[1].as_u64().unwrap() as usize;
            assert_eq!(header[name]["dtype"], "F32", "{header}");
            bytes[range].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        let half = values("blocks.0.up.weight");
        let zeros = half.iter().filter(|x| **x == 0.0).count();
        assert!(zeros * 2 >= half.len(), "{zeros} of {}", half.len());
        let two_of_four = values("blocks.1.up.weight");
        assert!(two_of_four.chunks_exact(4).all(|run| run.iter().filter(|x| **x != 0.0).count() <= 2));
    }

    #[test]
    fn a_training_that_is_disturbed_gives_the_same_bytes() {
        disturbed("tuned");
    }

    #[test]
    fn a_training_with_static_scales_that_is_disturbed_does_too() {
        disturbed("integers");
    }

    fn disturbed(recipe: &str) {
        let folder = folder(0.3);
        let steps = ["--set", "steps=400"];
        done(command(folder.path(), recipe, &[&steps[..], &["--out", "whole"]].concat()));
        let mut codes = Vec::new();
        for signal in ["KILL", "TERM", "KILL", "USR1"] {
            let mut command = command(folder.path(), recipe, &[&steps[..], &["--out", "cut"]].concat());
            let mut child = command.stderr(Stdio::null()).spawn().unwrap();
            let state = folder.path().join(".cut.tune/state.safetensors");
            let before = std::fs::metadata(&state).ok().and_then(|m| m.modified().ok());
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none() {
                let now = std::fs::metadata(&state).ok().and_then(|m| m.modified().ok());
                if now > before {
                    std::thread::sleep(Duration::from_millis(40));
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            let id = child.id().to_string();
            Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
            codes.push(child.wait().unwrap().code());
        }
        // Asked to end, it says so; or it was faster than the signal.
        assert!(codes[1] == Some(5) || codes[1] == Some(0), "{codes:?}");
        let last =
            command(folder.path(), recipe, &[&steps[..], &["--out", "cut"]].concat()).output().unwrap();
        assert_eq!(last.status.code(), Some(0), "{}", said(&last));
        assert_eq!(weights(folder.path(), "whole"), weights(folder.path(), "cut"));
        let (whole, cut) = (report(folder.path(), "whole"), report(folder.path(), "cut"));
        assert_eq!(whole["tune"]["losses"], cut["tune"]["losses"]);
        assert_eq!(perplexities(&whole), perplexities(&cut));
    }

    #[test]
    fn seeds_decide_and_another_text_is_refused() {
        let folder = folder(0.3);
        std::fs::write(folder.path().join("other.txt"), ids(4000, 3)).unwrap();
        // A loss that stops nothing, then a text that changed under the training.
        let mut child = command(folder.path(), "tuned", &["--set", "steps=100000"]).spawn().unwrap();
        let state = folder.path().join(".out.tune/state.safetensors");
        while !state.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::copy(folder.path().join("other.txt"), folder.path().join("ids.txt")).unwrap();
        let output = command(folder.path(), "tuned", &["--set", "steps=100000"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains("the training under way reads another text"), "{}", said(&output));
        assert!(state.exists());
        // Another plan begins anew.
        done(command(folder.path(), "tuned", &["--set", "steps=3"]));
        assert_eq!(report(folder.path(), "out")["tune"]["steps"], 3);
    }

    #[test]
    fn texts_that_are_short_and_losses_that_are_none() {
        let folder = folder(0.3);
        // Ten numbers, as few bytes as can be, then so many that sixteen could be in them.
        let ten = "1 2 3 4 5 6 7 8 9 1";
        for (text, code, message) in [
            (ten.to_owned(), 1, "a text of 19 bytes has no window of 16 tokens"),
            (format!("{ten}{:40}", ""), 3, "10 tokens are fewer than the 16 of a window"),
        ] {
            std::fs::write(folder.path().join("short.txt"), text).unwrap();
            let output = command(folder.path(), "tuned", &["--set", "data=\"short.txt\""]).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{}", said(&output));
            assert!(said(&output).contains(message), "{}", said(&output));
        }

        let huge = super::folder(1e18);
        let output = command(huge.path(), "plain", &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let text = said(&output);
        assert!(text.contains("step 1") && text.contains("tensor `"), "{text}");
        assert!(!huge.path().join("out").exists());
    }

    #[test]
    fn a_smaller_shape_learns_from_its_checkpoint() {
        let folder = folder(0.3);
        done(command(folder.path(), "smaller", &[]));
        let report = report(folder.path(), "out");
        let found = perplexities(&report);
        assert!(found[1] < 0.7 * found[0], "{found:?}");
        let names: Vec<&str> =
            report["tensors"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"blocks.1.up.weight") && !names.contains(&"blocks.2.up.weight"), "{names:?}");
    }

    /// Runs a recipe of `examples/quickstart` in a copy of it; its report.
    fn quickstart(recipe: &str, steps: &str) -> serde_json::Value {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "tuned.icp",
            "itera_quickstart.pt",
            "tokenizer.json",
            "corpus_train_sample.txt",
            "corpus_heldout.txt",
        ];
        for file in files {
            std::fs::copy(examples.join(file), folder.path().join(file)).unwrap();
        }
        let mut command = Command::new(PROGRAM);
        command.args(["run", "tuned.icp", "--recipe", recipe, "--quiet", "--set", steps, "--threads", "1"]);
        command.args(["--out", "out"]).current_dir(folder.path());
        done(command);
        report(folder.path(), "out")
    }

    #[test]
    fn the_quickstart_model_gets_half_of_its_loss_back() {
        let report = quickstart("tuned", "steps=6");
        let (found, source) =
            (perplexities(&report), report["evaluation"]["against"]["perplexity"].as_f64().unwrap());
        println!("{found:?} of {source}");
        assert!(found[0] - found[1] > 0.5 * (found[0] - source), "{found:?} of {source}");
    }

    #[test]
    fn four_bits_that_are_trained_with_are_nearer() {
        let report = quickstart("nf4_tuned", "steps=8");
        let (found, source) =
            (perplexities(&report), report["evaluation"]["against"]["perplexity"].as_f64().unwrap());
        println!("{found:?} of {source}");
        let output = report["evaluation"]["perplexity"].as_f64().unwrap();
        assert!((output - source).abs() < (found[0] - source).abs(), "{output} {found:?} of {source}");
        assert!((output / found[1] - 1.0).abs() < 1e-4, "{output} {found:?}");
    }

    #[test]
    fn of_several_tasks_one_trains() {
        let folder = folder(0.3);
        done(command(folder.path(), "tuned", &["--out", "alone"]));
        let tasks: Vec<_> = ["0/3", "1/3", "2/3"]
            .into_iter()
            .map(|task| {
                command(folder.path(), "tuned", &["--out", "shared", "--task", task]).spawn().unwrap()
            })
            .collect();
        for mut task in tasks {
            assert_eq!(task.wait().unwrap().code(), Some(0));
        }
        assert_eq!(weights(folder.path(), "alone"), weights(folder.path(), "shared"));
    }
}
