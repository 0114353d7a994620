//! Text listings: what people write, what comes back, what is refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use icpc::checkpoint::listing::line_parts;
use icpc::checkpoint::{Schema, parse_listing, write_listing};
use proptest::prelude::*;

const WRITTEN: &str = r#"
# itera_lite_tiny: a comment
embedding.weight               f32  [8000, 128]   # the token table
layers.{0..=1}.ssm.A_log       f32  [8]
layers.{1,3}.moe.w{1,2}.weight bf16 [64, 128]
"odd name/with = signs"        i64  []
"config"                       u8   [0]
lm_head.weight                 = embedding.weight
gate.weight                    i8   [4, 128] quantized per_tensor_affine scales [0.00084] zeros [0]
rows.weight                    i8[2, 2] quantized per_channel_affine axis 0 scales [0.5, 0.25] zeros [0, -3]
blk.0.attn_q.weight            u8   [4096, 4096] as q4_k in 9437184 bytes
config max_position_embeddings = 2048 from "config.json:12"
config rms_norm_eps = 1e-5
config tie_word_embeddings = true
config model_type = "llama"
entry  quantization_info.bits = "4"
note   "3 tensors under `optimizer` are left out"
"#;

fn parse(text: &str) -> Schema {
    parse_listing("tiny.listing", text).unwrap()
}

#[test]
fn the_canonical_form_has_a_tensor_a_line() {
    let schema = parse(WRITTEN);
    insta::assert_snapshot!(schema.listing_text(), @r#"
    embedding.weight         f32  [8000, 128]
    layers.0.ssm.A_log       f32  [8]
    layers.1.ssm.A_log       f32  [8]
    layers.1.moe.w1.weight   bf16 [64, 128]
    layers.1.moe.w2.weight   bf16 [64, 128]
    layers.3.moe.w1.weight   bf16 [64, 128]
    layers.3.moe.w2.weight   bf16 [64, 128]
    "odd name/with = signs"  i64  []
    "config"                 u8   [0]
    lm_head.weight           = embedding.weight
    gate.weight              i8   [4, 128] quantized per_tensor_affine scales [0.00084] zeros [0]
    rows.weight              i8   [2, 2] quantized per_channel_affine axis 0 scales [0.5, 0.25] zeros [0, -3]
    blk.0.attn_q.weight      u8   [4096, 4096] as q4_k in 9437184 bytes
    config max_position_embeddings = 2048 from "config.json:12"
    config rms_norm_eps = 1e-5 from "tiny.listing:13"
    config tie_word_embeddings = true from "tiny.listing:14"
    config model_type = "llama" from "tiny.listing:15"
    entry quantization_info.bits = "4"
    note "3 tensors under `optimizer` are left out"
    "#);
    for (i, tensor) in schema.tensors.iter().enumerate() {
        assert_eq!(tensor.line as usize, i);
    }
    assert_eq!(schema.tensors[schema.kept(9)].name, "embedding.weight");
    assert_eq!(schema.tensors[9].bytes, 8000 * 128 * 4);
}

#[test]
fn the_canonical_form_reads_back_as_the_same_schema() {
    let schema = parse(WRITTEN);
    let again = parse(&write_listing(&schema));
    assert_eq!(Schema { header_hash: schema.header_hash.clone(), ..again }, schema);
}

#[test]
fn labels_find_the_parts_of_a_line() {
    let shown = |line: &str| {
        let parts = line_parts(line)?;
        let dims: Vec<&str> = parts.dims.iter().map(|d| &line[d.clone()]).collect();
        Some(format!("{} | {} | {}", &line[parts.name], &line[parts.dtype], dims.join(" x ")))
    };
    assert_eq!(shown("a.b   f32 [128, 64]").as_deref(), Some("a.b | f32 | 128 x 64"));
    assert_eq!(shown("\"a b\"   bf16 []").as_deref(), Some("\"a b\" | bf16 | "));
    assert_eq!(shown("lm_head   = embedding").as_deref(), Some("lm_head | embedding | "));
    assert_eq!(shown("config a = 1"), None);
    assert_eq!(shown("a"), None);
}

#[test]
fn mistakes_name_the_line() {
    let error = |text: &str| parse_listing("t.listing", text).unwrap_err().to_string();
    insta::assert_snapshot!(error("a f32 [1]\n\na f32 [1]"), @"t.listing: line 3: `a` is listed twice");
    insta::assert_snapshot!(error("a f33 [1]"), @"t.listing: line 1: a dtype expected, found `f33`");
    insta::assert_snapshot!(error("a f32 [1, x]"), @"t.listing: line 1: number expected, found `x]`");
    insta::assert_snapshot!(error("a f32 [1"), @"t.listing: line 1: `,` expected, found the end of the line");
    insta::assert_snapshot!(error("a f32 [-1]"), @"t.listing: line 1: number expected, found `-1]`");
    insta::assert_snapshot!(error("a f32"), @"t.listing: line 1: `[` expected, found the end of the line");
    insta::assert_snapshot!(error("a f32 [1] tail"), @"t.listing: line 1: end of line expected, found `tail`");
    insta::assert_snapshot!(error("a f32 [10000000000, 10000000000]"), @"t.listing: line 1: the bytes of f32 [10000000000, 10000000000] do not fit in 64 bits");
    insta::assert_snapshot!(error("b = a"), @"t.listing: line 1: `a` is no tensor above this line");
    insta::assert_snapshot!(error("a f32 [1]\nb = a\nc = b"), @"t.listing: line 3: `b` is itself an alias of `a`");
    insta::assert_snapshot!(error("a.{0..=9999999} f32 [1]"), @"t.listing: line 1: `a.{0..=9999999}` goes beyond the 1000000 tensors of a listing");
    insta::assert_snapshot!(error("config a = b"), @"t.listing: line 1: a number, flag or quoted text expected, found `b`");
    insta::assert_snapshot!(error("\"a"), @"t.listing: line 1: a quoted text has no closing quote");
    insta::assert_snapshot!(error("a u8 [1] as q4_k"), @"t.listing: line 1: `as` wants a type and its size, as in `as q4_k in 144 bytes`");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "([a-z{}.=\\[\\]\", 0-9#\\\\]{0,40}\n){0,6}") {
        if let Ok(schema) = parse_listing("x", &text) {
            let again = parse_listing("x", &write_listing(&schema)).unwrap();
            prop_assert_eq!(again.tensors, schema.tensors);
        }
    }

    #[test]
    fn any_name_survives(name in "\\PC{0,30}|[\\x00-\\x7f]{0,10}|config|entry|note") {
        let quoted = serde_json::Value::from(name.as_str()).to_string();
        let schema = parse_listing("x", &format!("{quoted} f32 [2]")).unwrap();
        prop_assert_eq!(&schema.tensors[0].name, &name);
        let again = parse_listing("x", &write_listing(&schema)).unwrap();
        prop_assert_eq!(&again.tensors, &schema.tensors);
        let line = write_listing(&schema);
        prop_assert_eq!(line_parts(line.lines().next().unwrap()).map(|p| p.dims.len()), Some(1));
    }
}
