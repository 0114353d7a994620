//! The four real checkpoints of the Itera-Lite history, where they are: not part of the repository.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "shared/bench_data.rs"]
mod bench_data;

use icpc::checkpoint::{Attribute, Schema, open};

const FILES: [(&str, &str); 4] = [
    ("distilled", "distilled/itera_lite_micro_distilled.pt"),
    ("int4", "int4/itera_lite_int4.pt"),
    ("mixed", "mixed_precision/itera_lite_mixed_precision.pt"),
    ("int8", "quantized/itera_lite_tiny_int8.pt"),
];

fn read(name: &str) -> Option<Schema> {
    let folder = bench_data::folder()?;
    let (_, file) = FILES.iter().find(|(n, _)| *n == name)?;
    Some(open(&folder.join("checkpoints").join(file)).unwrap())
}

/// Name of our dtype for a storage class of the reference table.
fn dtype(storage: &str) -> &str {
    match storage {
        "Float" => "f32",
        "Half" => "f16",
        "Long" => "i64",
        "QInt8" => "i8",
        other => panic!("unexpected storage class {other}"),
    }
}

#[test]
fn every_tensor_is_the_one_of_the_reference_table() {
    let Some(folder) = bench_data::folder() else { return };
    let table = std::fs::read_to_string(folder.join("reference/tensors.json")).unwrap();
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    for (key, _) in FILES {
        let schema = read(key).unwrap();
        let expected = table[key].as_array().unwrap();
        assert_eq!(schema.tensors.len(), expected.len(), "{key}");
        for (ours, theirs) in schema.tensors.iter().zip(expected) {
            // The table writes items of tuples in brackets.
            let name = theirs["name"].as_str().unwrap().replace('[', ".").replace(']', "");
            assert_eq!(ours.name, name, "{key}");
            let shape: Vec<u64> =
                theirs["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect();
            assert_eq!(*ours.shape.0, *shape, "{key} {name}");
            assert_eq!(ours.dtype.name(), dtype(theirs["dtype"].as_str().unwrap()), "{key} {name}");
            assert_eq!(ours.bytes, theirs["nbytes"].as_u64().unwrap(), "{key} {name}");
            assert_eq!(ours.quantized.is_some(), theirs["dtype"] == "QInt8", "{key} {name}");
            assert_eq!(ours.tied_to.is_some(), theirs["shared"].as_bool().unwrap(), "{key} {name}");
            assert_eq!(ours.place.as_ref().unwrap().strides, None, "{key} {name}");
        }
    }
}

#[test]
fn totals_and_ties_are_those_of_the_history() {
    for (key, names, bytes) in [
        ("distilled", 61, 1_174_640),
        ("int4", 61, 1_174_640),
        ("mixed", 69, 4_136_000),
        ("int8", 155, 2_269_764),
    ] {
        let Some(schema) = read(key) else { return };
        assert_eq!((schema.tensors.len(), schema.tensor_bytes()), (names, bytes), "{key}");
        let ties = schema.ties();
        match key {
            "int8" => assert!(ties.is_empty()),
            _ => assert_eq!(ties[0].names, ["embedding.weight", "lm_head.weight"], "{key}"),
        }
    }
}

#[test]
fn storages_begin_where_the_archive_aligned_them() {
    for (key, _) in FILES {
        let Some(schema) = read(key) else { return };
        for tensor in schema.tensors.iter().filter(|t| t.bytes > 0) {
            assert_eq!(tensor.place.as_ref().unwrap().offset % 64, 0, "{key} {}", tensor.name);
        }
    }
}

#[test]
fn configurations_are_facts_whatever_class_they_have() {
    let Some(int4) = read("int4") else { return };
    let fact = |schema: &Schema, key: &str| {
        let fact = schema.fact(&[key]).unwrap_or_else(|| panic!("no {key} in {:?}", schema.config));
        (fact.value.clone(), fact.origin.clone())
    };
    let origin = "entry config of itera_lite_int4.pt".to_owned();
    assert_eq!(fact(&int4, "max_seq_length"), (Attribute::Int(128), origin.clone()));
    assert_eq!(fact(&int4, "num_experts"), (Attribute::Int(4), origin));
    let opaque = int4.entries.iter().find(|e| e.path == "config").unwrap();
    assert_eq!(opaque.value, "models.config.IteraLiteConfig (opaque)");
    let mixed = read("mixed").unwrap();
    assert_eq!(fact(&mixed, "num_experts").0, Attribute::Int(0));
    let int8 = read("int8").unwrap();
    assert!(int8.config.is_empty());
    let dtypes: Vec<_> = int8.entries.iter().filter(|e| e.value == "torch.qint8").collect();
    assert_eq!(dtypes.len(), 35);
}
