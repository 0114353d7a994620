//! What declarations need beyond plain dims: products, sums, optional segments, values that no shape tells.

use icpc::arch::model::SettingValue;

use crate::{declared, library, listing, unified};

/// Grouped-query attention: 32 heads share 4 keys.
pub(crate) const TINY_LLAMA: &str = "
model.embed_tokens.weight                                       bf16 [32000, 2048]
model.layers.{0..22}.input_layernorm.weight                     bf16 [2048]
model.layers.{0..22}.post_attention_layernorm.weight            bf16 [2048]
model.layers.{0..22}.self_attn.q_proj.weight                    bf16 [2048, 2048]
model.layers.{0..22}.self_attn.{k_proj,v_proj}.weight           bf16 [256, 2048]
model.layers.{0..22}.self_attn.o_proj.weight                    bf16 [2048, 2048]
model.layers.{0..22}.mlp.{gate_proj,up_proj}.weight             bf16 [5632, 2048]
model.layers.{0..22}.mlp.down_proj.weight                       bf16 [2048, 5632]
model.norm.weight                                               bf16 [2048]
lm_head.weight                                                  bf16 [32000, 2048]
";

const CONFIG: &str = "
config num_attention_heads = 32 from \"config.json:11\"
config num_key_value_heads = 4 from \"config.json:13\"
config rms_norm_eps = 1e-6
config max_position_embeddings = 2048
";

#[test]
fn heads_come_from_the_configuration() {
    insta::assert_snapshot!(unified("llama", &format!("{TINY_LLAMA}{CONFIG}")), @"
    arch llama
      dim vocab    = 32000 (model.embed_tokens.weight axis 0)
      dim hidden   = 2048 (model.embed_tokens.weight axis 1), residual
      dim heads    = 32 (config.json:11), in model.layers.*
      dim kv_heads = 4 (model.layers.0.self_attn.k_proj.weight axis 0: kv_heads * head_dim), in model.layers.*
      dim head_dim = 64 (model.layers.0.self_attn.q_proj.weight axis 0: heads * head_dim), in model.layers.*
      dim inner    = 5632 (model.layers.0.mlp.gate_proj.weight axis 0), in model.layers.*
      dim rotary   = ?
      dim layers   = 22 (members of model.layers)
      family model.layers = 22 (layers)
      setting heads = 32 (config.json:11)
      setting eps = 1e-6 (listing:15)
      setting act = silu (default)
      setting theta = 10000.0 (default)
      setting window = 0 (default)
      setting rope = default (default)
      setting family = llama (default)
      untied lm_head.weight and model.embed_tokens.weight
    ");
}

/// 2048 rows are not a whole number of 24 heads.
#[test]
fn the_recipe_sets_heads() {
    let schema = listing(&format!("{TINY_LLAMA}{CONFIG}"));
    let set = |heads| vec![("heads".to_owned(), SettingValue::Int(heads))];
    let fits = icpc::arch::unify(&library("llama"), &schema, &set(16));
    assert_eq!(fits.dim("head_dim").unwrap().value, Some(128));
    let clashes = icpc::arch::unify(&library("llama"), &schema, &set(24));
    insta::assert_snapshot!(icpc::arch::print(&clashes, &schema), @"
    arch llama
      dim vocab    = 32000 (model.embed_tokens.weight axis 0)
      dim hidden   = 2048 (model.embed_tokens.weight axis 1), residual
      dim heads    = 24 (recipe), in model.layers.*
      dim kv_heads = ?, in model.layers.*
      dim head_dim = ?, in model.layers.*
      dim inner    = 5632 (model.layers.0.mlp.gate_proj.weight axis 0), in model.layers.*
      dim rotary   = ?
      dim layers   = 22 (members of model.layers)
      family model.layers = 22 (layers)
      setting heads = 24 (recipe)
      setting eps = 1e-6 (listing:15)
      setting act = silu (default)
      setting theta = 10000.0 (default)
      setting window = 0 (default)
      setting rope = default (default)
      setting family = llama (default)
      untied lm_head.weight and model.embed_tokens.weight
      conflict heads = 24 (recipe), no whole number (model.layers.0.self_attn.q_proj.weight axis 0: heads * head_dim)
    ");
}

/// 14 heads, 2 keys, biases on them, tied. Without a configuration the default of 32 heads would give 4 rows to a key of
/// 28: it is not taken, and what follows from heads stays unknown.
#[test]
fn a_default_that_shapes_contradict_is_not_taken() {
    let qwen = "
model.embed_tokens.weight                             bf16 [151936, 896]
model.layers.{0..24}.input_layernorm.weight           bf16 [896]
model.layers.{0..24}.post_attention_layernorm.weight  bf16 [896]
model.layers.{0..24}.self_attn.q_proj.weight          bf16 [896, 896]
model.layers.{0..24}.self_attn.q_proj.bias            bf16 [896]
model.layers.{0..24}.self_attn.{k_proj,v_proj}.weight bf16 [128, 896]
model.layers.{0..24}.self_attn.{k_proj,v_proj}.bias   bf16 [128]
model.layers.{0..24}.self_attn.o_proj.weight          bf16 [896, 896]
model.layers.{0..24}.mlp.{gate_proj,up_proj}.weight   bf16 [4864, 896]
model.layers.{0..24}.mlp.down_proj.weight             bf16 [896, 4864]
model.norm.weight                                     bf16 [896]
";
    insta::assert_snapshot!(unified("llama", qwen), @"
    arch llama
      dim vocab    = 151936 (model.embed_tokens.weight axis 0)
      dim hidden   = 896 (model.embed_tokens.weight axis 1), residual
      dim heads    = ?, in model.layers.*
      dim kv_heads = ?, in model.layers.*
      dim head_dim = ?, in model.layers.*
      dim inner    = 4864 (model.layers.0.mlp.gate_proj.weight axis 0), in model.layers.*
      dim rotary   = ?
      dim layers   = 24 (members of model.layers)
      family model.layers = 24 (layers)
      setting heads = 32 (default)
      setting eps = 1e-6 (default)
      setting act = silu (default)
      setting theta = 10000.0 (default)
      setting window = 0 (default)
      setting rope = default (default)
      setting family = llama (default)
    ");
    let configured = format!("{qwen}config num_attention_heads = 14\n");
    insta::assert_snapshot!(unified("llama", &configured), @"
    arch llama
      dim vocab    = 151936 (model.embed_tokens.weight axis 0)
      dim hidden   = 896 (model.embed_tokens.weight axis 1), residual
      dim heads    = 14 (listing:13), in model.layers.*
      dim kv_heads = 2 (model.layers.0.self_attn.k_proj.weight axis 0: kv_heads * head_dim), in model.layers.*
      dim head_dim = 64 (model.layers.0.self_attn.q_proj.weight axis 0: heads * head_dim), in model.layers.*
      dim inner    = 4864 (model.layers.0.mlp.gate_proj.weight axis 0), in model.layers.*
      dim rotary   = ?
      dim layers   = 24 (members of model.layers)
      family model.layers = 24 (layers)
      setting heads = 14 (listing:13)
      setting eps = 1e-6 (default)
      setting act = silu (default)
      setting theta = 10000.0 (default)
      setting window = 0 (default)
      setting rope = default (default)
      setting family = llama (default)
    ");
}

#[test]
fn the_prefix_is_optional() {
    let bare = unified("llama", &TINY_LLAMA.replace("model.", ""));
    assert!(!bare.contains("conflict") && bare.contains("family layers = 22"), "{bare}");
    // Missing in all names at once: one that keeps it is another tensor.
    let mixed = TINY_LLAMA.replace("model.layers", "layers");
    insta::assert_snapshot!(conflicts(&unified("llama", &mixed)), @"
    conflict norm.weight is missing
    conflict nothing declares model.embed_tokens.weight and 1 more
    ");
}

pub(crate) const MAMBA_130M: &str = "
backbone.embeddings.weight f32 [50280, 768]
backbone.layers.{0..24}.norm.weight f32 [768]
backbone.layers.{0..24}.mixer.A_log f32 [1536, 16]
backbone.layers.{0..24}.mixer.D f32 [1536]
backbone.layers.{0..24}.mixer.conv1d.weight f32 [1536, 1, 4]
backbone.layers.{0..24}.mixer.conv1d.bias f32 [1536]
backbone.layers.{0..24}.mixer.in_proj.weight f32 [3072, 768]
backbone.layers.{0..24}.mixer.x_proj.weight f32 [80, 1536]
backbone.layers.{0..24}.mixer.dt_proj.weight f32 [1536, 48]
backbone.layers.{0..24}.mixer.dt_proj.bias f32 [1536]
backbone.layers.{0..24}.mixer.out_proj.weight f32 [768, 1536]
backbone.norm_f.weight f32 [768]
lm_head.weight = backbone.embeddings.weight
";

#[test]
fn sums_of_dims() {
    insta::assert_snapshot!(unified("mamba", MAMBA_130M), @"
    arch mamba
      dim vocab   = 50280 (backbone.embeddings.weight axis 0)
      dim hidden  = 768 (backbone.embeddings.weight axis 1), residual
      dim inner   = 1536 (backbone.layers.0.mixer.A_log axis 0), in backbone.layers.*
      dim state   = 16 (backbone.layers.0.mixer.A_log axis 1), recurrent, in backbone.layers.*
      dim conv    = 4 (backbone.layers.0.mixer.conv1d.weight axis 2), in backbone.layers.*
      dim dt_rank = 48 (backbone.layers.0.mixer.dt_proj.weight axis 1), in backbone.layers.*
      dim layers  = 24 (members of backbone.layers)
      family backbone.layers = 24 (layers)
      setting eps = 1e-5 (default)
      setting act = silu (default)
    ");
    insta::assert_snapshot!(conflicts(&unified("mamba", &MAMBA_130M.replace("[80,", "[81,"))), @"  conflict dt_rank = 48 (backbone.layers.0.mixer.dt_proj.weight axis 1), 49 (backbone.layers.0.mixer.x_proj.weight axis 0: dt_rank + 2 * state)");
    // The sum alone tells the rank of dt where nothing else does.
    let text: String =
        MAMBA_130M.lines().filter(|l| !l.contains("dt_proj.weight")).map(|l| format!("{l}\n")).collect();
    let without = unified("mamba", &text);
    insta::assert_snapshot!(without.lines().find(|l| l.contains("dim dt_rank")).unwrap(), @"  dim dt_rank = 48 (backbone.layers.0.mixer.x_proj.weight axis 0: dt_rank + 2 * state), in backbone.layers.*");
    insta::assert_snapshot!(conflicts(&without), @"  conflict backbone.layers.0.mixer.dt_proj.weight is missing, and 23 like it");
}

/// A default in a bound is a dim too; the configuration tells it.
#[test]
fn a_bound_by_a_default() {
    let decl = declared(
        "arch a { dim h; x : [h]; sequence < 2 * positions; default positions: int = 8 from n_ctx; }",
    );
    for (text, at_most) in [("x f32 [4]\n", 15), ("x f32 [4]\nconfig n_ctx = 100\n", 199)] {
        assert_eq!(icpc::arch::unify(&decl, &listing(text), &[]).bounds[0].at_most, at_most);
    }
}

pub(crate) fn conflicts(text: &str) -> String {
    text.lines().filter(|l| l.contains("conflict")).collect::<Vec<_>>().join("\n")
}
