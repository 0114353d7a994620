//! Every operation with a spread of arguments, on one input. Those of pruning are in `pruning.rs`.

use super::Outcome;
use super::cases::{Case, Random};
use crate::backend::*;
use crate::format::{Clip, Code4, Code4Kind, Int, IntBits, Pack, Percentile};
use crate::groups::Groups;
use crate::reference::Reference;
use crate::scale::{Extent, GRID, GroupCode};
use crate::{DType, ErrorStats, Source};

pub(super) type Work<'a> = Box<dyn Fn(&dyn Backend) -> Outcome + 'a>;

/// The operations on a case, named.
pub(super) fn operations(case: &Case) -> Vec<(String, Work<'_>)> {
    let mut all = Vec::new();
    casts(case, &mut all);
    groups_and_ints(case, &mut all);
    codebooks(case, &mut all);
    percentiles(case, &mut all);
    compare(case, &mut all);
    nested(case, &mut all);
    super::pruning::operations(case, &mut all);
    all
}

pub(super) fn finish(result: Result<(), crate::KernelError>, bytes: Vec<u8>, stats: ErrorStats) -> Outcome {
    Outcome { error: result.err(), bytes, stats }
}

pub(super) fn source(case: &Case) -> Source<'_> {
    match Source::new(case.dtype, &case.bytes) {
        Ok(source) => source,
        Err(_) => Source::f32(&[]),
    }
}

fn casts<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for to in [DType::F32, DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
        for saturate in [false, true] {
            let work = move |backend: &dyn Backend| {
                let mut destination = vec![0; case.elements * to.width() as usize];
                let mut stats = ErrorStats::default();
                let op = CastOp {
                    source: source(case),
                    start: 4096,
                    to,
                    saturate,
                    destination: &mut destination,
                    stats: Some(&mut stats),
                };
                let result = backend.run(Op::Cast(op));
                finish(result, destination, stats)
            };
            all.push((format!("cast to {to}, saturate {saturate}"), Box::new(work)));
        }
    }
}

/// The case as one group, rows, short blocks, columns, and short scattered runs; with a tile-aligned start.
pub(super) fn groupings(elements: u64) -> Vec<(Groups, u64)> {
    let mut all = vec![(Groups::contiguous(1, elements + 5000), 1024)];
    for inner in [3, 32, 100, 256] {
        all.push((Groups::contiguous((elements + 4096).div_ceil(inner), inner), 4096));
    }
    for (axis, inner) in [(5, 1), (130, 1), (4, 7), (6, 70)] {
        let outer = (elements + 2048).div_ceil(axis * inner);
        all.push((Groups { outer, axis, inner }, 2048));
    }
    all
}

/// Extents of a case with what is not finite left out, a little too narrow so that values are clipped.
fn codes(case: &Case, int: &Int, groups: Groups, start: u64) -> (Vec<Extent>, Vec<GroupCode>) {
    let mut extents = vec![Extent::default(); groups.axis as usize];
    for (index, w) in source(case).weights().enumerate() {
        if w.is_finite() {
            extents[groups.group_of(start + index as u64) as usize].add(w);
        }
    }
    let narrow = |extent: &Extent| Extent { low: extent.low * 0.75, high: extent.high * 0.875 };
    let codes =
        extents.iter().map(|extent| GroupCode::new(int, narrow(extent)).unwrap_or_default()).collect();
    (extents, codes)
}

fn ints() -> Vec<Int> {
    let mut all = Vec::new();
    for bits in [IntBits::Eight, IntBits::Four] {
        for symmetric in [true, false] {
            all.push(Int { symmetric, ..Int::new(bits) });
        }
    }
    all.push(Int { pack: Pack::High, ..Int::new(IntBits::Four) });
    all.push(Int { clip: Clip::Mse, scale: crate::format::ScaleDType::F16, ..Int::new(IntBits::Eight) });
    all
}

fn groups_and_ints<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for (groups, start) in groupings(case.elements as u64) {
        let work = move |backend: &dyn Backend| {
            let mut extents = vec![Extent::default(); groups.axis as usize];
            let op = ExtentsOp { source: source(case), start, groups, extents: &mut extents };
            let result = backend.run(Op::Extents(op));
            let both = extents.iter().flat_map(|extent| [extent.low, extent.high]);
            finish(result, both.flat_map(f32::to_le_bytes).collect(), ErrorStats::default())
        };
        all.push((format!("extents of {groups:?}"), Box::new(work)));
        for int in ints() {
            // every length meets every grouping, not every argument
            if (usize::from(int.symmetric) + case.elements + groups.inner as usize) % 2 == 1
                && case.elements > 1000
            {
                continue;
            }
            let work = move |backend: &dyn Backend| quantize_int(backend, case, int, groups, start);
            all.push((format!("{int} of {groups:?}"), Box::new(work)));
            let to = [DType::F32, DType::F16, DType::Bf16][case.elements % 3];
            let work = move |backend: &dyn Backend| dequantize_int(backend, case, int, groups, start, to);
            all.push((format!("{int} of {groups:?} back to {to}"), Box::new(work)));
        }
        // 52 candidates a value are slow in the reference
        if case.elements <= 65 || case.pattern == "normal" && case.elements == 1025 {
            let int = Int { symmetric: case.elements.is_multiple_of(2), ..Int::new(IntBits::Four) };
            let work = move |backend: &dyn Backend| {
                let (extents, _) = codes(case, &int, groups, start);
                let mut sums = vec![[0; GRID]; groups.axis as usize];
                let op = GridErrorsOp {
                    source: source(case),
                    start,
                    groups,
                    int,
                    extents: &extents,
                    sums: &mut sums,
                };
                let result = backend.run(Op::GridErrors(op));
                let bytes = sums.iter().flatten().flat_map(|sum| sum.to_le_bytes()).collect();
                finish(result, bytes, ErrorStats::default())
            };
            all.push((format!("grid errors of {groups:?}"), Box::new(work)));
        }
    }
}

fn code_bytes(int: &Int, elements: usize) -> usize {
    if int.bits == IntBits::Eight { elements } else { elements.div_ceil(2) }
}

fn quantize_int(backend: &dyn Backend, case: &Case, int: Int, groups: Groups, start: u64) -> Outcome {
    let (_, codes) = codes(case, &int, groups, start);
    let mut destination = vec![0xee; code_bytes(&int, case.elements)];
    let mut stats = ErrorStats::default();
    let measured = (case.elements != 64).then_some(&mut stats);
    let op = QuantizeIntOp {
        source: source(case),
        start,
        groups,
        int,
        codes: &codes,
        destination: &mut destination,
        stats: measured,
    };
    let result = backend.run(Op::QuantizeInt(op));
    finish(result, destination, stats)
}

fn dequantize_int(
    backend: &dyn Backend,
    case: &Case,
    int: Int,
    groups: Groups,
    start: u64,
    to: DType,
) -> Outcome {
    let (_, group_codes) = codes(case, &int, groups, start);
    let mut random = Random(7);
    let stored: Vec<u8> = (0..code_bytes(&int, case.elements)).map(|_| random.next() as u8).collect();
    let mut destination = vec![0; case.elements * to.width() as usize];
    let op = DequantizeIntOp {
        codes: &stored,
        start,
        elements: case.elements,
        groups,
        int,
        group_codes: &group_codes,
        to,
        destination: &mut destination,
    };
    let result = backend.run(Op::DequantizeInt(op));
    finish(result, destination, ErrorStats::default())
}

fn codebooks<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for (kind, block) in [Code4Kind::Nf4, Code4Kind::Fp4]
        .into_iter()
        .flat_map(|kind| [64, 128, 4096].map(|block| (kind, block)))
    {
        for measure in [false, true] {
            let code4 = Code4 { kind, block, double: false };
            let work = move |backend: &dyn Backend| {
                let mut destination = vec![0xee; case.elements.div_ceil(2)];
                let mut absmax = vec![0.0; case.elements.div_ceil(block as usize)];
                let mut stats = ErrorStats::default();
                let op = QuantizeCode4Op {
                    source: source(case),
                    start: 8192,
                    code4,
                    destination: &mut destination,
                    absmax: &mut absmax,
                    stats: measure.then_some(&mut stats),
                };
                let result = backend.run(Op::QuantizeCode4(op));
                destination.extend(absmax.iter().flat_map(|value| value.to_le_bytes()));
                finish(result, destination, stats)
            };
            all.push((format!("{code4:?}, measure {measure}"), Box::new(work)));
        }
        let to = [DType::F32, DType::F16, DType::Bf16][case.elements % 3];
        let work = move |backend: &dyn Backend| {
            let mut random = Random(11);
            let codes: Vec<u8> = (0..case.elements.div_ceil(2)).map(|_| random.next() as u8).collect();
            let blocks = case.elements.div_ceil(block as usize);
            let absmax: Vec<f32> = (0..blocks).map(|_| random.next() as u32 as f32 * 3e-5).collect();
            let mut destination = vec![0; case.elements * to.width() as usize];
            let op = DequantizeCode4Op {
                codes: &codes,
                start: 8192,
                elements: case.elements,
                kind,
                block: block as usize,
                absmax: &absmax,
                to,
                destination: &mut destination,
            };
            let result = backend.run(Op::DequantizeCode4(op));
            finish(result, destination, ErrorStats::default())
        };
        all.push((format!("{kind:?} of {block} back to {to}"), Box::new(work)));
    }
}

fn percentiles<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    for billionths in [1_000_000_000, 999_900_000, 990_000_000, 500_000_000, 1] {
        let Some(percentile) = Percentile::from_billionths(billionths) else { continue };
        for length in [1, 50, 640, case.elements] {
            let work = move |backend: &dyn Backend| {
                let count = case.elements.checked_div(length).unwrap_or(0);
                let whole = source(case).slice(0, count * length);
                let mut limits = vec![0.0f32; count];
                let op = PercentilesOp { source: whole, start: 64, length, percentile, limits: &mut limits };
                let result = backend.run(Op::Percentiles(op));
                finish(result, limits.into_iter().flat_map(f32::to_le_bytes).collect(), ErrorStats::default())
            };
            all.push((format!("{percentile} of groups of {length}"), Box::new(work)));
        }
    }
}

fn compare<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    let work = move |backend: &dyn Backend| {
        let mut decoded = vec![0; case.elements * 2];
        let mut stats = ErrorStats::default();
        let to = DType::Bf16;
        let cast = CastOp {
            source: source(case),
            start: 0,
            to,
            saturate: true,
            destination: &mut decoded,
            stats: None,
        };
        let result = Reference.run(Op::Cast(cast)).and_then(|()| {
            let decoded = Source::new(to, &decoded)?;
            backend.run(Op::Compare(CompareOp { source: source(case), decoded, start: 0, stats: &mut stats }))
        });
        finish(result, Vec::new(), stats)
    };
    all.push(("compare".to_owned(), Box::new(work)));
}

fn nested<'a>(case: &'a Case, all: &mut Vec<(String, Work<'a>)>) {
    if case.dtype != DType::F32 {
        return;
    }
    for offset in [0.0, 0.0625, -1.5] {
        let work = move |backend: &dyn Backend| {
            // absmax has no sign, but nothing asks for that
            let absmax: Vec<f32> = source(case).weights().collect();
            let mut codes = vec![0xee; absmax.len()];
            let mut scales = vec![0.0; absmax.len().div_ceil(256)];
            let op = NestedEncodeOp { absmax: &absmax, offset, codes: &mut codes, scales: &mut scales };
            let result = backend.run(Op::NestedEncode(op));
            codes.extend(scales.into_iter().flat_map(f32::to_le_bytes));
            finish(result, codes, ErrorStats::default())
        };
        all.push((format!("nested absmax around {offset}"), Box::new(work)));
        let work = move |backend: &dyn Backend| {
            let mut random = Random(13);
            let codes: Vec<u8> = (0..case.elements).map(|_| random.next() as u8).collect();
            let scales: Vec<f32> = source(case).weights().take(case.elements.div_ceil(256)).collect();
            let mut absmax = vec![0.0; case.elements];
            let op = NestedDecodeOp { codes: &codes, scales: &scales, offset, absmax: &mut absmax };
            let result = backend.run(Op::NestedDecode(op));
            finish(result, absmax.into_iter().flat_map(f32::to_le_bytes).collect(), ErrorStats::default())
        };
        all.push((format!("nested absmax around {offset} back"), Box::new(work)));
    }
}
