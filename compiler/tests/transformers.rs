//! The fixtures of small models are what `transformers` gives today.
//!
//! Opt-in, since it needs Python with torch and transformers, several gigabytes:
//!
//! ```text
//! cargo test -p icpc --test transformers -- --ignored
//! ```
//!
//! installs them once into a virtual environment below the target folder; `ICPC_PYTHON` names an interpreter that has
//! them already. The test `model` holds the fixtures against the interpreter.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use python::{TOP, python, run};

fn logits(path: &Path) -> (serde_json::Value, Vec<f64>) {
    let mut document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows = document["logits"].take();
    let rows = rows.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap().clone());
    let values = rows.map(|x| x.as_f64().unwrap()).collect();
    for key in ["by", "config"] {
        document.as_object_mut().unwrap().remove(key);
    }
    (document, values)
}

#[test]
#[ignore = "needs Python with torch and transformers, and installs them unless ICPC_PYTHON names one"]
fn fixtures_are_what_transformers_gives() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("{TOP}/tests/python/model_logits.py");
    run(Command::new(python("python-transformers", "requirements-models.txt"))
        .arg(script)
        .arg(folder.path())
        .env("HF_HUB_OFFLINE", "1"));
    let kept = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model"));
    let mut families = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let fresh = entry.unwrap().path();
        let (now, found) = logits(&fresh);
        let (before, expected) = logits(&kept.join(fresh.file_name().unwrap()));
        assert_eq!(now, before, "{}", fresh.display());
        let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{}: largest difference {largest:.1e}", fresh.file_name().unwrap().display());
        assert!(largest < 1e-5, "{}: {largest:e}", fresh.display());
        families += 1;
    }
    assert_eq!(families, 9);
}
