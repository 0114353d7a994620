//! What pruning a dim cuts together.

use icpc::arch::coupling::Coupling;
use icpc::arch::{self, couplings};

use crate::families::TINY_LLAMA;
use crate::itera_lite::MICRO;
use crate::{library, listing};

/// Instances of a dim, the first of them in full.
fn coupled(arch: &str, text: &str, dim: &str) -> String {
    let schema = listing(text);
    let model = arch::unify(&library(arch), &schema, &[]);
    let found = couplings(&model, dim);
    let names: Vec<&str> = found.iter().map(|c| c.instance.as_str()).collect();
    let mut out = format!("{}\n", names.join(", "));
    let Some(Coupling { runs, members, unclear, .. }) = found.first() else { return out };
    for r in runs {
        let tensor = &schema.tensors[r.tensor];
        let value = model.dim(dim).unwrap().value.unwrap();
        assert_eq!(r.before + r.outer * value * r.inner + r.after, tensor.shape.0[r.axis]);
        out += &format!(
            "  {} axis {}: {} + {} * {dim} * {} + {}\n",
            tensor.name, r.axis, r.before, r.outer, r.inner, r.after
        );
    }
    for m in members {
        out += &format!("  {} is {} of {}\n", schema.tensors[m.tensor].name, m.index, m.family);
    }
    assert!(unclear.is_empty());
    out
}

/// `inner` stands twice in delta_proj, and as two halves in in_proj.
#[test]
fn channels() {
    insta::assert_snapshot!(coupled("itera_lite", MICRO, "inner"), @"
    layers.0, layers.1, layers.2
      layers.0.ssm.in_proj.weight axis 0: 0 + 2 * inner * 1 + 0
      layers.0.ssm.conv1d.weight axis 0: 0 + 1 * inner * 1 + 0
      layers.0.ssm.conv1d.bias axis 0: 0 + 1 * inner * 1 + 0
      layers.0.ssm.ssm.B axis 1: 0 + 1 * inner * 1 + 0
      layers.0.ssm.ssm.C axis 0: 0 + 1 * inner * 1 + 0
      layers.0.ssm.ssm.D axis 0: 0 + 1 * inner * 1 + 0
      layers.0.ssm.ssm.delta_proj.weight axis 0: 0 + 1 * inner * 1 + 0
      layers.0.ssm.ssm.delta_proj.weight axis 1: 0 + 1 * inner * 1 + 0
      layers.0.ssm.ssm.delta_proj.bias axis 0: 0 + 1 * inner * 1 + 0
      layers.0.ssm.out_proj.weight axis 1: 0 + 1 * inner * 1 + 0
    ");
}

/// Experts: rows of the router, and whole tensors.
#[test]
fn experts() {
    insta::assert_snapshot!(coupled("itera_lite", &MICRO.replace("{0..=3}", "{0,1}").replace("[4", "[2"), "experts"), @"
    layers.1
      layers.1.moe.layer.router.expert_counts axis 0: 0 + 1 * experts * 1 + 0
      layers.1.moe.layer.router.gate.weight axis 0: 0 + 1 * experts * 1 + 0
      layers.1.moe.layer.experts.0.w1.weight is 0 of layers.1.moe.layer.experts
      layers.1.moe.layer.experts.1.w1.weight is 1 of layers.1.moe.layer.experts
      layers.1.moe.layer.experts.0.w2.weight is 0 of layers.1.moe.layer.experts
      layers.1.moe.layer.experts.1.w2.weight is 1 of layers.1.moe.layer.experts
    ");
}

#[test]
fn width_of_one_expert() {
    insta::assert_snapshot!(coupled("itera_lite", MICRO, "expert"), @"
    layers.1.moe.layer.experts.0, layers.1.moe.layer.experts.1, layers.1.moe.layer.experts.2, layers.1.moe.layer.experts.3
      layers.1.moe.layer.experts.0.w1.weight axis 0: 0 + 1 * expert * 1 + 0
      layers.1.moe.layer.experts.0.w2.weight axis 1: 0 + 1 * expert * 1 + 0
    ");
}

#[test]
fn heads_and_their_width() {
    let text = TINY_LLAMA.replace("{0..22}", "0") + "config num_attention_heads = 32\n";
    insta::assert_snapshot!(coupled("llama", &text, "heads"), @"
    model.layers.0
      model.layers.0.self_attn.q_proj.weight axis 0: 0 + 1 * heads * 64 + 0
      model.layers.0.self_attn.o_proj.weight axis 1: 0 + 1 * heads * 64 + 0
    ");
    insta::assert_snapshot!(coupled("llama", &text, "head_dim"), @"
    model.layers.0
      model.layers.0.self_attn.q_proj.weight axis 0: 0 + 32 * head_dim * 1 + 0
      model.layers.0.self_attn.k_proj.weight axis 0: 0 + 4 * head_dim * 1 + 0
      model.layers.0.self_attn.v_proj.weight axis 0: 0 + 4 * head_dim * 1 + 0
      model.layers.0.self_attn.o_proj.weight axis 1: 0 + 32 * head_dim * 1 + 0
    ");
}
