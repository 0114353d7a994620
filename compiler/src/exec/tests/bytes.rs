//! What is written has the predicted size, and is the same on any number of threads and for any chunk length.

use icpc_kernels::DType;
use icpc_kernels::format::{Clip, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, Percentile, ScaleDType};

use crate::exec::RunOptions;
use crate::exec::fixture::{Fixture, names};
use crate::plan::ir::{Mask, OutputContainer, Plan};
use crate::plan::layout::OutputLayout;
use crate::plan::sample::{cast, int8, moe, nf4, plan, tensor};

fn formats() -> Vec<Format> {
    let percentile = Clip::Percentile(Percentile::from_percent("99.9").unwrap());
    let mut formats = vec![Format::Keep, nf4(false), nf4(true)];
    formats.push(Format::Code4(Code4 { block: 128, ..Code4::new(Code4Kind::Fp4) }));
    formats.extend([DType::F32, DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2].map(cast));
    for clip in [Clip::MinMax, percentile, Clip::Mse] {
        for per in [Per::Tensor, Per::Channel { axis: 0 }, Per::Channel { axis: 1 }, Per::Block(32)] {
            formats.push(int8(per, clip));
        }
        formats.push(Format::Int(Int {
            symmetric: false,
            scale: ScaleDType::F16,
            clip,
            ..Int::new(IntBits::Eight)
        }));
        formats.push(Format::Int(Int { pack: Pack::High, clip, ..Int::new(IntBits::Four) }));
    }
    formats
}

/// Every format on every shape that it can hold, for three element types.
fn every_format(masks: bool) -> Plan {
    let shapes: [&[u64]; 5] = [&[96, 160], &[3, 64], &[5, 2, 32], &[129, 33], &[0, 64]];
    let mut tensors = Vec::new();
    for (f, format) in formats().into_iter().enumerate() {
        for (s, shape) in shapes.iter().enumerate() {
            let dtype = [DType::F32, DType::Bf16, DType::F16, DType::F64][(f + s) % 4];
            let mut t = tensor(&format!("t.{f}.{s}.weight"), dtype, shape, format);
            if masks && f % 2 == 0 {
                t.mask = Some(Mask::Magnitude { millionths: 300_000 });
            } else if masks && shape.last() == Some(&33) {
                t.mask = Some(Mask::NOfM { keep: 1, of: 3 });
            }
            if format.layout(shape, dtype).is_ok() {
                tensors.push(t);
            }
        }
    }
    plan(tensors)
}

fn content(plan: &Plan, fixture: &Fixture, name: &str) -> Vec<(String, Vec<u8>)> {
    let layout = OutputLayout::of(plan).unwrap();
    let folder = fixture.output(name);
    layout
        .files
        .iter()
        .map(|file| {
            let bytes = std::fs::read(folder.join(&file.name)).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes, "{}", file.name);
            assert_eq!(bytes[..file.header.len()], file.header[..]);
            (file.name.clone(), bytes)
        })
        .collect()
}

fn same_on_any_machine(plan: &Plan) {
    let fixture = Fixture::of(plan);
    let mut expected = None;
    for (threads, chunk) in [(1, None), (2, None), (4, Some(4096)), (1, Some(8192)), (2, Some(1 << 20))] {
        let name = format!("out-{threads}-{chunk:?}");
        let options = RunOptions { threads: Some(threads), chunk_elements: chunk, ..fixture.options(&name) };
        let report = fixture.run_with(plan, &options).unwrap_or_else(|e| panic!("{e}"));
        let mut facts = report.tensors.clone();
        let found = (content(plan, &fixture, &name), std::mem::take(&mut facts), report.totals);
        match &expected {
            None => expected = Some(found),
            Some(first) => {
                assert_eq!(first.0.len(), found.0.len());
                for (a, b) in first.0.iter().zip(&found.0) {
                    assert!(a == b, "{} differs for {threads} threads, chunk {chunk:?}", a.0);
                }
                for (a, b) in first.1.iter().zip(&found.1) {
                    assert_eq!(a, b, "{threads} threads, chunk {chunk:?}");
                }
                assert_eq!(first.2, found.2);
            }
        }
    }
}

#[test]
fn every_format_is_the_same_on_any_machine() {
    same_on_any_machine(&every_format(false));
}

#[test]
fn masked_tensors_are_the_same_on_any_machine() {
    same_on_any_machine(&every_format(true));
}

#[test]
fn pruned_models_are_the_same_on_any_machine() {
    same_on_any_machine(&moe());
    same_on_any_machine(&Plan { shard_bytes: Some(140_000), ..moe() });
}

#[test]
fn bitsandbytes_outputs_are_the_same_on_any_machine() {
    let four = vec![
        tensor("a.weight", DType::Bf16, &[70, 300], nf4(true)),
        tensor("b.weight", DType::F32, &[64, 64], nf4(false)),
        tensor("b.bias", DType::F32, &[64], Format::Keep),
    ];
    let eight =
        vec![tensor("a.weight", DType::F16, &[70, 300], int8(Per::Channel { axis: 0 }, Clip::MinMax))];
    for tensors in [four, eight] {
        same_on_any_machine(&Plan { container: OutputContainer::Bitsandbytes, ..plan(tensors) });
    }
}

#[test]
fn an_output_is_complete() {
    let mut plan = moe();
    plan.container = OutputContainer::Safetensors;
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "deep/er/out").unwrap();
    assert_eq!(
        names(&fixture.output("deep/er/out")),
        ["model.safetensors", "plan.json", "report.json", "report.md"]
    );
    assert_eq!(names(&fixture.output("deep/er")), ["out"]);
    let bytes = std::fs::read(fixture.output("deep/er/out/model.safetensors")).unwrap();
    let read = crate::checkpoint::open(&fixture.output("deep/er/out/model.safetensors")).unwrap();
    assert_eq!(read.files[0].bytes, bytes.len() as u64);
}
