//! Selections, cuts and masks against plain loops over the same numbers.

use icpc_kernels::DType;
use icpc_kernels::format::Format;

use crate::exec::fixture::{Fixture, bytes, weights};
use crate::plan::ir::{AxisSlice, Cut, Mask, Norm, Plan, Selection, TensorPlan, Voter};
use crate::plan::layout::OutputLayout;
use crate::plan::sample::{plan, tensor};

fn stored(plan: &Plan, fixture: &Fixture, out: &str) -> Vec<Vec<f32>> {
    let layout = OutputLayout::of(plan).unwrap();
    let file = std::fs::read(fixture.output(out).join("model.safetensors")).unwrap();
    let mut tensors = vec![Vec::new(); plan.tensors.len()];
    for part in &layout.files[0].parts {
        let bytes = &file[part.offset as usize..(part.offset + part.bytes) as usize];
        tensors[part.tensor] = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    }
    tensors
}

fn keep(name: &str, source: &[u64], shape: &[u64], cuts: Vec<Cut>) -> TensorPlan {
    TensorPlan { shape: shape.to_vec(), cuts, ..tensor(name, DType::F32, source, Format::Keep) }
}

#[test]
fn dims_are_cut_where_they_stand() {
    // in_proj holds two blocks of `inner` rows between one row before and two after
    let inner = 6u64;
    let row = AxisSlice { axis: 0, before: 1, outer: 2, inner: 1, after: 2 };
    let column = AxisSlice { axis: 1, before: 0, outer: 1, inner: 3, after: 0 };
    let selection = Selection {
        dim: "inner".to_owned(),
        scope: String::new(),
        of: inner,
        keep: 4,
        by: Norm::L2,
        voters: vec![
            Voter::Axis { tensor: "in_proj".to_owned(), slice: row },
            Voter::Axis { tensor: "out_proj".to_owned(), slice: column },
        ],
    };
    let cut = |slice| Cut { selection: 0, slice };
    let mut plan = plan(vec![
        keep("in_proj", &[15, 700], &[11, 700], vec![cut(row)]),
        keep("out_proj", &[500, 18], &[500, 12], vec![cut(column)]),
        keep("bias", &[7], &[7], vec![]),
    ]);
    plan.selections = vec![selection];
    let fixture = Fixture::of(&plan);
    let report = fixture.run(&plan, "out").unwrap();
    let (a, b) = (weights("in_proj", 15 * 700), weights("out_proj", 500 * 18));
    let mut squares = vec![0.0f64; 6];
    for (flat, w) in a.iter().enumerate() {
        let row = flat / 700;
        if (1..13).contains(&row) {
            squares[(row - 1) % 6] += f64::from(*w) * f64::from(*w);
        }
    }
    for (flat, w) in b.iter().enumerate() {
        squares[flat % 18 / 3] += f64::from(*w) * f64::from(*w);
    }
    let mut order: Vec<usize> = (0..6).collect();
    order.sort_by(|x, y| squares[*y].total_cmp(&squares[*x]));
    let mut kept: Vec<u64> = order[..4].iter().map(|i| *i as u64).collect();
    kept.sort_unstable();
    assert_eq!(report.selections[0].kept, kept);
    for (score, squares) in report.selections[0].scores.iter().zip(&squares) {
        assert!((score - squares.sqrt()).abs() < 1e-9);
    }
    let out = stored(&plan, &fixture, "out");
    let stays = |row: usize| !(1..13).contains(&row) || kept.contains(&(((row - 1) % 6) as u64));
    let expected: Vec<f32> = a.iter().enumerate().filter(|(i, _)| stays(i / 700)).map(|(_, w)| *w).collect();
    assert_eq!(out[0], expected);
    let expected: Vec<f32> = b
        .iter()
        .enumerate()
        .filter(|(i, _)| kept.contains(&((i % 18 / 3) as u64)))
        .map(|(_, w)| *w)
        .collect();
    assert_eq!(out[1], expected);
}

#[test]
fn masks_zero_the_smallest() {
    let mut tensors = Vec::new();
    for (name, mask) in [
        ("none", Mask::Magnitude { millionths: 0 }),
        ("third", Mask::Magnitude { millionths: 333_333 }),
        ("ties", Mask::Magnitude { millionths: 500_000 }),
        ("pairs", Mask::NOfM { keep: 2, of: 4 }),
    ] {
        tensors.push(TensorPlan { mask: Some(mask), ..tensor(name, DType::F32, &[50, 200], Format::Keep) });
    }
    let plan = plan(tensors);
    let values = |name: &str| -> Vec<f32> {
        let plain = weights(name, 10_000);
        if name == "ties" {
            plain.iter().map(|w| if *w < 0.0 { -0.25 } else { 0.25 }).collect()
        } else {
            plain
        }
    };
    let source: Vec<_> = plan
        .tensors
        .iter()
        .map(|t| (t.name.clone(), DType::F32, vec![50, 200], bytes(DType::F32, &values(&t.name))))
        .collect();
    let fixture = Fixture::new(&source);
    let options =
        crate::exec::RunOptions { threads: Some(2), chunk_elements: Some(4096), ..fixture.options("out") };
    let report = fixture.run_with(&plan, &options).unwrap();
    let out = stored(&plan, &fixture, "out");
    assert_eq!(out[0], values("none"));
    let third = values("third");
    let mut order: Vec<usize> = (0..third.len()).collect();
    order.sort_by(|a, b| third[*a].abs().total_cmp(&third[*b].abs()).then(a.cmp(b)));
    let mut expected = third.clone();
    order[..3333].iter().for_each(|i| expected[*i] = 0.0);
    assert_eq!(out[1], expected);
    let mut expected = values("ties");
    expected[..5000].fill(0.0);
    assert_eq!(out[2], expected);
    for (group, source) in out[3].chunks(4).zip(values("pairs").chunks(4)) {
        let mut order = [0, 1, 2, 3];
        order.sort_by(|a, b| source[*b].abs().total_cmp(&source[*a].abs()).then(a.cmp(b)));
        let mut expected = source.to_vec();
        order[2..].iter().for_each(|i: &usize| expected[*i] = 0.0);
        assert_eq!(group, expected);
    }
    let masked: Vec<Option<u64>> = report.tensors.iter().map(|t| t.masked).collect();
    assert_eq!(masked, [Some(0), Some(3333), Some(5000), Some(5000)]);
}
