//! The Itera-Lite family: the checkpoints of its history, whole and broken.

use crate::unified;

pub(crate) const MICRO: &str = "
embedding.weight                             f32 [2000, 64]
position_embedding.weight                    f32 [128, 64]
layers.{0..=2}.ssm.in_proj.weight            f32 [256, 64]
layers.{0..=2}.ssm.conv1d.weight             f32 [128, 1, 4]
layers.{0..=2}.ssm.conv1d.bias               f32 [128]
layers.{0..=2}.ssm.ssm.A_log                 f32 [8]
layers.{0..=2}.ssm.ssm.B                     f32 [8, 128]
layers.{0..=2}.ssm.ssm.C                     f32 [128, 8]
layers.{0..=2}.ssm.ssm.D                     f32 [128]
layers.{0..=2}.ssm.ssm.delta_proj.weight     f32 [128, 128]
layers.{0..=2}.ssm.ssm.delta_proj.bias       f32 [128]
layers.{0..=2}.ssm.out_proj.weight           f32 [64, 128]
layers.{0..=2}.ssm.norm.{weight,bias}        f32 [64]
layers.{0,2}.moe.norm.{weight,bias}          f32 [64]
layers.{0,2}.moe.ffn.w1.weight               f32 [32, 64]
layers.{0,2}.moe.ffn.w2.weight               f32 [64, 32]
layers.1.moe.layer.router.expert_counts      f32 [4]
layers.1.moe.layer.router.gate.weight        f32 [4, 64]
layers.1.moe.layer.experts.{0..=3}.w1.weight f32 [32, 64]
layers.1.moe.layer.experts.{0..=3}.w2.weight f32 [64, 32]
layers.1.moe.layer.norm.{weight,bias}        f32 [64]
norm.{weight,bias}                           f32 [64]
lm_head.weight                               = embedding.weight
";

#[test]
fn micro_fits() {
    insta::assert_snapshot!(unified("itera_lite", MICRO), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = 32 (layers.1.moe.layer.experts.0.w1.weight axis 0), in layers.*.moe.layer.experts.*
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 4 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
    ");
}

/// The mixed-precision artefact of the history: its experts are gone, the router has no row.
#[test]
fn without_experts_the_dim_is_zero() {
    let text: String = MICRO.lines().filter(|l| !l.contains("experts.")).map(|l| format!("{l}\n")).collect();
    let text =
        text.replace("expert_counts      f32 [4]", "expert_counts f32 [0]").replace("[4, 64]", "[0, 64]");
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 0 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = ?
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 0 (experts)
      setting top_k = 2 (default), at most experts = 0
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
    ");
}

#[test]
fn lost_experts_are_a_gap() {
    let text: String = MICRO.lines().filter(|l| !l.contains("experts.")).map(|l| format!("{l}\n")).collect();
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = ?
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 0 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict layers.1.moe.layer.experts.0 is missing
    ");
}

/// The namespace that the history's scripts made up.
#[test]
fn a_renamed_block_fits_no_branch() {
    insta::assert_snapshot!(unified("itera_lite", &MICRO.replace(".moe.layer.", ".moe.moe.")), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = ?
      dim expert    = ?
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      setting top_k = 2 (default)
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict no branch fits below layers.1, which lacks layers.1.moe.norm.weight and layers.1.moe.layer.norm.weight
      conflict nothing declares layers.1.moe.moe.router.expert_counts and 11 more
    ");
}

#[test]
fn a_prefix_that_is_not_declared() {
    let text = MICRO.replace("\nlayers.", "\nmodel.layers.");
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = ?
      dim state     = ?, recurrent
      dim conv      = ?
      dim ffn       = ?
      dim experts   = ?
      dim expert    = ?
      dim layers    = ?
      family layers = 0 (layers)
      setting top_k = 2 (default)
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict layers.0 is missing
      conflict nothing declares model.layers.0.ssm.in_proj.weight and 55 more
    ");
}

#[test]
fn a_missing_layer_is_a_gap() {
    let text = MICRO.replace("{0..=2}", "{0,2}").replace("\nlayers.1.", "\n# layers.1.");
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = ?
      dim expert    = ?
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      setting top_k = 2 (default)
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict layers.1 is missing
    ");
}

#[test]
fn a_missing_expert_is_a_gap() {
    insta::assert_snapshot!(unified("itera_lite", &MICRO.replace("{0..=3}", "{0,1,3}")), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = 32 (layers.1.moe.layer.experts.0.w1.weight axis 0), in layers.*.moe.layer.experts.*
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 4 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict layers.1.moe.layer.experts.2 is missing
    ");
}

/// Rows of in_proj and of conv1d pruned on their own, as in job 191262.
#[test]
fn channels_pruned_independently() {
    let text = MICRO.replace("in_proj.weight            f32 [256, 64]", "in_proj.weight f32 [192, 64]");
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = 32 (layers.1.moe.layer.experts.0.w1.weight axis 0), in layers.*.moe.layer.experts.*
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 4 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict inner = 128 (layers.0.ssm.conv1d.weight axis 0), 96 (layers.0.ssm.in_proj.weight axis 0: 2 * inner)
    ");
}

#[test]
fn one_odd_tensor_is_outvoted() {
    let text = MICRO.replace(
        "embedding.weight                             f32 [2000, 64]",
        "embedding.weight f32 [2000, 65]",
    );
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (position_embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = 32 (layers.1.moe.layer.experts.0.w1.weight axis 0), in layers.*.moe.layer.experts.*
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 4 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict hidden = 64 (position_embedding.weight axis 1), 65 (embedding.weight axis 1)
    ");
    let odd = MICRO.replace(
        "layers.{0..=2}.ssm.in_proj.weight            f32 [256, 64]",
        "layers.{0,1}.ssm.in_proj.weight f32 [256, 64]\nlayers.2.ssm.in_proj.weight f32 [255, 64]",
    );
    insta::assert_snapshot!(unified("itera_lite", &odd), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = 32 (layers.1.moe.layer.experts.0.w1.weight axis 0), in layers.*.moe.layer.experts.*
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 4 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict inner = 128 (layers.0.ssm.conv1d.weight axis 0), no whole number (layers.2.ssm.in_proj.weight axis 0: 2 * inner)
    ");
}

#[test]
fn ranks_and_constants() {
    let text = MICRO
        .replace("conv1d.weight             f32 [128, 1, 4]", "conv1d.weight f32 [128, 2, 4]")
        .replace("ssm.A_log                 f32 [8]", "ssm.A_log f32 [8, 1]");
    insta::assert_snapshot!(unified("itera_lite", &text), @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 64 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 128 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.B axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 32 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 4 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = 32 (layers.1.moe.layer.experts.0.w1.weight axis 0), in layers.*.moe.layer.experts.*
      dim layers    = 3 (members of layers)
      family layers = 3 (layers)
      family layers.1.moe.layer.experts = 4 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict layers.0.ssm.conv1d.weight axis 1 is 2, declared 1
      conflict layers.0.ssm.ssm.A_log is [8, 1], declared [state]
    ");
}

#[test]
fn an_own_output_matrix_is_untied() {
    let text = MICRO.replace("= embedding.weight", "f32 [2000, 64]");
    insta::assert_snapshot!(unified("itera_lite", &text).lines().filter(|l| l.contains("untied")).collect::<String>(), @"  untied lm_head.weight and embedding.weight");
    let absent = MICRO.replace("\nlm_head", "\n# lm_head");
    assert!(!unified("itera_lite", &absent).contains("conflict"));
    let alias_alone =
        MICRO.replace("\nembedding.weight", "\nlm_head.weight").replace("= embedding.weight", "");
    let alias_alone = alias_alone.replace("\nlm_head.weight                               \n", "\n");
    assert!(
        !unified("itera_lite", &alias_alone).contains("conflict"),
        "{}",
        unified("itera_lite", &alias_alone)
    );
}
