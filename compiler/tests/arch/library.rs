//! The library's declarations against the shapes of published checkpoints.

use crate::families::{TINY_LLAMA, conflicts};
use crate::{library, unified};

#[test]
fn gpt2_small() {
    let text = "
wte.weight                                f32 [50257, 768]
wpe.weight                                f32 [1024, 768]
h.{0..12}.ln_{1,2}.{weight,bias}          f32 [768]
h.{0..12}.attn.bias                       f32 [1, 1, 1024, 1024]
h.{0..12}.attn.c_attn.weight              f32 [768, 2304]
h.{0..12}.attn.c_attn.bias                f32 [2304]
h.{0..12}.attn.c_proj.weight              f32 [768, 768]
h.{0..12}.attn.c_proj.bias                f32 [768]
h.{0..12}.mlp.c_fc.weight                 f32 [768, 3072]
h.{0..12}.mlp.c_fc.bias                   f32 [3072]
h.{0..12}.mlp.c_proj.weight               f32 [3072, 768]
h.{0..12}.mlp.c_proj.bias                 f32 [768]
ln_f.{weight,bias}                        f32 [768]
";
    insta::assert_snapshot!(unified("gpt2", text), @"
    arch gpt2
      dim vocab     = 50257 (wte.weight axis 0)
      dim hidden    = 768 (wte.weight axis 1), residual
      dim positions = 1024 (wpe.weight axis 0)
      dim inner     = 3072 (h.0.mlp.c_fc.weight axis 1), in h.*
      dim layers    = 12 (members of h)
      family h = 12 (layers)
      setting heads = 12 (default)
      setting eps = 1e-5 (default)
      setting act = gelu_new (default)
      setting scaled = true (default)
      setting scaled_by_layer = false (default)
      bound sequence <= positions = 1024 (wpe.weight axis 0)
    ");
}

#[test]
fn bert_base() {
    let text = "
bert.embeddings.position_ids                                          i64 [1, 512]
bert.embeddings.word_embeddings.weight                                f32 [30522, 768]
bert.embeddings.position_embeddings.weight                            f32 [512, 768]
bert.embeddings.token_type_embeddings.weight                          f32 [2, 768]
bert.embeddings.LayerNorm.{weight,bias}                               f32 [768]
bert.encoder.layer.{0..12}.attention.self.{query,key,value}.weight    f32 [768, 768]
bert.encoder.layer.{0..12}.attention.self.{query,key,value}.bias      f32 [768]
bert.encoder.layer.{0..12}.attention.output.dense.weight              f32 [768, 768]
bert.encoder.layer.{0..12}.attention.output.dense.bias                f32 [768]
bert.encoder.layer.{0..12}.attention.output.LayerNorm.{weight,bias}   f32 [768]
bert.encoder.layer.{0..12}.intermediate.dense.weight                  f32 [3072, 768]
bert.encoder.layer.{0..12}.intermediate.dense.bias                    f32 [3072]
bert.encoder.layer.{0..12}.output.dense.weight                        f32 [768, 3072]
bert.encoder.layer.{0..12}.output.dense.bias                          f32 [768]
bert.encoder.layer.{0..12}.output.LayerNorm.{weight,bias}             f32 [768]
bert.pooler.dense.weight                                              f32 [768, 768]
bert.pooler.dense.bias                                                f32 [768]
cls.predictions.bias                                                  f32 [30522]
cls.predictions.transform.dense.weight                                f32 [768, 768]
cls.predictions.transform.dense.bias                                  f32 [768]
cls.predictions.transform.LayerNorm.{weight,bias}                     f32 [768]
cls.predictions.decoder.weight                                        = bert.embeddings.word_embeddings.weight
cls.seq_relationship.weight                                           f32 [2, 768]
cls.seq_relationship.bias                                             f32 [2]
";
    insta::assert_snapshot!(unified("bert", text), @"
    arch bert
      dim vocab     = 30522 (bert.embeddings.word_embeddings.weight axis 0)
      dim hidden    = 768 (bert.embeddings.word_embeddings.weight axis 1), residual
      dim positions = 512 (bert.embeddings.position_embeddings.weight axis 0)
      dim types     = 2 (bert.embeddings.token_type_embeddings.weight axis 0)
      dim inner     = 3072 (bert.encoder.layer.0.intermediate.dense.weight axis 0), in bert.encoder.layer.*
      dim labels    = ?
      dim layers    = 12 (members of bert.encoder.layer)
      family bert.encoder.layer = 12 (layers)
      setting heads = 12 (default)
      setting eps = 1e-12 (default)
      setting act = gelu (default)
      setting positions_as = absolute (default)
      bound sequence <= positions = 512 (bert.embeddings.position_embeddings.weight axis 0)
    ");
    let bare: String = text
        .replace("bert.", "")
        .lines()
        .filter(|l| !l.starts_with("cls"))
        .map(|l| format!("{l}\n"))
        .collect();
    assert_eq!(conflicts(&unified("bert", &bare)), "");
}

/// Experts one by one, and stacked into tensors of rank 3.
#[test]
fn mixtral_both_ways() {
    let (shared, experts) = (
        TINY_LLAMA.replace("model.layers.{0..22}.mlp", "# "),
        "
model.layers.{0..22}.block_sparse_moe.gate.weight                f32 [8, 2048]
model.layers.{0..22}.block_sparse_moe.experts.{0..8}.w{1,3}.weight f32 [96, 2048]
model.layers.{0..22}.block_sparse_moe.experts.{0..8}.w2.weight   f32 [2048, 96]
config num_attention_heads = 32
",
    );
    insta::assert_snapshot!(unified("mixtral", &format!("{shared}{experts}")), @"
    arch mixtral
      dim vocab    = 32000 (model.embed_tokens.weight axis 0)
      dim hidden   = 2048 (model.embed_tokens.weight axis 1), residual
      dim heads    = 32 (listing:16), in model.layers.*
      dim kv_heads = 4 (model.layers.0.self_attn.k_proj.weight axis 0: kv_heads * head_dim), in model.layers.*
      dim head_dim = 64 (model.layers.0.self_attn.q_proj.weight axis 0: heads * head_dim), in model.layers.*
      dim experts  = 8 (model.layers.0.block_sparse_moe.gate.weight axis 0), in model.layers.*
      dim expert   = 96 (model.layers.0.block_sparse_moe.experts.0.w1.weight axis 0), in model.layers.*.block_sparse_moe.experts.*
      dim layers   = 22 (members of model.layers)
      family model.layers = 22 (layers)
      family model.layers.*.block_sparse_moe.experts (22 families) = 8 (experts)
      setting heads = 32 (listing:16)
      setting top_k = 2 (default), at most experts = 8
      setting eps = 1e-5 (default)
      setting act = silu (default)
      setting theta = 1000000.0 (default)
      setting window = 0 (default)
      setting rope = default (default)
      setting family = mixtral (default)
    ");
    let stacked = "
model.layers.{0..22}.mlp.gate.weight                             f32 [8, 2048]
model.layers.{0..22}.mlp.experts.gate_up_proj                    f32 [8, 192, 2048]
model.layers.{0..22}.mlp.experts.down_proj                       f32 [8, 2048, 96]
config num_attention_heads = 32
";
    insta::assert_snapshot!(unified("mixtral", &format!("{shared}{stacked}")), @"
    arch mixtral
      dim vocab    = 32000 (model.embed_tokens.weight axis 0)
      dim hidden   = 2048 (model.embed_tokens.weight axis 1), residual
      dim heads    = 32 (listing:16), in model.layers.*
      dim kv_heads = 4 (model.layers.0.self_attn.k_proj.weight axis 0: kv_heads * head_dim), in model.layers.*
      dim head_dim = 64 (model.layers.0.self_attn.q_proj.weight axis 0: heads * head_dim), in model.layers.*
      dim experts  = 8 (model.layers.0.mlp.gate.weight axis 0), in model.layers.*
      dim expert   = 96 (model.layers.0.mlp.experts.down_proj axis 2), in model.layers.*
      dim layers   = 22 (members of model.layers)
      family model.layers = 22 (layers)
      setting heads = 32 (listing:16)
      setting top_k = 2 (default), at most experts = 8
      setting eps = 1e-5 (default)
      setting act = silu (default)
      setting theta = 1000000.0 (default)
      setting window = 0 (default)
      setting rope = default (default)
      setting family = mixtral (default)
    ");
}

/// The baseline that the Itera-Lite project compares itself with.
#[test]
fn transformer_baseline() {
    let text = "
embedding.weight                          f32 [8000, 128]
position_embedding.weight                 f32 [128, 128]
blocks.{0..4}.ln{1,2}.{weight,bias}       f32 [128]
blocks.{0..4}.attention.causal_mask       f32 [1, 1, 128, 128]
blocks.{0..4}.attention.qkv.weight        f32 [384, 128]
blocks.{0..4}.attention.out_proj.weight   f32 [128, 128]
blocks.{0..4}.ffn.w1.weight               f32 [512, 128]
blocks.{0..4}.ffn.w2.weight               f32 [128, 512]
norm.{weight,bias}                        f32 [128]
lm_head.weight                            = embedding.weight
";
    insta::assert_snapshot!(unified("transformer_baseline", text), @"
    arch transformer_baseline
      dim vocab     = 8000 (embedding.weight axis 0)
      dim hidden    = 128 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 512 (blocks.0.ffn.w1.weight axis 0), in blocks.*
      dim blocks    = 4 (members of blocks)
      family blocks = 4 (blocks)
      setting heads = 4 (default)
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
    ");
}

#[test]
fn every_declaration_is_right() {
    for (path, _) in icpc::stdlib::ARCHITECTURES {
        let name = path.trim_start_matches("std/arch/").trim_end_matches(".icp");
        assert_eq!(library(name).name, name);
    }
}
