//! The same bytes and the same statistics for any chunking, order and variant; and what was stored reads back.

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(missing_docs, unreachable_pub)]
mod support;

use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, ScaleDType};
use icpc_kernels::{Backend, Cpu, DType, ErrorStats, Percentile, Reference, Source, conformance};
use support::{decode, encode};

fn formats() -> Vec<Format> {
    let percentile = |text: &str| Clip::Percentile(Percentile::from_percent(text).unwrap());
    let mut all = vec![Format::Keep];
    for to in [DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2, DType::F32] {
        all.push(Format::Cast(Cast::new(to, false).unwrap()));
    }
    for kind in [Code4Kind::Nf4, Code4Kind::Fp4] {
        for double in [false, true] {
            all.push(Format::Code4(Code4 { kind, double, ..Code4::new(kind) }));
        }
    }
    for per in [
        Per::Tensor,
        Per::Channel { axis: 0 },
        Per::Channel { axis: 1 },
        Per::Channel { axis: 2 },
        Per::Block(10),
    ] {
        for clip in [Clip::MinMax, percentile("99.9"), percentile("50%"), Clip::Mse] {
            let eight = Int { per, clip, ..Int::new(IntBits::Eight) };
            all.push(Format::Int(eight));
            all.push(Format::Int(Int {
                bits: IntBits::Four,
                symmetric: false,
                scale: ScaleDType::F16,
                ..eight
            }));
            all.push(Format::Int(Int { bits: IntBits::Four, pack: Pack::High, ..eight }));
        }
    }
    all
}

#[test]
fn chunks_order_and_variant_change_nothing() {
    let shape = [6u64, 37, 50]; // 11 100 elements: rows and channels end inside of tiles
    let input = conformance::elements(DType::F32, "normal", 11_100);
    for format in formats() {
        let (parts, stats) = encode(&Reference, &format, &shape, DType::F32, &input, 1 << 20, false).unwrap();
        for cpu in Cpu::variants() {
            for (limit, backward) in [(1 << 20, false), (4096, false), (4096, true), (8192, true)] {
                let label = format!("{format} on {} in chunks of {limit}", cpu.name());
                let found = encode(&cpu, &format, &shape, DType::F32, &input, limit, backward).unwrap();
                assert!(found.0 == parts, "{label}: bytes");
                assert!(found.1 == stats, "{label}: statistics");
            }
        }
    }
}

#[test]
fn what_was_stored_reads_back_with_the_error_that_was_reported() {
    let shape = [6, 37, 50];
    for dtype in [DType::F32, DType::Bf16, DType::F64] {
        let input = conformance::elements(dtype, "normal", 11_100);
        for format in formats() {
            let Ok(cpu) = Cpu::choose(None) else { return };
            let (parts, stats) = encode(&cpu, &format, &shape, dtype, &input, 4096, false).unwrap();
            if matches!(format, Format::Keep) {
                continue;
            }
            let whole = decode(&Reference, &format, &shape, dtype, &parts, DType::F32, 1 << 20);
            assert!(
                whole == decode(&cpu, &format, &shape, dtype, &parts, DType::F32, 8192),
                "{format} in pieces"
            );
            if let Format::Code4(Code4 { double: true, .. }) = format {
                continue; // measured against the f32 absmax
            }
            let mut compared = ErrorStats::default();
            compared.clipped = stats.clipped;
            let source = if dtype == DType::F64 && !matches!(format, Format::Cast(_)) {
                Source::new(dtype, &input).unwrap().weights().flat_map(f32::to_le_bytes).collect()
            } else {
                input.clone()
            };
            let dtype = if source.len() == input.len() { dtype } else { DType::F32 };
            let op = icpc_kernels::backend::CompareOp {
                source: Source::new(dtype, &source).unwrap(),
                decoded: Source::new(DType::F32, &whole).unwrap(),
                start: 0,
                stats: &mut compared,
            };
            cpu.run(icpc_kernels::Op::Compare(op)).unwrap();
            assert!(compared == stats, "{format} from {dtype}: {} {}", compared.mse(), stats.mse());
        }
    }
}

#[test]
fn errors_name_the_first_flat_index_for_any_chunking() {
    let shape = [64, 300];
    for (pattern, message) in [("nan", "element 15999 is NaN"), ("infinity", "element 15999 is -inf")] {
        let mut input = conformance::elements(DType::Bf16, "normal", 19_200);
        let bad = conformance::elements(DType::Bf16, pattern, 19_200);
        // the pattern's own place is len/2 + len/3 = 16000; move it by one
        let from = 2 * 16_000;
        input[from - 2..from].copy_from_slice(&bad[from..from + 2]);
        for format in formats() {
            if format == Format::Keep || format.layout(&shape, DType::Bf16).is_err() {
                continue;
            }
            for cpu in Cpu::variants() {
                for limit in [4096, 1 << 20] {
                    let error = encode(&cpu, &format, &shape, DType::Bf16, &input, limit, false).unwrap_err();
                    assert_eq!(error.to_string(), message, "{format} on {} in {limit}", cpu.name());
                }
            }
        }
    }
}

#[test]
fn tensors_without_elements_have_all_their_parts() {
    for shape in [&[0u64, 4][..], &[4, 0], &[0]] {
        for format in formats() {
            if format.layout(shape, DType::F16).is_err() {
                continue;
            }
            let (parts, stats) = encode(&Reference, &format, shape, DType::F16, &[], 4096, false).unwrap();
            let scales =
                parts.values().flatten().all(|&byte| byte != 0xaa) || matches!(format, Format::Code4(_));
            assert!(scales, "{format} of {shape:?} leaves bytes unwritten");
            assert_eq!(stats, ErrorStats::default());
        }
    }
}
