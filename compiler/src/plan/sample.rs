//! Plans for tests, made by hand.

use icpc_kernels::DType;
use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Per};

use super::ir::{
    ArchFacts, ArmRef, AxisSlice, Cut, Dropped, Mask, Norm, OutputContainer, Plan, Selection, SourceFacts,
    TensorPlan, TensorSource, Voter,
};
use crate::base::checked_bytes;

pub(crate) fn arm(number: u32, pattern: &str) -> ArmRef {
    ArmRef { number, pattern: pattern.into() }
}

pub(crate) fn cast(to: DType) -> Format {
    Format::Cast(Cast::new(to, false).unwrap())
}

pub(crate) fn nf4(double: bool) -> Format {
    Format::Code4(Code4 { double, ..Code4::new(Code4Kind::Nf4) })
}

pub(crate) fn int8(per: Per, clip: Clip) -> Format {
    Format::Int(Int { per, clip, ..Int::new(IntBits::Eight) })
}

/// A tensor as it is, in `format`.
pub(crate) fn tensor(name: &str, dtype: DType, shape: &[u64], format: Format) -> TensorPlan {
    TensorPlan {
        name: name.to_owned(),
        aliases: Vec::new(),
        source: TensorSource::Tensor(name.to_owned()),
        dtype,
        source_shape: shape.to_vec(),
        shape: shape.to_vec(),
        cuts: Vec::new(),
        mask: None,
        format,
        arm: arm(1, "_"),
    }
}

/// A plan of these tensors.
pub(crate) fn plan(tensors: Vec<TensorPlan>) -> Plan {
    let bytes = tensors.iter().filter_map(|t| checked_bytes(&t.source_shape, t.dtype)).sum();
    Plan {
        recipe: "sample".to_owned(),
        source: SourceFacts {
            header_hash: "0".repeat(64),
            tensors: tensors.len() as u64,
            tensor_bytes: bytes,
        },
        arch: None,
        container: OutputContainer::Safetensors,
        shard_bytes: None,
        selections: Vec::new(),
        tensors,
        dropped: Vec::new(),
        derive: None,
        tune: None,
        casts: Vec::new(),
        calibrating: None,
        evaluation: None,
        calibration: None,
    }
}

/// Rows of `axis`, one for each index.
pub(crate) fn rows(axis: usize) -> AxisSlice {
    AxisSlice { axis, before: 0, outer: 1, inner: 1, after: 0 }
}

/// Four layers, two of them with four experts of which three are kept.
pub(crate) fn moe() -> Plan {
    let (f32, mut tensors) = (DType::F32, Vec::new());
    let mut embedding = tensor("embedding.weight", f32, &[2000, 64], int8(Per::Tensor, Clip::Mse));
    embedding.aliases = vec!["lm_head.weight".to_owned()];
    embedding.arm = arm(1, "embedding.weight");
    tensors.push(embedding);
    let mut selections = Vec::new();
    let mut dropped = Vec::new();
    for layer in 0..4u64 {
        for (name, shape) in [("in_proj.weight", vec![256, 64]), ("A_log", vec![8])] {
            let mut t = tensor(&format!("layers.{layer}.ssm.{name}"), f32, &shape, cast(DType::F16));
            t.arm = arm(3, "layers.*.ssm.**");
            tensors.push(t);
        }
        if layer % 2 == 0 {
            continue;
        }
        let scope = format!("layers.{layer}.moe.layer");
        let member = |e: u64, w: &str| format!("{scope}.experts.{e}.{w}.weight");
        let voters = (0..4)
            .flat_map(|e| ["w1", "w2"].map(|w| Voter::Member { tensor: member(e, w), index: e }))
            .collect();
        let selection = selections.len();
        selections.push(Selection {
            dim: "experts".to_owned(),
            scope: scope.clone(),
            of: 4,
            keep: 3,
            by: Norm::L2,
            voters,
        });
        let mut gate = tensor(&format!("{scope}.router.gate.weight"), f32, &[3, 64], Format::Keep);
        gate.source_shape = vec![4, 64];
        gate.cuts = vec![Cut { selection, slice: rows(0) }];
        gate.arm = arm(4, "_");
        tensors.push(gate);
        for position in 0..3 {
            for (w, shape) in [("w1", [32, 64]), ("w2", [64, 32])] {
                let mut t = tensor(&member(position, w), f32, &shape, nf4(true));
                let family = (0..4).map(|e| member(e, w)).collect();
                t.source = TensorSource::Kept { selection, position, family };
                t.arm = arm(2, "layers.*.moe.**.{w1,w2}.weight");
                tensors.push(t);
            }
        }
        let counts = format!("{scope}.router.expert_counts");
        dropped.push(Dropped { name: counts, bytes: 16, arm: arm(5, "**.expert_counts") });
    }
    let mut head = tensor("head.weight", f32, &[64, 64], cast(DType::Bf16));
    head.mask = Some(Mask::NOfM { keep: 2, of: 4 });
    head.arm = arm(4, "_");
    tensors.push(head);
    let arch = ArchFacts {
        name: "itera_lite".to_owned(),
        dims: vec![("vocab".to_owned(), 2000), ("hidden".to_owned(), 64), ("experts".to_owned(), 4)],
    };
    let mut plan = Plan { arch: Some(arch), selections, dropped, ..plan(tensors) };
    plan.source.tensors = 22;
    plan.source.tensor_bytes += 2 * (2 * 32 * 64 * 4 + 16);
    plan
}
