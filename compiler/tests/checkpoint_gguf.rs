//! GGUF headers, honest and hostile, made byte by byte.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use icpc::checkpoint::source::Memory;
use icpc::checkpoint::{CheckpointError, Schema, open_in};
use proptest::prelude::*;

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key), kind.to_le_bytes().as_slice(), value].concat()
}

/// Name, extents innermost first, ggml type, offset.
fn tensor(name: &str, dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| d.to_le_bytes()).collect();
    let rank = (dims.len() / 8) as u32;
    [&text(name), rank.to_le_bytes().as_slice(), &dims, &kind.to_le_bytes(), &offset.to_le_bytes()].concat()
}

fn file(pairs: &[Vec<u8>], tensors: &[Vec<u8>], data: usize) -> Vec<u8> {
    let counts = [(tensors.len() as u64).to_le_bytes(), (pairs.len() as u64).to_le_bytes()].concat();
    let mut bytes =
        [b"GGUF", 3u32.to_le_bytes().as_slice(), &counts, &pairs.concat(), &tensors.concat()].concat();
    bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
    bytes
}

fn open(bytes: Vec<u8>) -> Result<Schema, CheckpointError> {
    let path = Path::new("m.gguf");
    open_in(&Memory([(path.to_owned(), bytes)].into()), path)
}

fn error(bytes: Vec<u8>) -> String {
    open(bytes).unwrap_err().to_string()
}

fn honest() -> Vec<u8> {
    let tokens = ["<s>", "a", "b", "c", "d", "e"].map(text).concat();
    let array = [8u32.to_le_bytes().as_slice(), &6u64.to_le_bytes(), &tokens].concat();
    let scores = [6u32.to_le_bytes().as_slice(), &2u64.to_le_bytes(), &[0; 8]].concat();
    file(
        &[
            pair("general.architecture", 8, &text("llama")),
            pair("llama.context_length", 4, &2048u32.to_le_bytes()),
            pair("llama.rope.freq_base", 6, &1e4f32.to_le_bytes()),
            pair("big", 10, &u64::MAX.to_le_bytes()),
            pair("tokenizer.ggml.tokens", 9, &array),
            pair("tokenizer.ggml.scores", 9, &scores),
            pair("tokenizer.ggml.add_bos_token", 7, &[1]),
        ],
        &[
            tensor("token_embd.weight", &[256, 6], 12, 0),
            tensor("blk.0.attn_norm.weight", &[256], 0, 864),
            tensor("blk.0.ffn_up.weight", &[32, 3], 8, 1888),
            tensor("output.weight", &[4, 2], 30, 2016),
        ],
        2032,
    )
}

#[test]
fn a_header_becomes_a_schema() {
    let schema = open(honest()).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    token_embd.weight       u8   [6, 256] as q4_k in 864 bytes
    blk.0.attn_norm.weight  f32  [256]
    blk.0.ffn_up.weight     u8   [3, 32] as q8_0 in 102 bytes
    output.weight           bf16 [2, 4]
    config general.architecture = "llama" from "key general.architecture of m.gguf"
    config llama.context_length = 2048 from "key llama.context_length of m.gguf"
    config llama.rope.freq_base = 10000.0 from "key llama.rope.freq_base of m.gguf"
    config tokenizer.ggml.add_bos_token = true from "key tokenizer.ggml.add_bos_token of m.gguf"
    entry general.architecture = "llama"
    entry llama.context_length = "2048"
    entry llama.rope.freq_base = "10000.0"
    entry big = "18446744073709551615"
    entry tokenizer.ggml.tokens = "[<s>, a, b, c and 2 more]"
    entry tokenizer.ggml.scores = "[0.0, 0.0]"
    entry tokenizer.ggml.add_bos_token = "true"
    "#);
    let end = honest().len() as u64;
    assert_eq!(schema.tensors[3].place.as_ref().unwrap().offset, end - 16);
}

#[test]
fn lying_headers_are_refused() {
    let one = |t: Vec<u8>, data| error(file(&[], &[t], data));
    insta::assert_snapshot!(one(tensor("a", &[4], 0, 0), 15), @"m.gguf: tensor `a`: its 16 bytes reach beyond the 79 of the file");
    insta::assert_snapshot!(one(tensor("a", &[u64::MAX, u64::MAX], 0, 0), 16), @"m.gguf: tensor `a`: [18446744073709551615, 18446744073709551615] does not divide into blocks of 1 f32 values, or has too many");
    insta::assert_snapshot!(one(tensor("a", &[33], 8, 0), 64), @"m.gguf: tensor `a`: [33] does not divide into blocks of 32 q8_0 values, or has too many");
    insta::assert_snapshot!(one(tensor("a", &[4], 0, 8), 64), @"m.gguf: tensor `a`: its offset 8 is no multiple of 32");
    insta::assert_snapshot!(one(tensor("a", &[4], 0, u64::MAX - 31), 64), @"m.gguf: tensor `a`: its 16 bytes reach beyond the 128 of the file");
    insta::assert_snapshot!(one(tensor("a", &[4], 99, 0), 64), @"m.gguf: tensor `a`: ggml type 99 is not known");
    insta::assert_snapshot!(one(tensor("a", &[1; 9], 0, 0), 64), @"m.gguf: tensor `a`: 9 axes, at most 8 are read");
    let two = |a, b| error(file(&[], &[a, b], 64));
    insta::assert_snapshot!(two(tensor("a", &[9], 0, 0), tensor("b", &[4], 0, 32)), @"m.gguf: tensor `b`: its bytes overlap those of `a`");
    insta::assert_snapshot!(two(tensor("a", &[4], 0, 0), tensor("a", &[4], 0, 32)), @"m.gguf: tensor `a`: the header names it twice");
    let key = |pairs: &[Vec<u8>]| error(file(pairs, &[], 0));
    insta::assert_snapshot!(key(&[pair("k", 7, &[1]), pair("k", 7, &[0])]), @"m.gguf: key `k`: the header has it twice");
    insta::assert_snapshot!(key(&[pair("general.alignment", 4, &24u32.to_le_bytes())]), @"m.gguf: key `general.alignment`: an alignment of 24");
    insta::assert_snapshot!(key(&[pair("split.count", 2, &3u16.to_le_bytes())]), @"m.gguf: it is one of 3 files of a split GGUF; merge them with `llama-gguf-split --merge`");
    insta::assert_snapshot!(key(&[pair("k", 77, &[])]), @"m.gguf: key `k`: value type 77 is not known");
    let array = |kind: u32, length: u64| [kind.to_le_bytes().as_slice(), &length.to_le_bytes()].concat();
    insta::assert_snapshot!(key(&[pair("k", 9, &array(10, u64::MAX))]), @"m.gguf: byte 57: the header ends at byte 64, 8 bytes were to follow (key `k`)");
    insta::assert_snapshot!(key(&[pair("k", 9, &array(8, u64::MAX))]), @"m.gguf: byte 57: the header ends at byte 64, 8 bytes were to follow (key `k`)");
    let nested = (0..9).flat_map(|_| array(9, 1)).collect::<Vec<u8>>();
    insta::assert_snapshot!(key(&[pair("k", 9, &nested)]), @"m.gguf: key `k`: arrays nested deeper than 4");
    let mut many = file(&[], &[], 0);
    many[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    insta::assert_snapshot!(error(many), @"m.gguf: byte 8: 18446744073709551615 tensors and 0 keys in a file of 32 bytes");
    let mut big_endian = file(&[], &[], 0);
    big_endian[4..8].copy_from_slice(&3u32.to_be_bytes());
    insta::assert_snapshot!(error(big_endian), @"m.gguf: byte 4: a big-endian GGUF file");
    insta::assert_snapshot!(error(b"GGUF\x01\0\0\0".to_vec()), @"m.gguf: byte 4: GGUF version 1, versions 2 and 3 are read");
    insta::assert_snapshot!(error(b"GGUF".to_vec()), @"m.gguf: byte 4: the header ends at byte 4, 4 bytes were to follow");
}

proptest! {
    #[test]
    fn mutated_files_are_read_or_refused(at in any::<usize>(), byte in any::<u8>(), cut in any::<Option<u16>>()) {
        let mut bytes = honest();
        let len = bytes.len() - 2032;
        bytes[at % len] = byte;
        if let Some(cut) = cut {
            bytes.truncate(usize::from(cut) % len + 1);
        }
        if let Ok(schema) = open(bytes.clone()) {
            for t in &schema.tensors {
                prop_assert!(t.place.as_ref().unwrap().offset + t.bytes <= bytes.len() as u64);
            }
        }
    }
}
