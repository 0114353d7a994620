//! Sensitivities and suggestions of the quickstart, held against real outputs; and of the Itera-Lite history, where it is.

use std::path::Path;
use std::process::Command;

use icpc::eval::{Baseline, Model, Protocol, Tokens, evaluate};
use icpc::exec::{Silent, Stop};
use icpc::sensitivity::{By, Sensitivity, Text, parse_formats, sensitivity};
use serde_json::Value;

use crate::bench_data;

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");
const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

fn at(name: &str) -> String {
    format!("{QUICKSTART}/{name}")
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn measured(by: By, formats: &str, samples: usize) -> Sensitivity {
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    let protocol = Protocol { samples: Some(samples), ..Protocol::default() };
    let text = Text { tokens: &tokens, protocol: &protocol, stop: &Stop::default() };
    sensitivity(&Baseline::keeping(&model), text, by, &parse_formats(formats).unwrap(), &Silent).unwrap()
}

/// The perplexity that an output of one arm has, and what its tensors take.
fn output(folder: &Path, pattern: &str, format: &str) -> (f64, u64) {
    let recipe = folder.join("one.icp");
    let out = folder.join("out").to_str().unwrap().to_owned();
    let source = at("itera_quickstart.pt");
    let text = format!(
        "recipe r {{ checkpoint {source:?}; assign {{ {pattern} => {format}, _ => keep }} emit \"x\"; }}"
    );
    std::fs::write(&recipe, text).unwrap();
    let (code, _, stderr) = run(&["run", recipe.to_str().unwrap(), "--quiet", "--force", "--out", &out]);
    assert_eq!(code, Some(0), "{stderr}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{out}/report.json")).unwrap()).unwrap();
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    let protocol = Protocol { samples: Some(2), ..Protocol::default() };
    let model = Model::open(&out).unwrap();
    let metric = evaluate(&model, None, &tokens, &protocol, &Silent, &Stop::default()).unwrap().metric;
    (metric.perplexity, report["totals"]["stored_bytes"].as_u64().unwrap())
}

#[test]
fn a_trial_is_what_a_run_would_give() {
    let found = measured(By::Position, "int4(per: tensor), nf4(block: 64, double: true)", 2);
    let folder = tempfile::tempdir().unwrap();
    for (group, format) in [
        ("layers.*.ssm.in_proj.weight", "int4(per: tensor)"),
        ("embedding.weight", "nf4(block: 64, double: true)"),
    ] {
        let trial = found.trials.iter().find(|t| t.group == group && t.format == format).unwrap();
        let (perplexity, bytes) = output(folder.path(), group, format);
        let rest = found.bytes - found.groups.iter().find(|g| g.name == group).unwrap().bytes;
        assert_eq!(rest + trial.bytes, bytes, "{group}");
        assert!(
            (trial.perplexity.unwrap() / perplexity - 1.0).abs() < 1e-9,
            "{group}: {trial:?} {perplexity}"
        );
    }
}

#[test]
fn groups_hold_every_tensor_once() {
    let all: Vec<Vec<String>> = [By::Position, By::Tensor, By::Layer, By::Role]
        .into_iter()
        .map(|by| {
            let found = measured(by, "fp16", 1);
            assert!(found.trials.len() <= found.groups.len());
            assert!(found.trials.iter().all(|t| t.problem.is_none() && t.divergence.is_some()));
            let rates: Vec<f64> = found.trials.iter().filter_map(|t| t.divergence_per_megabyte).collect();
            assert!(rates.is_sorted(), "{by:?} {rates:?}");
            let mut names: Vec<String> = found.groups.into_iter().flat_map(|g| g.tensors).collect();
            names.sort();
            names
        })
        .collect();
    assert!(all.windows(2).all(|w| w[0] == w[1]));
    let mut once = all[0].clone();
    once.dedup();
    assert_eq!(once.len(), all[0].len());
    // The head is the embedding: one storage, one name.
    assert!(once.contains(&"embedding.weight".to_owned()) && !once.contains(&"lm_head.weight".to_owned()));
}

#[test]
fn a_suggestion_is_a_recipe_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("found.icp").to_str().unwrap().to_owned();
    let (checkpoint, data, tokenizer) =
        (at("itera_quickstart.pt"), at("corpus_heldout.txt"), at("tokenizer.json"));
    let common = [
        "--data",
        &data,
        "--tokenizer",
        &tokenizer,
        "--samples",
        "2",
        "--quiet",
        "--formats",
        "int8(per: tensor),int4(per: tensor)",
    ];
    let suggest = |rest: &[&str]| run(&[&["suggest", &checkpoint][..], rest, &common].concat());
    let (code, _, stderr) = suggest(&["--max-perplexity", "101%", "--out", &recipe]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, messages) = run(&["check", &recipe]);
    // One line says what it does: there is no diagnostic.
    assert!(
        code == Some(0) && messages.starts_with("`suggested`: ") && messages.lines().count() == 1,
        "{messages}"
    );
    // Its requirement on perplexity is decided by the run.
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    let (code, _, stderr) = run(&["run", &recipe, "--quiet", "--out", &out]);
    assert_eq!(code, Some(0), "{stderr}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{out}/report.json")).unwrap()).unwrap();
    let (ratio, perplexity) = (&report["totals"]["ratio"], &report["evaluation"]["against"]["ratio"]);
    println!("{ratio} at {perplexity}");
    assert!(ratio.as_f64().unwrap() > 4.0 && perplexity.as_f64().unwrap() <= 1.01, "{ratio} {perplexity}");
    // What cannot be had is refused with what can.
    let (code, stdout, stderr) = suggest(&["--max-perplexity", "100.5%", "--size", "100 kB"]);
    assert_eq!((code, stdout.as_str()), (Some(4), ""), "{stderr}");
    assert!(stderr.contains("the smallest that does is"), "{stderr}");
}

#[test]
fn what_cannot_be_measured_is_said() {
    let (checkpoint, data, tokenizer) =
        (at("itera_quickstart.pt"), at("corpus_heldout.txt"), at("tokenizer.json"));
    let text = ["--data", &data, "--tokenizer", &tokenizer, "--samples", "1", "--quiet"];
    let say = |arguments: &[&str]| {
        let (code, _, stderr) = run(&[arguments, &text].concat());
        (code, stderr)
    };
    let (code, stderr) = say(&["sensitivity", &checkpoint, "--formats", "int9"]);
    assert!(code == Some(2) && stderr.contains("`int9` is no format to try"), "{stderr}");
    let few = ["suggest", &checkpoint, "--by", "role", "--formats", "fp16", "--max-perplexity", "90%"];
    let (code, stderr) = say(&few);
    assert!(code == Some(4) && stderr.contains("allow more"), "{stderr}");
    let (code, stderr) = say(&["suggest", &at("mixed.icp"), "--max-perplexity", "102%"]);
    assert!(code == Some(3) && stderr.contains("it is a recipe; name the checkpoint"), "{stderr}");
    let (code, stderr) = say(&["suggest", &checkpoint, "--max-perplexity", "much"]);
    assert!(code == Some(2) && stderr.contains("`much` is no perplexity"), "{stderr}");
    let (code, stderr) = say(&["suggest", &checkpoint, "--max-perplexity", "102%", "--size", "1 mile"]);
    assert!(code == Some(2) && stderr.contains("`1 mile` is no size"), "{stderr}");
    let (code, _, stderr) = run(&["sensitivity", &checkpoint, "--quiet"]);
    assert!(code == Some(2) && stderr.contains("nothing to measure on"), "{stderr}");
}

fn micro(
    formats: &str,
    samples: Option<usize>,
) -> Option<(Model, Tokens, Protocol, Vec<icpc_kernels::Format>)> {
    let folder = bench_data::folder()?;
    let text = std::fs::read_to_string(folder.join("data/datasets/tinystories_train.txt")).unwrap();
    let held_out = tempfile::tempdir().unwrap();
    let data = held_out.path().join("held_out.txt");
    // The last tenth by characters, which is what its training left out.
    std::fs::write(&data, text.chars().skip(137_529).collect::<String>()).unwrap();
    let tokenizer = folder.join("data/tokenizer_2000.json");
    let tokens = Tokens::read(data.to_str().unwrap(), tokenizer.to_str()).unwrap();
    let model =
        Model::open(folder.join("checkpoints/distilled/itera_lite_micro_distilled.pt").to_str().unwrap())
            .unwrap();
    let protocol =
        Protocol { window: Some(129), stride: Some(64), shift: Some(2), samples, ..Protocol::default() };
    Some((model, tokens, protocol, parse_formats(formats).unwrap()))
}

#[test]
fn the_input_matrix_of_the_state_must_not_be_int4() {
    let Some((model, tokens, protocol, formats)) = micro("int4(per: tensor)", Some(4)) else { return };
    let text = Text { tokens: &tokens, protocol: &protocol, stop: &Stop::default() };
    let found = sensitivity(&Baseline::keeping(&model), text, By::Position, &formats, &Silent).unwrap();
    let mut trials = found.trials;
    trials.sort_by(|a, b| b.divergence.unwrap().total_cmp(&a.divergence.unwrap()));
    println!("{:?}\n{:?}", trials[0], trials[1]);
    assert_eq!(trials[0].group, "layers.*.ssm.ssm.B");
    assert!(trials[0].divergence.unwrap() > 10.0 * trials[1].divergence.unwrap());
}

/// The goal of its history: where int4 alone reached 7.6x at 2.76, at least 7.4x at no more than 2.45.
#[test]
#[ignore = "measures some hundred assignments on the whole text"]
fn a_suggestion_beats_int4_alone() {
    let formats = "fp16,int8(per: channel),int8(per: tensor),nf4(block: 64, double: true),int4(per: channel),int4(per: tensor)";
    let Some((model, tokens, protocol, formats)) = micro(formats, None) else { return };
    let text = Text { tokens: &tokens, protocol: &protocol, stop: &Stop::default() };
    let baseline = Baseline::keeping(&model);
    let found = sensitivity(&baseline, text, By::Position, &formats, &Silent).unwrap();
    let goal = icpc::sensitivity::Goal { perplexity: 2.45, bytes: None };
    let measure = |other: &Model| text.measure(other, &baseline);
    let best = icpc::sensitivity::suggest(&model, &found, &formats, goal, &measure).unwrap();
    let ratio = found.bytes as f64 / best.bytes as f64;
    println!("{ratio} at {}, {} measured", best.quality.perplexity(), best.measured);
    assert!(ratio >= 7.4 && best.quality.perplexity() <= 2.45, "{ratio} {best:?}");
}
