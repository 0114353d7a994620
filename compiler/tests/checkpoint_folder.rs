//! Folders, shards, indexes and the configuration beside them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use icpc::checkpoint::source::Memory;
use icpc::checkpoint::{CheckpointError, Container, Schema, open_in, parse_config, parse_index};

/// A safetensors file with these `u8 [4]` tensors.
fn shard(names: &[&str]) -> Vec<u8> {
    let tensor = |(i, name): (usize, &&str)| {
        format!(r#""{name}":{{"dtype":"U8","shape":[4],"data_offsets":[{},{}]}}"#, i * 4, i * 4 + 4)
    };
    let json = format!("{{{}}}", names.iter().enumerate().map(tensor).collect::<Vec<_>>().join(","));
    let mut bytes = [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    bytes.resize(bytes.len() + names.len() * 4, 0);
    bytes
}

fn open(files: &[(&str, &[u8])], path: &str) -> Result<Schema, CheckpointError> {
    let store = files.iter().map(|(name, bytes)| (Path::new("m").join(name), bytes.to_vec()));
    open_in(&Memory(store.collect()), Path::new(path))
}

fn error(files: &[(&str, &[u8])], path: &str) -> String {
    open(files, path).unwrap_err().to_string()
}

const A: &str = "model-00001-of-00002.safetensors";
const B: &str = "model-00002-of-00002.safetensors";
const INDEX: &str = "model.safetensors.index.json";

fn index(pairs: &[(&str, &str)]) -> Vec<u8> {
    let map: Vec<String> = pairs.iter().map(|(name, file)| format!("\"{name}\": \"{file}\"")).collect();
    format!("{{\"metadata\": {{\"total_size\": 12}},\n \"weight_map\": {{{}}}}}", map.join(", ")).into_bytes()
}

#[test]
fn shards_become_one_schema() {
    let index = index(&[("z", A), ("a", A), ("b", B)]);
    let files: &[(&str, &[u8])] = &[(A, &shard(&["z", "a"])), (B, &shard(&["b"])), (INDEX, &index)];
    insta::allow_duplicates!(for path in ["m", "m/model.safetensors.index.json"] {
        let schema = open(files, path).unwrap();
        assert_eq!(schema.container, Container::SafetensorsSharded);
        let shown = |t: &icpc::checkpoint::TensorInfo| {
            let place = t.place.as_ref().unwrap();
            format!("{} in {} storage {} line {}", t.name, place.file, place.storage, t.line)
        };
        insta::assert_snapshot!(schema.tensors.iter().map(shown).collect::<Vec<_>>().join("\n"), @"
        z in 0 storage 0 line 0
        a in 0 storage 1 line 1
        b in 1 storage 2 line 2
        ");
        assert_eq!(schema.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), [A, B]);
        assert_eq!(schema.entries[0].value, "12");
        assert!(schema.notes.is_empty(), "{:?}", schema.notes);
    });
}

#[test]
fn indexes_that_contradict_the_shards_are_refused() {
    let a = shard(&["a", "b"]);
    let with =
        |pairs: &[(&str, &str)], b: &[&str]| error(&[(A, &a), (B, &shard(b)), (INDEX, &index(pairs))], "m");
    insta::assert_snapshot!(error(&[(A, &a), (INDEX, &index(&[("a", A), ("b", A), ("c", B), ("d", B)]))], "m"),
        @"m/model.safetensors.index.json: `model-00002-of-00002.safetensors` is not there, it holds `c`, `d`");
    insta::assert_snapshot!(with(&[("a", A), ("b", A), ("c", B), ("d", B)], &["c"]),
        @"m/model.safetensors.index.json: tensor `d`: the index puts it in `model-00002-of-00002.safetensors`, which lacks it");
    insta::assert_snapshot!(with(&[("a", A), ("b", A), ("c", B)], &["c", "d"]),
        @"m/model.safetensors.index.json: tensor `d`: it is in `model-00002-of-00002.safetensors`, the index does not name it");
    insta::assert_snapshot!(with(&[("a", A), ("b", B), ("c", B)], &["c"]),
        @"m/model.safetensors.index.json: tensor `b`: the index puts it in `model-00002-of-00002.safetensors`, it is in `model-00001-of-00002.safetensors`");
    insta::assert_snapshot!(with(&[("a", A), ("b", A), ("c", B)], &["c", "a"]),
        @"m: tensor `a`: it is in `model-00001-of-00002.safetensors`, `model-00002-of-00002.safetensors` at once");
    insta::assert_snapshot!(with(&[("a", "../a.safetensors")], &[]),
        @"m/model.safetensors.index.json: tensor `a`: the index puts it in `../a.safetensors`, no plain file name");
    insta::assert_snapshot!(with(&[("a", A), ("a", B)], &[]),
        @"m/model.safetensors.index.json: tensor `a`: the index names it twice");
    insta::assert_snapshot!(with(&[("a", INDEX)], &[]),
        @"m/model.safetensors.index.json: an index names it, and it is an index itself");
    insta::assert_snapshot!(parse_index("{\"weight_map\": {\"a\": NaN}}").unwrap_err(),
        @"line 1 column 22: bare `NaN` is not JSON");
    insta::assert_snapshot!(parse_index("{\"weight_map\": {\"a\": 3}}").unwrap_err(),
        @"tensor `a`: the index names no file for it");
    insta::assert_snapshot!(error(&[("x.json", b"{\"a\": 1}")], "m/x.json"),
        @"m/x.json: JSON without a `weight_map` is no index of a checkpoint");
}

#[test]
fn folders_without_an_index_are_read_when_there_is_one_way() {
    let (a, b) = (shard(&["a"]), shard(&["b"]));
    assert_eq!(open(&[("only.safetensors", &a), ("readme.md", b"")], "m").unwrap().tensors.len(), 1);
    assert_eq!(open(&[(A, &a), (B, &b)], "m").unwrap().tensors.len(), 2);
    let part = open(&[(A, &a), (B, &b)], &format!("m/{A}")).unwrap();
    insta::assert_snapshot!(part.notes.join("\n"), @"one of 2 parts: name the folder to read them all");
    let beside = open(&[("model.safetensors", &a), ("pytorch_model.bin", b"x")], "m").unwrap();
    insta::assert_snapshot!(beside.notes.join("\n"), @"`pytorch_model.bin` in the same folder not read: the safetensors files are");
    insta::assert_snapshot!(error(&[(A, &a)], "m"), @"m: part 2 of 2 is not there");
    insta::assert_snapshot!(error(&[("model-00001-of-00003.safetensors", &a), ("model-00003-of-00003.safetensors", &b)], "m"),
        @"m: part 2 of 3 is not there");
    insta::assert_snapshot!(error(&[("a.safetensors", &a), ("b.safetensors", &b)], "m"),
        @"m: `a.safetensors`, `b.safetensors` could each be the checkpoint; name one of the files");
    insta::assert_snapshot!(error(&[("readme.md", b"")], "m"),
        @"m: no checkpoint is in this folder; a .safetensors, .pt, .pth, .bin or .gguf file, or an index.json, was looked for");
    insta::assert_snapshot!(error(&[("readme.md", b"")], "absent"), @"absent: no such file or folder");
}

#[test]
fn wrong_files_say_what_they_are() {
    let one = |name: &str, bytes: &[u8]| error(&[(name, bytes)], &format!("m/{name}"));
    insta::assert_snapshot!(one("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        @"m/a.safetensors: a Git LFS pointer, not the file that it stands for; fetch the file with `git lfs pull`");
    insta::assert_snapshot!(one("a.h5", b"\x89HDF\r\n"), @"m/a.h5: an HDF5 file, as Keras writes it; safetensors, PyTorch, GGUF and listings are read");
    insta::assert_snapshot!(one("a.bin", b"\x00\x01\x02"), @"m/a.bin: no kind of checkpoint that is read; safetensors, PyTorch, GGUF and listings are read");
    insta::assert_snapshot!(one("a.safetensors", b"abc"), @"m/a.safetensors: 3 bytes are no safetensors file");
    insta::assert_snapshot!(one("a.txt", b"hello world"), @"a.txt: line 1: a dtype expected, found `world`");
}

#[test]
fn a_configuration_gives_facts_with_lines() {
    let config = b"{\n  \"model_type\": \"llama\",\n  \"max_position_embeddings\": 2048,\n  \"nothing\": null,\n  \"text_config\": {\n    \"tie_word_embeddings\": true,\n    \"rope_theta\": 1e4\n  },\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"max_position_embeddings\": 4096\n}";
    let schema = open(&[("model.safetensors", &shard(&["a"])), ("config.json", config)], "m").unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    a  u8 [4]
    config model_type = "llama" from "config.json:2"
    config max_position_embeddings = 4096 from "config.json:10"
    config text_config.tie_word_embeddings = true from "config.json:6"
    config text_config.rope_theta = 10000.0 from "config.json:7"
    config architectures.0 = "LlamaForCausalLM" from "config.json:9"
    note "config.json:10: `max_position_embeddings` stands twice, the last one counts"
    "#);
}

#[test]
fn a_configuration_that_is_not_json_is_a_note() {
    let with = |config: &str| {
        let files: &[(&str, &[u8])] =
            &[("model.safetensors", &shard(&["a"])), ("config.json", config.as_bytes())];
        let schema = open(files, "m/model.safetensors").unwrap();
        assert!(schema.config.is_empty());
        schema.notes.join("\n")
    };
    insta::assert_snapshot!(with("{\n \"speedup\": NaN}"), @"config.json: line 2 column 13: bare `NaN` is not JSON: none of its facts are used");
    insta::assert_snapshot!(with("{\"loss\": -Infinity}"), @"config.json: line 1 column 11: bare `Infinity` is not JSON: none of its facts are used");
    insta::assert_snapshot!(with("{\"a\": 1"), @"config.json: line 1 column 7: not JSON: EOF while parsing an object: none of its facts are used");
    insta::assert_snapshot!(with(""), @"config.json: line 1 column 1: not JSON: EOF while parsing a value: none of its facts are used");
    let deep = "[".repeat(100_000);
    insta::assert_snapshot!(with(&deep), @"config.json: line 1 column 128: not JSON: recursion limit exceeded: none of its facts are used");
}

#[test]
fn long_lists_and_large_numbers_of_a_configuration() {
    let list: Vec<String> = (0..50).map(|i| i.to_string()).collect();
    let mut notes = Vec::new();
    let text = format!("{{\"a\": [{}], \"b\": 18446744073709551615}}", list.join(","));
    let facts = parse_config("config.json", &text, &mut notes).unwrap();
    assert_eq!(facts.len(), 33);
    insta::assert_snapshot!(notes.join("\n"), @"config.json:1: items of lists beyond the first 32 are not read");
}
