//! Vocabularies: three schemas, what they declare and what they hold.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "shared/bench_data.rs"]
mod bench_data;

use icpc::checkpoint::{TokenizerKind, parse_tokenizer};

fn shown(text: &str) -> String {
    match parse_tokenizer(text) {
        Err(error) => error.to_string(),
        Ok(t) => {
            let largest = t.largest.as_ref().map(|l| format!("{} `{}` on line {:?}", l.id, l.token, l.line));
            let mut out = format!(
                "{:?}: {} entries, declared {:?}, largest {}, {} rows, level {:?}",
                t.kind,
                t.entries,
                t.declared,
                largest.unwrap_or_default(),
                t.rows_needed(),
                t.level
            );
            for note in t.notes {
                out.push('\n');
                out.push_str(&note);
            }
            out
        }
    }
}

#[test]
fn both_schemas_of_the_history_are_read() {
    insta::assert_snapshot!(shown("{\n\"vocab_size\": 2000,\n\"token_to_id\": {\n\"<PAD>\": 0,\n\"the\": 1},\n\"id_to_token\": {\"0\": \"<PAD>\", \"1\": \"the\"}}"),
        @"TokenToId: 2 entries, declared Some((2000, Some(2))), largest 1 `the` on line Some(5), 2 rows, level None");
    insta::assert_snapshot!(shown("{\"token2id\": {\"a\": 0, \"b\": 41},\n\"id2token\": {\"0\": \"a\", \"41\": \"b\"},\n\"vocab_size\": 8000, \"level\": \"char\"}"),
        @r#"Token2Id: 2 entries, declared Some((8000, Some(3))), largest 41 `b` on line Some(1), 42 rows, level Some("char")"#);
}

#[test]
fn hugging_face_files_count_added_tokens() {
    insta::assert_snapshot!(shown("{\"added_tokens\": [{\"id\": 0, \"content\": \"<s>\"}, {\"id\": 7, \"content\": \"<pad>\"}],\n\"model\": {\"type\": \"BPE\", \"vocab\": {\"<s>\": 0, \"a\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}}"),
        @"HuggingFace: 4 entries, declared None, largest 7 `<pad>` on line Some(1), 8 rows, level None");
    insta::assert_snapshot!(shown("{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"<unk>\", 0.0], [\"a\", -1.5]]}}"),
        @"HuggingFace: 2 entries, declared None, largest 1 `a` on line None, 2 rows, level None");
}

#[test]
fn contradictions_are_notes() {
    insta::assert_snapshot!(shown("{\"vocab_size\": 2, \"token_to_id\": {\"a\": 0, \"b\": 0, \"c\": 5}, \"id_to_token\": {\"0\": \"a\"}}"), @r"
    TokenToId: 2 entries, declared Some((2, Some(1))), largest 5 `c` on line Some(1), 6 rows, level None
    1 id stand for more than one token
    2 tokens and the 1 id of the inverse table differ
    id 5 of token `c` is beyond the 2 that `vocab_size` says
    ");
}

#[test]
fn other_files_are_refused_with_place() {
    insta::assert_snapshot!(shown("{\"token2id\": {\"a\": NaN}}"), @"line 1 column 20: bare `NaN` is not JSON");
    insta::assert_snapshot!(shown("{\"token2id\": {\"a\": \n-1}}"), @"the id of token `a` is no number");
    insta::assert_snapshot!(shown("{\"a\": 1, \"b\": [2]}"), @"no vocabulary that is read: its keys are `a`, `b`; name a file with `model.vocab`, `token_to_id` or `token2id`");
    insta::assert_snapshot!(shown("once upon a time"), @"line 1 column 1: not JSON: expected value");
    insta::assert_snapshot!(shown("[]"), @"no vocabulary that is read: it has no keys; name a file with `model.vocab`, `token_to_id` or `token2id`");
}

#[test]
fn the_files_of_the_history_are_read() {
    let Some(folder) = bench_data::folder().map(|folder| folder.join("data")) else { return };
    for (name, kind, entries, declared) in [
        ("tokenizer_1000.json", TokenizerKind::TokenToId, 184, 1000),
        ("tokenizer_2000.json", TokenizerKind::TokenToId, 184, 2000),
        ("tokenizer_quality.json", TokenizerKind::Token2Id, 184, 8000),
        ("tokenizer_tiny.json", TokenizerKind::Token2Id, 42, 8000),
    ] {
        let tokenizer = parse_tokenizer(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        assert_eq!((tokenizer.kind, tokenizer.entries), (kind, entries), "{name}");
        assert_eq!(tokenizer.declared.unwrap().0, declared, "{name}");
        assert_eq!(tokenizer.rows_needed(), entries, "{name}");
    }
}
