//! The real checkpoints of the Itera-Lite history, where this machine has them.

use icpc::arch;
use icpc::checkpoint::open;

use crate::bench_data;
use crate::library;

fn unified(file: &str) -> Option<String> {
    let path = bench_data::folder()?.join("checkpoints").join(file);
    if !path.is_file() {
        println!("skipped: bench data absent");
        return None;
    }
    let schema = open(&path).unwrap();
    let model = arch::unify(&library("itera_lite"), &schema, &[]);
    Some(arch::print(&model, &schema))
}

#[test]
fn micro_fits() {
    let Some(text) = unified("distilled/itera_lite_micro_distilled.pt") else { return };
    insta::assert_snapshot!(text, @"
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

#[test]
fn int4_is_micro() {
    let micro = unified("distilled/itera_lite_micro_distilled.pt");
    let int4 = unified("int4/itera_lite_int4.pt");
    let dims = |text: Option<String>| {
        text.map(|t| t.lines().filter(|l| l.contains("dim")).map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(dims(micro), dims(int4));
}

#[test]
fn mixed_has_lost_its_experts() {
    let Some(text) = unified("mixed_precision/itera_lite_mixed_precision.pt") else { return };
    insta::assert_snapshot!(text, @"
    arch itera_lite
      dim vocab     = 8000 (embedding.weight axis 0)
      dim hidden    = 128 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 256 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = 64 (layers.0.moe.ffn.w1.weight axis 0), in layers.*
      dim experts   = 0 (layers.1.moe.layer.router.gate.weight axis 0), in layers.*
      dim expert    = ?
      dim layers    = 4 (members of layers)
      family layers = 4 (layers)
      family layers.*.moe.layer.experts (2 families) = 0 (experts)
      setting top_k = 2 (entry config of itera_lite_mixed_precision.pt), at most experts = 0
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
    ");
}

/// Linear layers are packed: their weights have names of their own.
#[test]
fn int8_is_packed() {
    let Some(text) = unified("quantized/itera_lite_tiny_int8.pt") else { return };
    insta::assert_snapshot!(text, @"
    arch itera_lite
      dim vocab     = 2000 (embedding.weight axis 0)
      dim hidden    = 128 (embedding.weight axis 1), residual
      dim positions = 128 (position_embedding.weight axis 0)
      dim inner     = 256 (layers.0.ssm.conv1d.weight axis 0), in layers.*
      dim state     = 8 (layers.0.ssm.ssm.A_log axis 0), recurrent, in layers.*
      dim conv      = 4 (layers.0.ssm.conv1d.weight axis 2), in layers.*
      dim ffn       = ?
      dim experts   = 4 (layers.1.moe.layer.router.expert_counts axis 0), in layers.*
      dim expert    = ?
      dim layers    = 4 (members of layers)
      family layers = 4 (layers)
      family layers.*.moe.layer.experts (2 families) = 0 (experts)
      setting top_k = 2 (default), at most experts = 4
      bound sequence <= positions = 128 (position_embedding.weight axis 0)
      conflict layers.1.moe.layer.experts.0 is missing
      conflict layers.3.moe.layer.experts.0 is missing
      conflict layers.0.ssm.in_proj.weight is missing, and 3 like it
      conflict layers.0.ssm.ssm.delta_proj.weight is missing, and 3 like it
      conflict layers.0.ssm.ssm.delta_proj.bias is missing, and 3 like it
      conflict layers.0.ssm.out_proj.weight is missing, and 3 like it
      conflict layers.0.moe.ffn.w1.weight is missing, and 1 like it
      conflict layers.0.moe.ffn.w2.weight is missing, and 1 like it
      conflict layers.1.moe.layer.router.gate.weight is missing, and 1 like it
      conflict nothing declares layers.0.ssm.in_proj.scale and 108 more
    ");
}
