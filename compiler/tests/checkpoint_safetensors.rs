//! safetensors headers, honest and hostile: every file is made here, byte by byte.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use icpc::checkpoint::source::Memory;
use icpc::checkpoint::{ErrorKind, Schema, open_in, safetensors};
use proptest::prelude::*;

/// A file with this JSON and this many bytes of data.
fn file(json: &str, data: usize) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn open(bytes: Vec<u8>) -> Result<Schema, icpc::checkpoint::CheckpointError> {
    let path = Path::new("folder/model.safetensors");
    open_in(&Memory([(path.to_owned(), bytes)].into()), path)
}

fn error(json: &str, data: usize) -> String {
    open(file(json, data)).unwrap_err().to_string()
}

#[test]
fn a_header_becomes_a_schema() {
    let json = r#"{"__metadata__":{"format":"pt"},
        "b":{"dtype":"F32","shape":[2,3],"data_offsets":[2,26]},
        "a.é \"x\"":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},
        "none":{"dtype":"F16","shape":[0,128],"data_offsets":[26,26]},
        "s":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[26,30]},
        "p":{"dtype":"F4","shape":[6],"data_offsets":[30,33]}}   "#;
    let schema = open(file(json, 33)).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    b            f32  [2, 3]
    "a.é \"x\""  bf16 []
    none         f16  [0, 128]
    s            u8   [4] as f8_e8m0 in 4 bytes
    p            u8   [6] as f4 in 3 bytes
    entry __metadata__.format = "pt"
    "#);
    let place = schema.tensors[1].place.as_ref().unwrap();
    assert_eq!((place.file, place.offset, place.strides.is_none()), (0, 8 + json.len() as u64, true));
    assert_eq!(
        (schema.files[0].name.as_str(), schema.files[0].bytes),
        ("model.safetensors", 41 + json.len() as u64)
    );
    assert_eq!(schema.header_hash.len(), 64);
}

#[test]
fn every_dtype_has_its_width() {
    for (tag, width) in [("BOOL", 1), ("U8", 1), ("I8", 1), ("U16", 2), ("I16", 2), ("U32", 4), ("I32", 4)]
        .into_iter()
        .chain([("U64", 8), ("I64", 8), ("F16", 2), ("BF16", 2), ("F32", 4), ("F64", 8)])
        .chain([("F8_E4M3", 1), ("F8_E5M2", 1), ("C64", 8)])
    {
        let json = format!(r#"{{"a":{{"dtype":"{tag}","shape":[3],"data_offsets":[0,{}]}}}}"#, 3 * width);
        let schema = open(file(&json, 3 * width)).unwrap();
        assert_eq!(
            (schema.tensors[0].bytes, &schema.tensors[0].stored_as),
            (3 * width as u64, &None),
            "{tag}"
        );
    }
}

#[test]
fn lying_headers_are_refused_with_the_tensor() {
    let t = |name: &str, dtype: &str, shape: &str, from: &str, to: &str| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let one = |tensor: String| format!("{{{tensor}}}");
    let two = |a: String, b: String| format!("{{{a},{b}}}");
    insta::assert_snapshot!(error(&two(t("a", "U8", "[4]", "0", "4"), t("b", "U8", "[4]", "2", "6")), 6),
        @"folder/model.safetensors: tensor `b`: its bytes overlap those of `a`");
    insta::assert_snapshot!(error(&two(t("a", "U8", "[4]", "0", "4"), t("b", "U8", "[4]", "6", "10")), 10),
        @"folder/model.safetensors: tensor `b`: 2 bytes before it belong to no tensor");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[4]", "0", "4")), 9),
        @"folder/model.safetensors: 5 bytes behind the last tensor belong to none");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[4]", "0", "4")), 3),
        @"folder/model.safetensors: tensor `a`: its data ends at byte 4 of the data, which has 3 bytes; the file was cut off or its header is wrong");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[4]", "4", "0")), 4),
        @"folder/model.safetensors: tensor `a`: its data ends at 0, before it begins at 4");
    insta::assert_snapshot!(error(&one(t("a", "F32", "[4]", "0", "4")), 4),
        @"folder/model.safetensors: tensor `a`: f32 [4] takes 16 bytes, the header gives it 4");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[10000000000000000000]", "0", "4")), 4),
        @"folder/model.safetensors: tensor `a`: u8 [10000000000000000000] takes 10000000000000000000 bytes, the header gives it 4");
    insta::assert_snapshot!(error(&one(t("a", "F32", "[10000000000000000000, 3]", "0", "4")), 4),
        @"folder/model.safetensors: tensor `a`: f32 [10000000000000000000, 3] takes no number of bytes below 2^64, the header gives it 4");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[100000000000000000000]", "0", "4")), 4),
        @"folder/model.safetensors: tensor `a`: the header is wrong: invalid type: floating point `1e+20`, expected u64");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[4]", "18446744073709551615", "18446744073709551615")), 4),
        @"folder/model.safetensors: tensor `a`: its data ends at byte 18446744073709551615 of the data, which has 4 bytes; the file was cut off or its header is wrong");
    insta::assert_snapshot!(error(&one(t("a", "U8", "[-4]", "0", "4")), 4),
        @"folder/model.safetensors: tensor `a`: the header is wrong: invalid value: integer `-4`, expected u64");
    insta::assert_snapshot!(error(&one(t("a", "Q4_0", "[4]", "0", "4")), 4),
        @"folder/model.safetensors: tensor `a`: dtype `Q4_0` is not known");
    insta::assert_snapshot!(error(&one(t("a", "F4", "[3]", "0", "2")), 2),
        @"folder/model.safetensors: tensor `a`: f4 [3] takes no whole number of bytes, the header gives it 2");
    insta::assert_snapshot!(error(&two(t("a", "U8", "[4]", "0", "4"), t("a", "U8", "[4]", "4", "8")), 8),
        @"folder/model.safetensors: tensor `a`: the header names it twice");
    insta::assert_snapshot!(error(&two(t("a", "U8", "[4]", "0", "4"), t("\\u0061", "U8", "[4]", "4", "8")), 8),
        @"folder/model.safetensors: tensor `a`: the header names it twice");
    insta::assert_snapshot!(error(r#"{"a":{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]}}"#, 1),
        @"folder/model.safetensors: tensor `a`: the header is wrong: `dtype` stands twice");
    insta::assert_snapshot!(error(r#"{"a":{"dtype":"U8","shape":[]}}"#, 1),
        @"folder/model.safetensors: tensor `a`: the header is wrong: missing field `data_offsets`");
    insta::assert_snapshot!(error(r#"{"__metadata__":{"a":1}}"#, 0),
        @"folder/model.safetensors: byte 29: the header is wrong: invalid type: integer `1`, expected a string");
    insta::assert_snapshot!(error(r#"{"a":NaN}"#, 0),
        @"folder/model.safetensors: tensor `a`: the header is wrong: expected value");
    insta::assert_snapshot!(error("{\"a\\n\\u202e\":3}", 0),
        @r"folder/model.safetensors: tensor `a\n\u{202e}`: the header is wrong: invalid type: integer `3`, expected an object with `dtype`, `shape` and `data_offsets`");
}

#[test]
fn lengths_are_checked_before_memory_is_taken() {
    let mut bytes = file("{}", 0);
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    insta::assert_snapshot!(open(bytes).unwrap_err(),
        @"folder/model.safetensors: byte 0: the header says 18446744073709551615 bytes of JSON, the file has 2 bytes behind the length");
    let error = safetensors::json_length(200_000_000u64.to_le_bytes(), 300_000_000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Limit);
    let mut bytes = file("{\"\u{e9}\":1}", 0);
    bytes[10] = 0xff;
    insta::assert_snapshot!(open(bytes).unwrap_err(), @"folder/model.safetensors: byte 10: the header is not UTF-8");
}

#[test]
fn an_empty_header_is_a_checkpoint_without_tensors() {
    let schema = open(file("{}", 0)).unwrap();
    assert!(schema.tensors.is_empty());
}

const VALID: &str = r#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[3],"data_offsets":[24,27]}}"#;

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = safetensors::parse(bytes.clone(), 400, 0);
        let _ = open(bytes);
    }

    #[test]
    fn mutated_files_are_read_or_refused(at in 0usize..140, byte in any::<u8>(), cut in 0usize..160) {
        let mut bytes = file(VALID, 27);
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes.truncate(len.min(cut.max(1)));
        if let Ok(schema) = open(bytes.clone()) {
            for t in &schema.tensors {
                let place = t.place.as_ref().unwrap();
                prop_assert!(place.offset + t.bytes <= bytes.len() as u64);
            }
        }
    }
}
