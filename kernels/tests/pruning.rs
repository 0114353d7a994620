//! Pruning is exact: so many elements, those with the smallest magnitudes, ties by index.

#![allow(clippy::unwrap_used, reason = "tests")]

use icpc_kernels::groups::Groups;
use icpc_kernels::prune::{Norms, Threshold, count_ties, gather, keep_n_of_m, kept_ranges, zero_below};
use icpc_kernels::select::{Selector, select};
use icpc_kernels::{DType, Reference, Source, conformance};

fn values(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    Source::new(dtype, bytes).unwrap().weights().collect()
}

#[test]
fn a_threshold_zeroes_exactly_the_smallest_in_any_chunking() {
    for pattern in ["normal", "zeros", "equal", "ties", "wide"] {
        for dtype in [DType::F32, DType::Bf16, DType::F8E4M3] {
            let input = conformance::elements(dtype, pattern, 10_000);
            let width = dtype.width() as usize;
            let count = 3_777;
            let source = Source::new(dtype, &input).unwrap();
            // in chunks, merged backwards
            let mut selector = Selector::new(Groups::contiguous(1, 10_000), count - 1);
            while !selector.is_done() {
                let mut whole = selector.counts();
                for start in [8192usize, 4096, 0] {
                    let mut counts = selector.counts();
                    selector
                        .scan(&Reference, source.slice(start, start + 4096), start as u64, &mut counts)
                        .unwrap();
                    whole.merge(&counts);
                }
                selector.absorb(&whole);
            }
            let order = selector.orders()[0];
            assert_eq!(
                order,
                select(&Reference, source, Groups::contiguous(1, 10_000), count - 1).unwrap()[0]
            );
            let mut sorted: Vec<f32> = source.weights().map(f32::abs).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            assert_eq!(order.value, sorted[count as usize - 1]);
            assert_eq!(order.next, sorted[count as usize]);

            let threshold = Threshold::from_order(order, count);
            let mut whole = input.clone();
            let mut ties = threshold.ties;
            let zeroed =
                zero_below(&Reference, dtype, &mut whole, 0, threshold.magnitude, &mut ties).unwrap();
            assert_eq!((zeroed, ties), (count, 0), "{pattern} {dtype}");
            // chunks on their own: the ties before a chunk say how many are left for it
            let mut pieces = Vec::new();
            for start in (0..10_000).step_by(4096) {
                let before = count_ties(&Reference, source.slice(0, start), threshold.magnitude).unwrap();
                let mut ties = threshold.ties.saturating_sub(before);
                let end = 10_000.min(start + 4096);
                let mut piece = input[start * width..end * width].to_vec();
                zero_below(&Reference, dtype, &mut piece, start as u64, threshold.magnitude, &mut ties)
                    .unwrap();
                pieces.extend(piece);
            }
            assert!(pieces == whole, "{pattern} {dtype}: chunks");
            let kept = values(dtype, &whole);
            assert!(kept.iter().all(|w| *w == 0.0 || w.abs() >= threshold.magnitude));
        }
    }
}

#[test]
fn scattered_groups_have_their_own_order() {
    let input = conformance::elements(DType::F32, "normal", 3 * 50 * 7);
    let source = Source::new(DType::F32, &input).unwrap();
    let groups = Groups { outer: 3, axis: 50, inner: 7 };
    let orders = select(&Reference, source, groups, 10).unwrap();
    for (group, order) in orders.iter().enumerate() {
        let mut sorted: Vec<f32> = (0..source.len())
            .filter(|&index| groups.group_of(index as u64) == group as u64)
            .map(|index| source.weight(index).abs())
            .collect();
        sorted.sort_unstable_by(f32::total_cmp);
        assert_eq!((order.value, order.next), (sorted[10], sorted[11]));
    }
}

#[test]
fn two_of_four_keeps_the_largest_and_the_lower_index() {
    let input: Vec<u8> =
        [1.0f32, -3.0, 2.0, 0.5, 1.0, 1.0, -1.0, 1.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let mut bytes = input.clone();
    assert_eq!(keep_n_of_m(&Reference, DType::F32, &mut bytes, 0, 2, 4).unwrap(), 4);
    assert_eq!(values(DType::F32, &bytes), [0.0, -3.0, 2.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    let error = keep_n_of_m(&Reference, DType::F32, &mut bytes, 0, 2, 3).unwrap_err();
    assert_eq!(error.to_string(), "a chunk is cut at element 8, which is not a multiple of 3");
}

#[test]
fn norms_do_not_depend_on_chunks() {
    let input = conformance::elements(DType::Bf16, "wide", 40 * 300);
    let source = Source::new(DType::Bf16, &input).unwrap();
    for groups in [
        Groups::contiguous(40, 300),
        Groups { outer: 40, axis: 300, inner: 1 },
        Groups { outer: 40, axis: 30, inner: 10 },
    ] {
        let mut whole = Norms::new(groups);
        whole.scan(&Reference, source, 0).unwrap();
        let mut merged = Norms::new(groups);
        for start in [8192usize, 0, 4096] {
            let mut part = Norms::new(groups);
            part.scan(&Reference, source.slice(start, start + 4096), start as u64).unwrap();
            merged.merge(&part);
        }
        assert_eq!((whole.l1(), whole.l2()), (merged.l1(), merged.l2()));
        let first: f64 = (0..source.len())
            .filter(|&index| groups.group_of(index as u64) == 0)
            .map(|index| f64::from(source.weight(index)).abs())
            .sum();
        assert!((whole.l1()[0] - first).abs() <= 1e-12 * first);
    }
}

#[test]
fn kept_slices_are_gathered_in_order() {
    let groups = Groups { outer: 2, axis: 4, inner: 3 };
    let bytes: Vec<u8> = (0..24).collect();
    let ranges: Vec<_> = kept_ranges(groups, 1, &[0, 1, 3]).collect();
    assert_eq!(ranges, [0..6, 9..12, 12..18, 21..24]);
    let kept = gather(&Reference, &bytes, groups, 1, &[0, 1, 3]).unwrap();
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 21, 22, 23]);
    assert!(gather(&Reference, &bytes, groups, 1, &[4]).is_err());
}
