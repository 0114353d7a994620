use super::*;
use crate::plan::ir::Cut;
use crate::plan::json::PlanDocument;
use crate::plan::sample::{cast, int8, moe, nf4, plan, rows, tensor};
use crate::plan::{hash::hex_digest, plan_hash};
use icpc_kernels::format::{Clip, Int, IntBits, Per};
use proptest::prelude::*;

fn refusals(plan: &Plan) -> String {
    match OutputLayout::of(plan) {
        Ok(_) => "none".to_owned(),
        Err(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// What safetensors demands of a file, and what we promise beyond.
fn check_file(file: &OutputFile) {
    let mut length = [0; 8];
    length.copy_from_slice(&file.header[..8]);
    assert_eq!(u64::from_le_bytes(length) + 8, file.header.len() as u64);
    assert_eq!(file.header.len() % 8, 0);
    let header: Map<String, Value> = serde_json::from_slice(&file.header[8..]).unwrap();
    assert_eq!(header.len(), file.parts.len() + 1);
    let mut end = file.header.len() as u64;
    for part in &file.parts {
        assert_eq!(part.offset, end, "no gap before {}", part.key);
        assert_eq!((part.offset - file.header.len() as u64) % part.dtype.width(), 0, "{}", part.key);
        end += part.bytes;
        let entry = &header[&part.key];
        let relative = part.offset - file.header.len() as u64;
        assert_eq!(entry["data_offsets"], serde_json::json!([relative, relative + part.bytes]));
        assert_eq!(entry["shape"], serde_json::json!(part.shape));
    }
    assert_eq!(end, file.bytes);
    for text in header["__metadata__"].as_object().unwrap().values() {
        assert!(text.is_string());
    }
}

#[test]
fn one_file_without_gaps() {
    let layout = OutputLayout::of(&moe()).unwrap();
    assert_eq!(layout.files.len(), 1);
    check_file(&layout.files[0]);
    let keys: Vec<String> = layout.files[0]
        .parts
        .iter()
        .map(|p| format!("{} {} {:?} {}", p.key, p.dtype, p.shape, p.bytes))
        .filter(|line| !line.starts_with("layers.3"))
        .collect();
    insta::assert_snapshot!(keys.join("\n"), @r"
    embedding.weight.scale f32 [] 4
    layers.1.moe.layer.experts.0.w1.weight.nested_absmax f32 [1] 4
    layers.1.moe.layer.experts.0.w1.weight.nested_offset f32 [] 4
    layers.1.moe.layer.experts.0.w2.weight.nested_absmax f32 [1] 4
    layers.1.moe.layer.experts.0.w2.weight.nested_offset f32 [] 4
    layers.1.moe.layer.experts.1.w1.weight.nested_absmax f32 [1] 4
    layers.1.moe.layer.experts.1.w1.weight.nested_offset f32 [] 4
    layers.1.moe.layer.experts.1.w2.weight.nested_absmax f32 [1] 4
    layers.1.moe.layer.experts.1.w2.weight.nested_offset f32 [] 4
    layers.1.moe.layer.experts.2.w1.weight.nested_absmax f32 [1] 4
    layers.1.moe.layer.experts.2.w1.weight.nested_offset f32 [] 4
    layers.1.moe.layer.experts.2.w2.weight.nested_absmax f32 [1] 4
    layers.1.moe.layer.experts.2.w2.weight.nested_offset f32 [] 4
    layers.1.moe.layer.router.gate.weight f32 [3, 64] 768
    head.weight bf16 [64, 64] 8192
    layers.0.ssm.A_log f16 [8] 16
    layers.0.ssm.in_proj.weight f16 [256, 64] 32768
    layers.1.ssm.A_log f16 [8] 16
    layers.1.ssm.in_proj.weight f16 [256, 64] 32768
    layers.2.ssm.A_log f16 [8] 16
    layers.2.ssm.in_proj.weight f16 [256, 64] 32768
    embedding.weight i8 [2000, 64] 128000
    layers.1.moe.layer.experts.0.w1.weight u8 [1024, 1] 1024
    layers.1.moe.layer.experts.0.w1.weight.absmax u8 [32] 32
    layers.1.moe.layer.experts.0.w2.weight u8 [1024, 1] 1024
    layers.1.moe.layer.experts.0.w2.weight.absmax u8 [32] 32
    layers.1.moe.layer.experts.1.w1.weight u8 [1024, 1] 1024
    layers.1.moe.layer.experts.1.w1.weight.absmax u8 [32] 32
    layers.1.moe.layer.experts.1.w2.weight u8 [1024, 1] 1024
    layers.1.moe.layer.experts.1.w2.weight.absmax u8 [32] 32
    layers.1.moe.layer.experts.2.w1.weight u8 [1024, 1] 1024
    layers.1.moe.layer.experts.2.w1.weight.absmax u8 [32] 32
    layers.1.moe.layer.experts.2.w2.weight u8 [1024, 1] 1024
    layers.1.moe.layer.experts.2.w2.weight.absmax u8 [32] 32
    ");
    let text = String::from_utf8_lossy(&layout.files[0].header[8..240])
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(text, @r#"{"__metadata__":{"format":"pt","icpc.version":"VERSION","icpc.tensors":"{\"embedding.weight\":{\"format\":{\"name\":\"int8\",\"per\":\"tensor\",\"symmetric\":true,\"clip\":\"mse\",\"scale\":\"fp32\"},\"dtype\":\"f32\",\"shape\":[2000,"#);
}

#[test]
fn shards_hold_what_they_may() {
    let mut plan = moe();
    let whole = OutputLayout::of(&plan).unwrap();
    plan.shard_bytes = Some(140_000);
    let layout = OutputLayout::of(&plan).unwrap();
    let sizes: Vec<String> = layout.files.iter().map(|f| format!("{} {}", f.name, f.bytes)).collect();
    insta::assert_snapshot!(sizes.join("\n"), @r"
    model-00001-of-00003.safetensors 128468
    model-00002-of-00003.safetensors 110256
    model-00003-of-00003.safetensors 52240
    ");
    layout.files.iter().for_each(check_file);
    assert!(layout.files.iter().all(|file| file.bytes <= 140_000));
    assert_eq!(layout.stored_bytes, whole.stored_bytes);
    assert_eq!(layout.sidecars[0].name, "model.safetensors.index.json");
    let index: Value = serde_json::from_slice(&layout.sidecars[0].bytes).unwrap();
    assert_eq!(index["weight_map"]["embedding.weight.scale"], layout.files[0].name);
    plan.shard_bytes = Some(100_000);
    insta::assert_snapshot!(refusals(&plan), @"`embedding.weight`: the tensor needs 128628 bytes of a file, and a file may have 100000");
}

#[test]
fn bitsandbytes_keys() {
    let mut small = plan(vec![
        tensor("a.weight", DType::Bf16, &[3, 101], nf4(true)),
        tensor("a.bias", DType::Bf16, &[3], Format::Keep),
        tensor("b.weight", DType::F32, &[64, 64], nf4(false)),
    ]);
    small.container = OutputContainer::Bitsandbytes;
    let layout = OutputLayout::of(&small).unwrap();
    check_file(&layout.files[0]);
    let shown = |layout: &OutputLayout| {
        let line = |p: &PlacedPart| format!("{} {} {} {:?}", p.key, p.role.name(), p.dtype, p.shape);
        layout.files[0].parts.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(shown(&layout), @r"
    a.weight.quant_map quant_map f32 [16]
    a.weight.nested_absmax nested_absmax f32 [1]
    a.weight.nested_quant_map nested_quant_map f32 [256]
    b.weight.absmax absmax f32 [64]
    b.weight.quant_map quant_map f32 [16]
    a.bias values bf16 [3]
    a.weight codes u8 [152, 1]
    a.weight.absmax absmax u8 [5]
    a.weight.quant_state.bitsandbytes__nf4 quant_state u8 [173]
    b.weight codes u8 [2048, 1]
    b.weight.quant_state.bitsandbytes__nf4 quant_state u8 [77]
    ");
    let rowwise = int8(Per::Channel { axis: 0 }, Clip::MinMax);
    small.tensors = vec![tensor("a.weight", DType::F16, &[3, 8], rowwise)];
    insta::assert_snapshot!(shown(&OutputLayout::of(&small).unwrap()), @r"
    a.SCB row_maxima f32 [3]
    a.weight codes i8 [3, 8]
    a.weight_format weight_format u8 []
    ");
    small.tensors.push(tensor("b.weight", DType::F32, &[64, 64], nf4(false)));
    small.tensors.push(tensor("b.weight.g_idx", DType::I32, &[64], Format::Keep));
    insta::assert_snapshot!(refusals(&small), @r"
    `a.weight`: bitsandbytes loads 4-bit or 8-bit tensors, not both, and `b.weight` has the other width
    `b.weight.g_idx`: bitsandbytes would take `b.weight.g_idx` for a part of `b.weight` and refuse to load
    ");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let mut bad = plan(vec![
        tensor("x", DType::F32, &[64], nf4(false)),
        tensor("x.absmax", DType::F32, &[1], Format::Keep),
        tensor("ids", DType::I64, &[4], cast(DType::F16)),
        tensor("big", DType::F32, &[u64::MAX, 2], Format::Keep),
        tensor(
            "blocks",
            DType::F32,
            &[4, 33],
            Format::Int(Int { per: Per::Block(32), ..Int::new(IntBits::Four) }),
        ),
    ]);
    bad.tensors[1].aliases = vec!["ids".to_owned()];
    let mut cut = tensor("cut", DType::F32, &[3, 4], Format::Keep);
    cut.source_shape = vec![4, 4];
    cut.cuts = vec![Cut { selection: 7, slice: rows(0) }];
    bad.tensors.push(cut);
    let mut masked = tensor("masked", DType::F32, &[3, 5], Format::Keep);
    masked.mask = Some(Mask::NOfM { keep: 2, of: 4 });
    bad.tensors.push(masked);
    bad.source.tensor_bytes = 0;
    insta::assert_snapshot!(refusals(&bad), @r"
    `x.absmax`: the key `x.absmax` already belongs to `x`
    `ids`: fp16 holds floats, and the tensor stores i64
    `big`: the size of shape [18446744073709551615, 2] does not fit in 64 bits
    `blocks`: block 32 does not divide the last axis of 33: 1 left over
    `cut`: the cuts leave the shape [4, 4], and the plan says [3, 4]
    `masked`: runs of 4 do not divide the last axis of 5
    ");
}

#[test]
fn documents_read_back() {
    let plan = moe();
    let layout = OutputLayout::of(&plan).unwrap();
    let document = PlanDocument::of(&plan, &layout);
    let text = document.to_json();
    let read: PlanDocument = serde_json::from_str(&text).unwrap();
    assert_eq!(read, document);
    assert_eq!(document.plan_hash, plan_hash(&plan.clone()));
    let mut other = plan.clone();
    other.tensors[3].arm.number += 1;
    assert_ne!(plan_hash(&plan), plan_hash(&other));
    let gate =
        document.plan.tensors.iter().find(|t| t.name.ends_with("1.moe.layer.router.gate.weight")).unwrap();
    insta::assert_snapshot!(serde_json::to_string(gate).unwrap(), @r#"{"name":"layers.1.moe.layer.router.gate.weight","source":{"tensor":"layers.1.moe.layer.router.gate.weight"},"dtype":"f32","source_shape":[4,64],"shape":[3,64],"cuts":[{"selection":0,"slice":{"axis":0,"before":0,"outer":1,"inner":1,"after":0}}],"format":{"name":"keep"},"arm":{"number":4,"pattern":"_"}}"#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&document.output.tensors[0]).unwrap(), @r#"
    {
      "name": "embedding.weight",
      "bytes": 128004,
      "parts": [
        {
          "key": "embedding.weight.scale",
          "role": "scales",
          "dtype": "f32",
          "shape": [],
          "file": "model.safetensors",
          "offset": 9192,
          "bytes": 4
        },
        {
          "key": "embedding.weight",
          "role": "codes",
          "dtype": "i8",
          "shape": [
            2000,
            64
          ],
          "file": "model.safetensors",
          "offset": 150156,
          "bytes": 128000
        }
      ]
    }
    "#);
    assert_eq!(document.output.files[0].header_sha256, hex_digest(&layout.files[0].header));
}

fn any_format() -> impl Strategy<Value = Format> {
    let int = |bits| Int::new(bits);
    prop_oneof![
        Just(Format::Keep),
        Just(cast(DType::F16)),
        Just(cast(DType::F8E4M3)),
        Just(nf4(false)),
        Just(nf4(true)),
        Just(Format::Int(Int { symmetric: false, ..int(IntBits::Eight) })),
        Just(Format::Int(Int { per: Per::Channel { axis: 0 }, ..int(IntBits::Four) })),
    ]
}

proptest! {
    #[test]
    fn any_plan_is_gapless(tensors in prop::collection::vec((any_format(), prop::collection::vec(0u64..70, 1..4)), 0..9),
                           shard in prop::option::of(20_000u64..2_000_000), bnb in any::<bool>()) {
        let named = tensors.iter().enumerate()
            .map(|(i, (format, shape))| tensor(&format!("layers.{i}.weight"), DType::F32, shape, *format));
        let mut plan = plan(named.collect());
        plan.shard_bytes = shard;
        if bnb {
            plan.container = OutputContainer::Bitsandbytes;
        }
        if let Ok(layout) = OutputLayout::of(&plan) {
            layout.files.iter().for_each(check_file);
            prop_assert!(layout.files.iter().all(|f| f.bytes <= shard.unwrap_or(u64::MAX)));
            prop_assert_eq!(layout.files.iter().map(|f| f.bytes).sum::<u64>(), layout.file_bytes);
            prop_assert_eq!(layout.tensor_bytes.iter().sum::<u64>(), layout.stored_bytes);
        }
    }
}

#[test]
fn memory_is_bounded_whatever_the_checkpoint() {
    let tensors = [nf4(true), int8(Per::Channel { axis: 1 }, Clip::Mse), cast(DType::F16), Format::Keep]
        .into_iter()
        .enumerate()
        .map(|(i, format)| tensor(&format!("t{i}.weight"), DType::F64, &[1 << 21, 1 << 13], format));
    let large = plan(tensors.collect());
    let layout = OutputLayout::of(&large).unwrap();
    for threads in [1, 2, 16, 64, 256] {
        let workspace = crate::plan::Workspace::new(&large, threads);
        let memory = workspace.memory(&large, &layout);
        assert!(memory.peak <= 512 << 20, "{threads} threads: {memory:?} {workspace:?}");
    }
}
