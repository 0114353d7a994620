//! Outputs read back: verified, spoiled and noticed, decoded.

use std::fs;
use std::path::Path;

use icpc_kernels::DType;
use icpc_kernels::format::{Clip, Code4, Code4Kind, Format, Int, IntBits, Per, ScaleDType};

use crate::checkpoint::open;
use crate::exec::fixture::{Fixture, bytes, names, weights};
use crate::exec::{DequantizeOptions, Silent, dequantize, verify};
use crate::plan::ir::{OutputContainer, Plan};
use crate::plan::layout::OutputLayout;
use crate::plan::sample::{cast, int8, moe, nf4, plan, tensor};

fn differences(output: &Path) -> String {
    match verify(output) {
        Ok(found) => found.differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(error) => format!("error: {error}").replace(&output.display().to_string(), "OUT"),
    }
}

#[test]
fn a_fresh_output_is_whole() {
    let plan = moe();
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "out").unwrap();
    let found = verify(&fixture.output("out")).unwrap();
    assert_eq!(found.differences, []);
    let layout = OutputLayout::of(&plan).unwrap();
    assert_eq!((found.files, found.tensors, found.bytes), (1, 24, layout.file_bytes));
    let sharded = Plan { shard_bytes: Some(140_000), ..moe() };
    fixture.run(&sharded, "shards").unwrap();
    assert_eq!(verify(&fixture.output("shards")).unwrap().differences, []);
}

#[test]
fn a_spoiled_output_is_noticed() {
    let plan = moe();
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "out").unwrap();
    let (output, weights) = (fixture.output("out"), fixture.output("out/model.safetensors"));
    let good = fs::read(&weights).unwrap();
    let layout = OutputLayout::of(&plan).unwrap();
    let mut said = Vec::new();
    let mut spoil = |what: &str, bytes: &[u8]| {
        fs::write(&weights, bytes).unwrap();
        said.push(format!("-- {what}\n{}", differences(&output)));
    };
    let part = &layout.files[0].parts[40];
    let mut flipped = good.clone();
    flipped[part.offset as usize] ^= 1;
    spoil("a flipped bit", &flipped);
    spoil("cut off", &good[..good.len() - 1]);
    let header = String::from_utf8(good[8..layout.files[0].header.len()].to_vec()).unwrap();
    let with_header = |header: String| [&good[..8], header.as_bytes(), &good[header.len() + 8..]].concat();
    spoil("a renamed key", &with_header(header.replacen(".A_log\":{\"dtype\"", ".B_log\":{\"dtype\"", 1)));
    spoil("another dtype", &with_header(header.replacen("\"BF16\"", "\"F16\" ", 1)));
    spoil("no file at all", b"");
    fs::remove_file(&weights).unwrap();
    said.push(format!("-- missing\n{}", differences(&output)));
    fs::write(&weights, &good).unwrap();
    let text = fs::read_to_string(output.join("plan.json")).unwrap();
    fs::write(output.join("plan.json"), text.replacen("\"keep\": 3", "\"keep\": 2", 1)).unwrap();
    said.push(format!("-- a changed plan\n{}", differences(&output)));
    fs::write(output.join("plan.json"), text.replace("\"model.safetensors\"", "\"../model.safetensors\""))
        .unwrap();
    said.push(format!("-- a plan that leads elsewhere\n{}", differences(&output)));
    fs::write(output.join("plan.json"), &text[..100]).unwrap();
    said.push(format!("-- half a plan\n{}", differences(&output)));
    insta::assert_snapshot!(said.join("\n"), @r"
    -- a flipped bit
    model.safetensors: the bytes of `layers.1.moe.layer.experts.0.w2.weight.absmax` are not those that were written
    -- cut off
    model.safetensors: 290827 bytes, and the plan says 290828
    -- a renamed key
    model.safetensors: the header is another one
    model.safetensors: `layers.0.ssm.A_log` is missing
    model.safetensors: `layers.0.ssm.B_log` is not in the plan
    -- another dtype
    model.safetensors: the header is another one
    model.safetensors: the dtype of `head.weight` is f16, and the plan says bf16
    -- no file at all
    model.safetensors: 0 bytes, and the plan says 290828
    -- missing
    model.safetensors: No such file or directory (os error 2)
    -- a changed plan
    plan.json: the plan does not have its hash
    -- a plan that leads elsewhere
    error: OUT/plan.json: reading: `../model.safetensors` is no file of an output
    -- half a plan
    error: OUT/plan.json: reading: it is not what a run writes: EOF while parsing a value at line 4 column 0
    ");
}

fn options(fixture: &Fixture, new: &str, to: DType) -> DequantizeOptions {
    DequantizeOptions {
        output: fixture.output("out"),
        new: fixture.output(new),
        to,
        force: false,
        threads: Some(2),
        backend: None,
        stop: crate::exec::Stop::default(),
    }
}

/// Values of a tensor in a checkpoint of f32.
fn values(file: &Path, name: &str) -> Vec<f32> {
    let schema = open(file).unwrap();
    let info = schema.tensors.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(info.dtype, DType::F32);
    let offset = info.place.as_ref().unwrap().offset as usize;
    let bytes = fs::read(file).unwrap();
    bytes[offset..offset + info.bytes as usize]
        .chunks(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

/// Largest error that a format may make on values of at most `largest`.
fn bound(format: &Format, largest: f32) -> f32 {
    match format {
        Format::Keep | Format::Drop => 0.0,
        Format::Cast(cast) => match cast.to() {
            DType::F32 => 0.0,
            DType::F16 => largest / 1024.0,
            _ => largest / 128.0,
        },
        Format::Int(int) => largest / if int.bits == IntBits::Eight { 126.0 } else { 6.0 },
        // half of the widest gap of the codebook, and an eighth of a nested step
        Format::Code4(_) => largest * 0.18,
    }
}

#[test]
fn decoded_weights_are_near() {
    let formats = [
        Format::Keep,
        cast(DType::F16),
        cast(DType::Bf16),
        nf4(false),
        nf4(true),
        Format::Code4(Code4 { block: 256, double: true, kind: Code4Kind::Fp4 }),
        int8(Per::Tensor, Clip::MinMax),
        int8(Per::Channel { axis: 1 }, Clip::MinMax),
        int8(Per::Block(16), Clip::MinMax),
        Format::Int(Int {
            per: Per::Block(48),
            symmetric: false,
            scale: ScaleDType::F16,
            ..Int::new(IntBits::Four)
        }),
        Format::Int(Int { per: Per::Channel { axis: 0 }, ..Int::new(IntBits::Four) }),
    ];
    let mut tensors: Vec<_> = formats
        .iter()
        .enumerate()
        .map(|(i, format)| tensor(&format!("t{i}.weight"), DType::F32, &[33, 96], *format))
        .collect();
    // several chunks of a decoder
    tensors.push(tensor("long.weight", DType::F32, &[2100, 1056], nf4(true)));
    tensors.push(tensor("ids", DType::I64, &[5], Format::Keep));
    tensors[3].aliases = vec!["head.weight".to_owned()];
    let plan = plan(tensors);
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "out").unwrap();
    let written = dequantize(&options(&fixture, "new", DType::F32), &Silent).unwrap();
    assert_eq!(written.tensors, plan.tensors.len() as u64);
    let file = fixture.output("new/model.safetensors");
    for t in plan.tensors.iter().filter(|t| t.dtype == DType::F32) {
        let source = weights(&t.name, t.shape.iter().product::<u64>() as usize);
        let largest = source.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        let decoded = values(&file, &t.name);
        let error = source.iter().zip(&decoded).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(error <= bound(&t.format, largest), "{} {}: {error} of {largest}", t.name, t.format);
        assert!(error > 0.0 || t.format == Format::Keep, "{}", t.format);
    }
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()[8..300]).into_owned();
    assert!(text.contains(r#""icpc.aliases":"{\"head.weight\":\"t3.weight\"}""#), "{text}");
    let half = dequantize(&options(&fixture, "half", DType::Bf16), &Silent).unwrap();
    assert!(half.bytes < written.bytes * 6 / 10);
}

#[test]
fn bitsandbytes_outputs_decode_as_native_ones() {
    for (format, name) in
        [(nf4(true), "four"), (nf4(false), "plain"), (int8(Per::Channel { axis: 0 }, Clip::MinMax), "eight")]
    {
        let tensors = vec![
            tensor("a.weight", DType::Bf16, &[70, 300], format),
            tensor("a.bias", DType::Bf16, &[70], Format::Keep),
        ];
        let native = plan(tensors);
        let foreign = Plan { container: OutputContainer::Bitsandbytes, ..native.clone() };
        let fixture = Fixture::of(&native);
        fs::write(fixture.checkpoint.with_file_name("config.json"), r#"{"model_type": "llama"}"#).unwrap();
        fixture.run(&native, "out").unwrap();
        dequantize(&options(&fixture, "new", DType::F32), &Silent).unwrap();
        fs::rename(fixture.output("out"), fixture.output("native")).unwrap();
        fixture.run(&foreign, "out").unwrap();
        assert_eq!(verify(&fixture.output("out")).unwrap().differences, []);
        let config = fs::read_to_string(fixture.output("out/config.json")).unwrap();
        assert!(config.contains("bitsandbytes") && config.contains("llama"), "{config}");
        fs::write(fixture.output("out/config.json"), config.replace("llama", "gpt2")).unwrap();
        let changed = crate::exec::Difference::Bytes { file: "config.json".to_owned(), what: "file" };
        assert_eq!(verify(&fixture.output("out")).unwrap().differences, [changed]);
        fs::write(fixture.output("out/config.json"), &config).unwrap();
        dequantize(&options(&fixture, name, DType::F32), &Silent).unwrap();
        assert_eq!(names(&fixture.output(name)), ["config.json", "model.safetensors"]);
        let config = fs::read_to_string(fixture.output(name).join("config.json")).unwrap();
        assert!(!config.contains("bitsandbytes"));
        let file = |folder: &str| fixture.output(folder).join("model.safetensors");
        for (a, b) in values(&file("new"), "a.weight").iter().zip(values(&file(name), "a.weight")) {
            // a scale that went through its row's maximum may differ in its last bit
            assert!((a - b).abs() <= a.abs() * 3e-7, "{name}: {a} {b}");
        }
    }
}

#[test]
fn what_is_no_output_is_refused() {
    let plan = plan(vec![tensor("a.weight", DType::F32, &[64], Format::Keep)]);
    let fixture = Fixture::of(&plan);
    fs::rename(fixture.output("source"), fixture.output("out")).unwrap();
    let mut said = Vec::new();
    let mut fail = |options: &DequantizeOptions| {
        let error = dequantize(options, &Silent).unwrap_err();
        said.push(fixture.shown(&error));
    };
    fail(&options(&fixture, "new", DType::F32));
    fail(&options(&fixture, "new", DType::I8));
    fs::remove_dir_all(fixture.output("out")).unwrap();
    fail(&options(&fixture, "new", DType::F32));
    let source = [("a.weight".to_owned(), DType::F32, vec![2], bytes(DType::F32, &[1.0, 1e30]))];
    let fixture = Fixture::new(&source);
    let large = super::super::fixture::Fixture { ..fixture };
    let plan = crate::plan::sample::plan(vec![tensor("a.weight", DType::F32, &[2], cast(DType::Bf16))]);
    large.run(&plan, "out").unwrap();
    let error = dequantize(&options(&large, "new", DType::F16), &Silent).unwrap_err();
    said.push(large.shown(&error));
    assert_eq!(names(large.folder.path()), ["out", "source"]);
    let error = dequantize(&options(&large, "out/new", DType::F32), &Silent).unwrap_err();
    said.push(large.shown(&error));
    insta::assert_snapshot!(said.join("\n"), @r"
    DIR/out/model.safetensors: reading: this is no output of icpc: its metadata does not say how its tensors are stored; give the folder that `icpc run` wrote, which holds `plan.json` and `report.json` beside the weights
    DIR/out: decoding: i8 is none of f32, bf16 and f16
    DIR/out: opening: no such file or folder
    DIR/out: decoding tensor `a.weight`: element 1 is 1.0002555517425873e30, beyond the range of f16
    DIR/out/new: creating the output: the output lies inside the input `DIR/out`; choose another folder
    ");
}
