//! The real checkpoints of the Itera-Lite history, where this machine has them.

use std::path::PathBuf;

use icpc::arch;
use icpc::checkpoint::open;

use crate::library;

fn unified(file: &str) -> Option<String> {
    let root = std::env::var_os("ICPC_BENCH_DATA").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")));
    let path = root.join("itera-lite/checkpoints").join(file);
    if !path.is_file() {
        println!("skipped: bench data absent");
        return None;
    }
    let schema = open(&path).unwrap();
    let model = arch::unify(&library("itera_lite"), &schema, &[]);
    Some(arch::print(&model, &schema))
}

#[test]
fn micro_fits() {
    let Some(text) = unified("distilled/itera_lite_micro_distilled.pt") else { return };
    insta::assert_snapshot!(text, @"");
}

#[test]
fn int4_is_micro() {
    let micro = unified("distilled/itera_lite_micro_distilled.pt");
    let int4 = unified("int4/itera_lite_int4.pt");
    let dims = |text: Option<String>| {
        text.map(|t| t.lines().filter(|l| l.contains("dim")).map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(dims(micro), dims(int4));
}

#[test]
fn mixed_has_lost_its_experts() {
    let Some(text) = unified("mixed_precision/itera_lite_mixed_precision.pt") else { return };
    insta::assert_snapshot!(text, @"");
}

/// Linear layers are packed: their weights have names of their own.
#[test]
fn int8_is_packed() {
    let Some(text) = unified("quantized/itera_lite_tiny_int8.pt") else { return };
    insta::assert_snapshot!(text, @"");
}
