//! The plan as people read it: one line for tensors that differ in numbers only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::collapse::{Template, patterns, template};
use super::ir::{ArmRef, CalibrationFacts, Casts, Mask, Plan, TensorPlan, TensorSource};
use super::json::{container_name, norm_name};
use super::layout::OutputLayout;
use super::memory::{PLANNED_THREADS, calibration_memory, evaluation_memory, peak_memory};
use crate::base::{Shape, count, human_bytes, with_thousands};

/// Everything two tensors must share to stand on one line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    template: Template,
    shape: String,
    change: String,
    bytes: u64,
    arm: String,
}

/// The plan with its exact output, ending in a newline. Stable: equal plans print equal.
pub fn print_plan(plan: &Plan, layout: &OutputLayout) -> String {
    let mut out = String::new();
    // writing to a string cannot fail
    let _ = writeln!(
        out,
        "plan `{}`: {} -> {} as {}{}",
        plan.recipe,
        human_bytes(plan.source.tensor_bytes),
        human_bytes(layout.stored_bytes),
        container_name(plan.container),
        layout.ratio(plan).map(|ratio| format!(", {ratio:.3}x")).unwrap_or_default(),
    );
    if let Some(arch) = &plan.arch {
        let dims: Vec<String> = arch.dims.iter().map(|(name, extent)| format!("{name} {extent}")).collect();
        let _ = writeln!(out, "arch `{}`: {}", arch.name, dims.join(", "));
    }
    if let Some(derive) = &plan.derive {
        let dims = derive.dims.iter().map(|(name, of, to)| format!("{name} {to} of {of}"));
        let _ = writeln!(out, "derived as `{}`: {}", derive.name, dims.collect::<Vec<_>>().join(", "));
    }
    if let Some(calibration) = &plan.calibration {
        let _ = writeln!(out, "calibration: {}", calibration_text(calibration));
    }
    print_selections(plan, &mut out);
    if let Some(tune) = &plan.tune {
        super::tune::print(tune, &mut out);
    }
    print_tensors(plan, layout, &mut out);
    print_dropped(plan, &mut out);
    print_casts(plan, &mut out);
    print_files(layout, &mut out);
    let _ = writeln!(out, "\ntotal");
    let mut rows = vec![
        vec!["source".to_owned(), count(plan.source.tensors, "tensor"), bytes(plan.source.tensor_bytes)],
        vec!["output".to_owned(), count(plan.tensors.len() as u64, "tensor"), bytes(layout.stored_bytes)],
        vec!["files".to_owned(), count(layout.files.len() as u64, "file"), bytes(layout.file_bytes)],
        vec!["memory".to_owned(), format!("{PLANNED_THREADS} threads"), bytes(peak_memory(plan, layout))],
    ];
    if let Some(calibration) = calibration_memory(plan, PLANNED_THREADS) {
        rows.push(vec!["memory".to_owned(), "calibration".to_owned(), bytes(calibration)]);
    }
    if let Some(evaluation) = evaluation_memory(plan, layout, PLANNED_THREADS) {
        rows.push(vec!["memory".to_owned(), "evaluation".to_owned(), bytes(evaluation)]);
    }
    align(&rows, &[2], &mut out);
    out
}

fn calibration_text(calibration: &CalibrationFacts) -> String {
    let CalibrationFacts { samples, max_length, seed, statistics } = calibration;
    let mut words = Vec::new();
    words.extend(samples.map(|n| count(n, "sample")));
    words.extend(max_length.map(|n| format!("at most {} each", count(n, "token"))));
    words.extend(seed.map(|n| format!("seed {n}")));
    words.push(if *statistics { "read from statistics" } else { "run before the first weight" }.to_owned());
    words.join(", ")
}

fn print_selections(plan: &Plan, out: &mut String) {
    if plan.selections.is_empty() {
        return;
    }
    out.push_str("\nselections\n");
    let mut groups: BTreeMap<(Template, String), Vec<Vec<u64>>> = BTreeMap::new();
    let mut order = Vec::new();
    for selection in &plan.selections {
        let place = if selection.scope.is_empty() { "the model" } else { &selection.scope };
        let (template, numbers) = template(place);
        let what = format!(
            "{}\u{0}keep {} of {} by {}\u{0}{}",
            selection.dim,
            selection.keep,
            selection.of,
            norm_name(selection.by),
            count(selection.voters.len() as u64, "voter"),
        );
        let key = (template, what);
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push(numbers);
    }
    let mut rows = Vec::new();
    for key in order {
        let Some(numbers) = groups.get(&key) else { continue };
        for (pattern, n) in patterns(&key.0, numbers) {
            let mut columns = key.1.split('\u{0}').map(str::to_owned);
            let dim = columns.next().unwrap_or_default();
            let mut row = vec![format!("{dim} in {}", times(&pattern, n))];
            row.extend(columns);
            rows.push(row);
        }
    }
    align(&rows, &[], out);
}

fn print_tensors(plan: &Plan, layout: &OutputLayout, out: &mut String) {
    out.push_str("\ntensors\n");
    let mut groups: BTreeMap<Line, Vec<Vec<u64>>> = BTreeMap::new();
    let mut order: Vec<Line> = Vec::new();
    for (tensor, bytes) in plan.tensors.iter().zip(&layout.tensor_bytes) {
        let (line, numbers) = line(plan, tensor, *bytes);
        if !groups.contains_key(&line) {
            order.push(line.clone());
        }
        groups.entry(line).or_default().push(numbers);
    }
    let mut rows = vec![["tensor", "shape", "format", "bytes", "arm"].map(str::to_owned).to_vec()];
    for line in order {
        let Some(numbers) = groups.get(&line) else { continue };
        for (pattern, n) in patterns(&line.template, numbers) {
            let total = line.bytes.saturating_mul(n);
            let row = [times(&pattern, n), line.shape.clone(), line.change.clone(), with_thousands(total)];
            rows.push(row.into_iter().chain([line.arm.clone()]).collect());
        }
    }
    align(&rows, &[3], out);
}

fn line(plan: &Plan, tensor: &TensorPlan, bytes: u64) -> (Line, Vec<u64>) {
    let mut name = tensor.name.clone();
    for alias in &tensor.aliases {
        let _ = write!(name, " = {alias}");
    }
    // a tensor with aliases stands alone
    let (template, numbers) = template(&name);
    let (before, after) = (Shape::from(tensor.source_shape.clone()), Shape::from(tensor.shape.clone()));
    let shape = if before == after { after.to_string() } else { format!("{before} -> {after}") };
    let mut change = format!("{} -> {}", tensor.dtype, tensor.format);
    if tensor.format == icpc_kernels::Format::Keep {
        change = format!("{} kept", tensor.dtype);
    }
    match tensor.mask {
        Some(Mask::Magnitude { millionths }) => {
            let _ = write!(change, ", {}% zero", percent(millionths));
        }
        Some(Mask::NOfM { keep, of }) => {
            let _ = write!(change, ", {keep} of {of} stay");
        }
        None => {}
    }
    let dim = |selection: usize| plan.selections.get(selection).map(|s| s.dim.as_str()).unwrap_or_default();
    for cut in &tensor.cuts {
        let _ = write!(change, ", {} cut", dim(cut.selection));
    }
    if let TensorSource::Kept { selection, .. } = &tensor.source {
        let _ = write!(change, ", kept of {}", dim(*selection));
    }
    (Line { template, shape, change, bytes, arm: arm(&tensor.arm) }, numbers)
}

fn percent(millionths: u32) -> String {
    let text = format!("{}.{:04}", millionths / 10_000, millionths % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn print_dropped(plan: &Plan, out: &mut String) {
    if plan.dropped.is_empty() {
        return;
    }
    out.push_str("\ndropped\n");
    let mut groups: BTreeMap<(Template, u64, String), Vec<Vec<u64>>> = BTreeMap::new();
    let mut order = Vec::new();
    for dropped in &plan.dropped {
        let (template, numbers) = template(&dropped.name);
        let key = (template, dropped.bytes, arm(&dropped.arm));
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push(numbers);
    }
    let mut rows = Vec::new();
    for key in order {
        let Some(numbers) = groups.get(&key) else { continue };
        for (pattern, n) in patterns(&key.0, numbers) {
            rows.push(vec![times(&pattern, n), with_thousands(key.1.saturating_mul(n)), key.2.clone()]);
        }
    }
    align(&rows, &[1], out);
}

fn print_casts(plan: &Plan, out: &mut String) {
    if plan.casts.is_empty() {
        return;
    }
    out.push_str("\ncasts\n");
    let row = |casts: &Casts| {
        let change = format!("{} -> {}", casts.from, casts.to);
        vec![times(&casts.operand, casts.count), casts.operation.clone(), change]
    };
    let rows: Vec<Vec<String>> = plan.casts.iter().map(row).collect();
    align(&rows, &[], out);
}

fn print_files(layout: &OutputLayout, out: &mut String) {
    out.push_str("\nfiles\n");
    let header = |n: usize| format!("header {}", with_thousands(n as u64));
    let mut rows: Vec<Vec<String>> = layout
        .files
        .iter()
        .map(|f| {
            vec![f.name.clone(), bytes(f.bytes), header(f.header.len()), count(f.parts.len() as u64, "part")]
        })
        .collect();
    rows.extend(layout.sidecars.iter().map(|s| vec![s.name.clone(), bytes(s.bytes.len() as u64)]));
    align(&rows, &[1], out);
}

fn arm(arm: &ArmRef) -> String {
    format!("{} {}", arm.number, arm.pattern)
}

fn bytes(n: u64) -> String {
    format!("{} B", with_thousands(n))
}

fn times(pattern: &str, n: u64) -> String {
    if n == 1 { pattern.to_owned() } else { format!("{pattern} ×{n}") }
}

/// Writes rows indented by two, columns two spaces apart, those of `right` flush right.
pub(crate) fn align(rows: &[Vec<String>], right: &[usize], out: &mut String) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = (*widest).max(width),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let mut text = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            text.push_str("  ");
            if right.contains(&column) {
                text.push_str(&padding);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&padding);
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[test]
    fn a_plan_reads_well() {
        let plan = sample::moe();
        let layout = OutputLayout::of(&plan).unwrap();
        insta::assert_snapshot!(print_plan(&plan, &layout), @r"
        plan `sample`: 924 kB -> 282 kB as safetensors, 3.280x
        arch `itera_lite`: vocab 2000, hidden 64, experts 4

        selections
          experts in layers.{1,3}.moe.layer ×2  keep 3 of 4 by l2  8 voters

        tensors
          tensor                                               shape               format                                                  bytes  arm
          embedding.weight = lm_head.weight                    [2000, 64]          f32 -> int8(per: tensor, clip: mse)                   128,004  1 embedding.weight
          layers.{0..=3}.ssm.in_proj.weight ×4                 [256, 64]           f32 -> fp16                                           131,072  3 layers.*.ssm.**
          layers.{0..=3}.ssm.A_log ×4                          [8]                 f32 -> fp16                                                64  3 layers.*.ssm.**
          layers.{1,3}.moe.layer.router.gate.weight ×2         [4, 64] -> [3, 64]  f32 kept, experts cut                                   1,536  4 _
          layers.{1,3}.moe.layer.experts.{0..=2}.w1.weight ×6  [32, 64]            f32 -> nf4(block: 64, double: true), kept of experts    6,384  2 layers.*.moe.**.{w1,w2}.weight
          layers.{1,3}.moe.layer.experts.{0..=2}.w2.weight ×6  [64, 32]            f32 -> nf4(block: 64, double: true), kept of experts    6,384  2 layers.*.moe.**.{w1,w2}.weight
          head.weight                                          [64, 64]            f32 -> bf16, 2 of 4 stay                                8,192  4 _

        dropped
          layers.{1,3}.moe.layer.router.expert_counts ×2  32  5 **.expert_counts

        files
          model.safetensors  290,828 B  header 9,192  61 parts

        total
          source  22 tensors     923,808 B
          output  24 tensors     281,636 B
          files   1 file         290,828 B
          memory  16 threads  70,329,320 B
        ");
    }
}
