//! Choosing kernels, with the program itself: what is there is taken, what is not is said, and the bytes are the same.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/mixed.icp");

fn icpc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icpc")).args(arguments).env_remove("ICPC_CPU").output().unwrap()
}

fn run(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    let out = folder.join(name);
    icpc(&[&["run", RECIPE, "--quiet", "--out", out.to_str().unwrap()], arguments].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A copy of the quickstart recipe with another target.
fn with_target(folder: &Path, target: &str) -> String {
    let text = std::fs::read_to_string(RECIPE).unwrap();
    let beside = |name: &str| Path::new(RECIPE).with_file_name(name).display().to_string();
    let mut text = text.replace("target cpu;", target);
    for name in ["itera_quickstart.pt", "corpus_train_sample.txt", "tokenizer.json", "corpus_heldout.txt"] {
        text = text.replace(&format!("\"{name}\""), &format!("\"{}\"", beside(name)));
    }
    let path = folder.join("target.icp");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_backend_that_is_missing_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = Vec::new();
    if !cfg!(feature = "torch") {
        asked.push("torch");
    }
    if gpu_is_missing() {
        asked.push("cuda");
    }
    for backend in asked {
        let output = run(folder.path(), "out", &["--backend", backend]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(said(&output).contains("error: ") && said(&output).contains("help: "), "{}", said(&output));
        assert!(!folder.path().join("out").exists());
    }
}

fn gpu_is_missing() -> bool {
    icpc::backend::devices::gpus().is_err()
}

#[test]
fn a_recipe_that_names_a_gpu_is_not_run_elsewhere_unless_asked() {
    if !gpu_is_missing() {
        eprintln!("not tested: there is a GPU here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recipe = with_target(folder.path(), "target a30;");
    let out = folder.path().join("out").display().to_string();
    let refused = icpc(&["run", &recipe, "--quiet", "--out", &out]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(said(&refused).contains("--backend native"), "{}", said(&refused));
    let forced = icpc(&["run", &recipe, "--quiet", "--out", &out, "--backend", "native"]);
    assert_eq!(forced.status.code(), Some(0), "{forced:?}");
    assert!(said(&forced).contains("note: the recipe names `a30`"), "{}", said(&forced));
    // a recipe that names none falls back, and says why
    let recipe = with_target(folder.path(), "");
    let fallback = icpc(&["run", &recipe, "--quiet", "--force", "--out", &out]);
    assert_eq!(fallback.status.code(), Some(0), "{fallback:?}");
    assert!(said(&fallback).contains("note: the plan runs on the processor: "), "{}", said(&fallback));
}

#[test]
fn doctor_says_what_a_recipe_needs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let output = icpc(&["doctor", RECIPE, "--json", "--out", &out]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["schema"], 1);
    let library = &found["cublaslt"];
    assert!(library["version"].is_string() || library["remedy"].is_string(), "{library}");
    assert!(found["machine"]["bandwidth"]["copy"].as_f64().unwrap() > 0.0);
    let needs = found["recipe"]["needs"].as_array().unwrap();
    assert!(needs.iter().all(|need| need["remedy"].is_null()), "{needs:?}");
    std::fs::create_dir(&out).unwrap();
    let output = icpc(&["doctor", RECIPE, "--out", &out]);
    assert_eq!(output.status.code(), Some(3), "an output that exists is missing its place");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("missing `") && text.contains("fix: run with `--force`"), "{text}");
}

#[test]
#[cfg(feature = "torch")]
fn libtorch_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, backend) in [("native", "native"), ("torch", "torch")] {
        let output = run(folder.path(), name, &["--backend", backend]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let bytes = |name: &str, file: &str| std::fs::read(folder.path().join(name).join(file)).unwrap();
    assert_eq!(bytes("native", "model.safetensors"), bytes("torch", "model.safetensors"));
    let report: serde_json::Value = serde_json::from_slice(&bytes("torch", "report.json")).unwrap();
    assert_eq!(report["provenance"]["workers"][0]["kernels"], "torch-cpu");
    let torch = folder.path().join("torch").display().to_string();
    assert_eq!(icpc(&["verify", &torch]).status.code(), Some(0));
}

#[test]
fn a_model_is_not_measured_elsewhere_than_asked() {
    let checkpoint = Path::new(RECIPE).with_file_name("itera_quickstart.pt").display().to_string();
    let mut asked = vec!["cuda"];
    if !cfg!(feature = "torch") {
        asked.push("torch");
    }
    for backend in asked {
        for command in [
            &["eval", RECIPE][..],
            &["bench", &checkpoint],
            &["sensitivity", RECIPE],
            &["calibrate", RECIPE, "--out", "never"],
        ] {
            let output = icpc(&[command, &["--backend", backend]].concat());
            assert_eq!(output.status.code(), Some(3), "{command:?} {output:?}");
            assert!(
                said(&output).contains("error: ") && said(&output).contains("help: "),
                "{}",
                said(&output)
            );
        }
    }
}

#[test]
#[cfg(feature = "torch")]
fn libtorch_measures_models() {
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = icpc(&[arguments, &["--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let beside = |name: &str| Path::new(RECIPE).with_file_name(name).display().to_string();
    let (checkpoint, data, tokenizer) =
        (beside("itera_quickstart.pt"), beside("corpus_heldout.txt"), beside("tokenizer.json"));
    let how = ["--data", &data, "--tokenizer", &tokenizer, "--samples", "3"];
    let eval =
        |backend: &str| json(&[&["eval", &checkpoint, "--quiet", "--backend", backend], &how[..]].concat());
    let (native, torch) = (eval("native"), eval("torch"));
    assert_eq!((native["backend"].as_str(), torch["backend"].as_str()), (Some("native"), Some("torch-cpu")));
    let perplexity = |metric: &serde_json::Value| metric["perplexity"].as_f64().unwrap();
    assert!((perplexity(&native) / perplexity(&torch) - 1.0).abs() < 1e-5);

    let arguments = ["bench", &checkpoint, "--backend", "native,torch", "--prompt", "8", "--generate", "2"];
    let bench = json(&[&arguments[..], &["--seconds", "0", "--threads", "1"]].concat());
    let backends: Vec<&str> =
        bench["models"].as_array().unwrap().iter().map(|m| m["backend"].as_str().unwrap()).collect();
    assert_eq!(backends, ["native", "torch-cpu"]);

    // A requirement on perplexity is decided there, too.
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "out", &["--backend", "torch"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = std::fs::read(folder.path().join("out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["evaluation"]["backend"], "torch-cpu");
}
