//! Pieces, memory that runs out and callers at the same time change nothing.

use crate::support::{decode, encode};
use crate::{engine, processor::Processor};
use icpc_kernels::backend::{KeepNOfMOp, NestedDecodeOp, NestedEncodeOp, NormsOp, ZeroBelowOp};
use icpc_kernels::cuda::Engine;
use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Int, IntBits, Per};
use icpc_kernels::groups::Groups;
use icpc_kernels::{
    Backend, DType, Format, KernelError, Op, OpKind, Percentile, Reference, Support, conformance,
};

const SHAPE: [u64; 2] = [40, 1000];
const ELEMENTS: usize = 40_000;

fn formats() -> Vec<Format> {
    let int8 = Int::new(IntBits::Eight);
    let int4 = Int::new(IntBits::Four);
    let percentile = Clip::Percentile(Percentile::from_percent("99").unwrap());
    vec![
        Format::Cast(Cast::new(DType::F8E4M3, true).unwrap()),
        Format::Code4(Code4::new(Code4Kind::Nf4)),
        Format::Code4(Code4 { double: true, block: 4096, ..Code4::new(Code4Kind::Fp4) }),
        Format::Int(int8),
        Format::Int(Int { per: Per::Channel { axis: 0 }, clip: percentile, ..int8 }),
        Format::Int(Int { per: Per::Channel { axis: 1 }, symmetric: false, ..int4 }),
        Format::Int(Int { per: Per::Block(50), clip: Clip::Mse, symmetric: false, ..int4 }),
    ]
}

/// All formats there and back, by this backend and by the reference.
fn agrees(backend: &dyn Backend, dtype: DType, label: &str) {
    let input = conformance::elements(dtype, "normal", ELEMENTS);
    for format in formats() {
        let one = |backend: &dyn Backend| {
            let (parts, stats) = encode(backend, &format, &SHAPE, dtype, &input, 1 << 14, false).unwrap();
            let decoded = decode(backend, &format, &SHAPE, dtype, &parts, DType::F32, 1 << 14);
            (parts, stats, decoded)
        };
        assert!(one(backend) == one(&Reference), "{format} of {dtype}, {label}");
    }
}

#[test]
fn pieces_and_short_memory_change_nothing() {
    // the second has memory for the shortest pieces only, which it finds out
    let (Some(short), Some(full)) = (engine(1, u64::MAX), engine(1 << 24, 80 << 10)) else { return };
    for dtype in [DType::F32, DType::Bf16, DType::F64] {
        agrees(&short, dtype, "short pieces");
    }
    agrees(&full, DType::F32, "short memory");
}

#[test]
fn callers_at_the_same_time_change_nothing() {
    let Some(engine) = &engine(8192, u64::MAX) else { return };
    let input = &conformance::elements(DType::F32, "normal", ELEMENTS);
    let format = Format::Code4(Code4::new(Code4Kind::Nf4));
    let one = move |backend: &dyn Backend| {
        encode(backend, &format, &SHAPE, DType::F32, input, 1 << 14, false).unwrap()
    };
    let expected = &one(&Reference);
    std::thread::scope(|scope| {
        // more than there are lanes
        for _ in 0..20 {
            scope.spawn(move || assert!(one(engine) == *expected));
        }
    });
}

/// An operation on some bytes, and all that it wrote.
type Work = fn(&dyn Backend, &[u8]) -> (Result<(), KernelError>, Vec<u8>);

fn zero_below(backend: &dyn Backend, input: &[u8]) -> (Result<(), KernelError>, Vec<u8>) {
    let (mut bytes, mut ties, mut zeroed) = (input.to_vec(), 23_456, 0);
    let (bytes_in_place, threshold) = (&mut bytes[..], 0.25);
    let op = ZeroBelowOp {
        dtype: DType::F32,
        bytes: bytes_in_place,
        start: 0,
        threshold,
        ties: &mut ties,
        zeroed: &mut zeroed,
    };
    let result = backend.run(Op::ZeroBelow(op));
    bytes.extend([ties, zeroed].into_iter().flat_map(u64::to_le_bytes));
    (result, bytes)
}

fn keep_n_of_m(backend: &dyn Backend, input: &[u8]) -> (Result<(), KernelError>, Vec<u8>) {
    let (mut bytes, mut zeroed) = (input.to_vec(), 0);
    let op = KeepNOfMOp { dtype: DType::F32, bytes: &mut bytes, start: 0, n: 3, m: 10, zeroed: &mut zeroed };
    let result = backend.run(Op::KeepNOfM(op));
    bytes.extend(u64::to_le_bytes(zeroed));
    (result, bytes)
}

fn norms(backend: &dyn Backend, input: &[u8]) -> (Result<(), KernelError>, Vec<u8>) {
    let groups = Groups { outer: 40, axis: 10, inner: 100 };
    let source = icpc_kernels::Source::new(DType::F32, input).unwrap();
    let mut sums = vec![[0.0; 2]; source.len().div_ceil(1024) * NormsOp::slots(groups)];
    let result = backend.run(Op::Norms(NormsOp { source, start: 0, groups, sums: &mut sums }));
    (result, sums.into_iter().flatten().flat_map(f64::to_le_bytes).collect())
}

fn nested(backend: &dyn Backend, input: &[u8]) -> (Result<(), KernelError>, Vec<u8>) {
    let values = input.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).abs());
    let (absmax, offset): (Vec<f32>, f32) = (values.collect(), 0.0125);
    let (mut codes, mut scales) = (vec![0; absmax.len()], vec![0.0; absmax.len().div_ceil(256)]);
    let (codes_out, scales_out) = (&mut codes[..], &mut scales[..]);
    let op = NestedEncodeOp { absmax: &absmax, offset, codes: codes_out, scales: scales_out };
    let mut result = backend.run(Op::NestedEncode(op));
    let mut decoded = vec![0.0; codes.len()];
    let op = NestedDecodeOp { codes: &codes, scales: &scales, offset, absmax: &mut decoded };
    result = result.and_then(|()| backend.run(Op::NestedDecode(op)));
    codes.extend(scales.iter().chain(&decoded).flat_map(|value| value.to_le_bytes()));
    (result, codes)
}

#[test]
fn operations_on_whole_tensors_are_cut_as_they_allow() {
    let Some(engine) = engine(1, u64::MAX) else { return };
    let works: [(&str, Work); 4] =
        [("zero below", zero_below), ("n of m", keep_n_of_m), ("norms", norms), ("nested absmax", nested)];
    for pattern in ["normal", "equal", "ties", "nan"] {
        let input = conformance::elements(DType::F32, pattern, ELEMENTS);
        for (name, work) in works {
            let (found, expected) = (work(&engine, &input), work(&Reference, &input));
            assert_eq!(format!("{:?}", found.0), format!("{:?}", expected.0), "{name} of {pattern}");
            assert!(found.0.is_err() || found.1 == expected.1, "{name} of {pattern}");
        }
    }
}

#[test]
fn memory_for_nothing_is_an_error_that_says_what_to_do() {
    let Some(engine): Option<Engine<Processor>> = engine(1 << 24, 1000) else { return };
    let input = conformance::elements(DType::F32, "normal", ELEMENTS);
    let (result, _) = zero_below(&engine, &input);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("1 MiB") && error.contains("another device"), "{error}");
}

#[test]
fn what_has_a_kernel_is_native() {
    let Some(engine) = engine(1, u64::MAX) else { return };
    assert_eq!(engine.supports(OpKind::QuantizeCode4, DType::Bf16), Support::Native);
    assert_eq!(engine.supports(OpKind::Cast { to: DType::I8 }, DType::F32), Support::No);
    assert_eq!(engine.supports(OpKind::Gather, DType::I64), Support::Native);
}
