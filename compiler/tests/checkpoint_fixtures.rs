//! 125 odd and hostile `.pt` files against what PyTorch itself finds in them (`fixtures/pt/expected.json`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::Path;

use icpc::checkpoint::{Schema, TensorInfo, TensorReader, open};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Differences between one schema, its weights and what is expected of them.
fn differences(path: &Path, schema: &Schema, expected: &Value) -> String {
    let mut out = String::new();
    let tensors = expected["tensors"].as_array().unwrap();
    let names = |t: &TensorInfo| t.name.to_string();
    let ours: Vec<String> = schema.tensors.iter().map(names).collect();
    // A module that was saved whole has the names of its state dict here.
    let theirs: Vec<&str> = tensors
        .iter()
        .map(|t| t["name"].as_str().unwrap())
        .map(|name| name.strip_prefix("_parameters.").unwrap_or(name))
        .collect();
    if ours != theirs {
        return format!("names {ours:?} instead of {theirs:?}");
    }
    let reader = TensorReader::open(path, schema).unwrap();
    for (ours, theirs) in schema.tensors.iter().zip(tensors) {
        let mut check = |what: &str, ours: Value| {
            if ours != theirs[what] {
                write!(out, "{}: {what} {ours} instead of {}; ", theirs["name"], theirs[what]).unwrap();
            }
        };
        check("dtype", ours.dtype.name().into());
        check("stored_as", ours.stored_as.as_deref().into());
        check("shape", ours.shape.0.to_vec().into());
        check("alias_of", ours.tied_to.map(|kept| schema.tensors[kept as usize].name.as_str()).into());
        let place = ours.place.as_ref().unwrap();
        check("contiguous", place.strides.is_none().into());
        let mut bytes = vec![0; ours.bytes as usize];
        reader.read_at(ours, 0, &mut bytes).unwrap();
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        check("sha256", hash.into());
        if let Some(quantized) = &ours.quantized {
            let theirs = &theirs["quantized"];
            assert_eq!(theirs["scheme"], quantized.scheme, "{theirs}");
        } else if !theirs["quantized"].is_null() {
            out.push_str("not quantised");
        }
    }
    for path in expected["left_out"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        let told = schema.entries.iter().any(|e| path.starts_with(&e.path) && e.value.ends_with("left out"));
        if !told {
            write!(out, "{path} is left out untold; ").unwrap();
        }
    }
    for path in expected["entries"].as_array().unwrap() {
        if !schema.entries.iter().any(|e| *path == e.path) {
            write!(out, "no entry {path}; ").unwrap();
        }
    }
    out
}

#[test]
fn every_file_is_read_as_pytorch_reads_it_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pt");
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let files = expected["files"].as_object().unwrap();
    assert!(files.len() >= 125);
    let mut wrong = String::new();
    let mut refusals = String::new();
    for (name, expected) in files {
        let path = folder.join(name);
        match (open(&path), expected["outcome"].as_str().unwrap()) {
            (Err(error), "refused" | "either") => {
                let shown = error.to_string();
                let shown = shown.strip_prefix(&folder.display().to_string()).unwrap_or(&shown).to_owned();
                writeln!(refusals, "{}", shown.trim_start_matches('/')).unwrap();
            }
            (Err(error), _) => writeln!(wrong, "{name}: refused: {error}").unwrap(),
            (Ok(schema), "refused") => writeln!(wrong, "{name}: read: {}", schema.listing_text()).unwrap(),
            (Ok(schema), _) => match differences(&path, &schema, expected) {
                text if text.is_empty() => {}
                text => writeln!(wrong, "{name}: {text}").unwrap(),
            },
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!(refusals);
}
