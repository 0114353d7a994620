//! What declarations of other families need: products, sums, optional segments and tensors, stacked experts.

use icpc::arch::model::SettingValue;

use crate::declared::{LLAMA, MAMBA, MIXTRAL};
use crate::{declared, listing, unified};

/// Grouped-query attention: 32 heads share 4 keys.
const TINY_LLAMA: &str = "
model.embed_tokens.weight                                       bf16 [32000, 2048]
model.layers.{0..22}.{input,post_attention}_layernorm.weight    bf16 [2048]
model.layers.{0..22}.self_attn.q_proj.weight                    bf16 [2048, 2048]
model.layers.{0..22}.self_attn.{k,v}_proj.weight                bf16 [256, 2048]
model.layers.{0..22}.self_attn.o_proj.weight                    bf16 [2048, 2048]
model.layers.{0..22}.mlp.{gate,up}_proj.weight                  bf16 [5632, 2048]
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
    insta::assert_snapshot!(unified(LLAMA, &format!("{TINY_LLAMA}{CONFIG}")), @"");
}

/// 8 keys of width 64 would be 512 rows; the checkpoint has 256. The default is not taken then.
#[test]
fn a_default_that_shapes_contradict_is_not_taken() {
    insta::assert_snapshot!(unified(LLAMA, TINY_LLAMA), @"");
}

#[test]
fn the_recipe_sets_heads() {
    let schema = listing(&format!("{TINY_LLAMA}{CONFIG}"));
    let set = |heads| vec![("heads".to_owned(), SettingValue::Int(heads))];
    let fits = icpc::arch::unify(&declared(LLAMA), &schema, &set(16));
    assert_eq!(fits.dim("head_dim").unwrap().value, Some(128));
    let clashes = icpc::arch::unify(&declared(LLAMA), &schema, &set(24));
    insta::assert_snapshot!(icpc::arch::print(&clashes, &schema), @"");
}

#[test]
fn the_prefix_is_optional_and_biases_are_too() {
    let bare = TINY_LLAMA.replace("model.", "");
    let with_bias = format!("{bare}layers.{{0..22}}.self_attn.q_proj.bias bf16 [2048]\n{CONFIG}");
    insta::assert_snapshot!(unified(LLAMA, &with_bias).lines().filter(|l| l.contains("layers")).collect::<Vec<_>>().join("\n"), @"");
}

#[test]
fn experts_one_by_one_and_stacked() {
    insta::assert_snapshot!(unified(MIXTRAL, "
model.embed_tokens.weight f32 [1000, 64]
model.layers.{0..=1}.block_sparse_moe.gate.weight f32 [8, 64]
model.layers.{0..=1}.block_sparse_moe.experts.{0..=7}.w{1,3}.weight f32 [96, 64]
model.layers.{0..=1}.block_sparse_moe.experts.{0..=7}.w2.weight f32 [64, 96]
"), @"");
    insta::assert_snapshot!(unified(MIXTRAL, "
model.embed_tokens.weight f32 [1000, 64]
model.layers.{0..=1}.mlp.gate.weight f32 [8, 64]
model.layers.{0..=1}.mlp.experts.gate_up_proj f32 [8, 192, 64]
model.layers.{0..=1}.mlp.experts.down_proj f32 [8, 64, 96]
"), @"");
}

const MAMBA_130M: &str = "
backbone.embeddings.weight f32 [50280, 768]
backbone.layers.{0..24}.norm.weight f32 [768]
backbone.layers.{0..24}.mixer.A_log f32 [1536, 16]
backbone.layers.{0..24}.mixer.D f32 [1536]
backbone.layers.{0..24}.mixer.conv1d.weight f32 [1536, 1, 4]
backbone.layers.{0..24}.mixer.in_proj.weight f32 [3072, 768]
backbone.layers.{0..24}.mixer.x_proj.weight f32 [80, 1536]
backbone.layers.{0..24}.mixer.dt_proj.weight f32 [1536, 48]
backbone.layers.{0..24}.mixer.out_proj.weight f32 [768, 1536]
";

#[test]
fn sums_of_dims() {
    insta::assert_snapshot!(unified(MAMBA, MAMBA_130M), @"");
    insta::assert_snapshot!(unified(MAMBA, &MAMBA_130M.replace("[80,", "[81,")), @"");
    // The sum alone tells the rank of dt where nothing else does.
    let text: String = MAMBA_130M.lines().filter(|l| !l.contains("dt_proj")).map(|l| format!("{l}\n")).collect();
    insta::assert_snapshot!(unified(MAMBA, &text), @"");
}
