//! What stops a run, what it says, and that nothing is left behind.

use icpc_kernels::DType;
use icpc_kernels::format::{Clip, Format, Per};

use crate::exec::fixture::{Fixture, bytes, names, weights};
use crate::exec::{RunError, RunOptions, Silent, run};
use crate::plan::ir::Plan;
use crate::plan::sample::{cast, int8, nf4, plan, tensor};

fn one(format: Format) -> Plan {
    plan(vec![
        tensor("first.weight", DType::F32, &[40, 256], format),
        tensor("second.weight", DType::F32, &[64, 128], format),
    ])
}

/// A checkpoint for [`one`] with a value put at flat index `at` of the second tensor.
fn spoiled(value: f32, at: usize) -> Fixture {
    let mut second = weights("second.weight", 64 * 128);
    second[at] = value;
    let first = bytes(DType::F32, &weights("first.weight", 40 * 256));
    Fixture::new(&[
        ("first.weight".to_owned(), DType::F32, vec![40, 256], first),
        ("second.weight".to_owned(), DType::F32, vec![64, 128], bytes(DType::F32, &second)),
    ])
}

fn fails(fixture: &Fixture, plan: &Plan, options: &RunOptions) -> String {
    let before = names(fixture.folder.path());
    let error: RunError = run(plan, &fixture.schema, options, &Silent).unwrap_err();
    assert_eq!(names(fixture.folder.path()), before, "something is left behind");
    fixture.shown(&error)
}

#[test]
fn values_that_cannot_be_stored_are_named() {
    let mut said = Vec::new();
    let nan = spoiled(f32::NAN, 130);
    for format in [
        nf4(false),
        nf4(true),
        int8(Per::Tensor, Clip::MinMax),
        int8(Per::Channel { axis: 1 }, Clip::Mse),
        cast(DType::Bf16),
    ] {
        for threads in [1, 3] {
            let options =
                RunOptions { threads: Some(threads), chunk_elements: Some(4096), ..nan.options("out") };
            said.push(fails(&nan, &one(format), &options));
        }
    }
    said.dedup();
    let large = spoiled(1e5, 8000);
    said.push(fails(&large, &one(cast(DType::F16)), &large.options("out")));
    insta::assert_snapshot!(said.join("\n"), @r"
    DIR/source/model.safetensors: encoding tensor `second.weight`: element [1, 2] is NaN; `keep` stores it as it is
    DIR/source/model.safetensors: encoding tensor `second.weight`: element [62, 64] is 1e5, beyond the range of f16; `saturate: true` stores the largest value, `bf16` or `keep` the value
    ");
    let kept = nan.run(&one(Format::Keep), "kept").unwrap();
    assert_eq!(kept.totals.stored_bytes, kept.totals.source_bytes);
}

#[test]
fn outputs_that_may_not_be_written_are_refused() {
    let plan = one(cast(DType::F16));
    let fixture = Fixture::of(&plan);
    let source = fixture.checkpoint.parent().unwrap();
    let mut said = Vec::new();
    let mut fail = |options: &RunOptions| said.push(fails(&fixture, &plan, options));
    fixture.run(&one(cast(DType::Bf16)), "there").unwrap();
    fail(&fixture.options("there"));
    fail(&RunOptions { output: fixture.checkpoint.clone(), ..fixture.options("x") });
    fail(&RunOptions {
        output: source.join("out"),
        checkpoint: source.to_path_buf(),
        ..fixture.options("x")
    });
    fail(&RunOptions { output: source.to_path_buf(), force: true, ..fixture.options("x") });
    fail(&RunOptions { output: source.join("model.safetensors/out"), ..fixture.options("x") });
    fail(&RunOptions { output: "..".into(), ..fixture.options("x") });
    std::fs::write(fixture.output("file"), "x").unwrap();
    fail(&RunOptions { force: true, ..fixture.options("file") });
    insta::assert_snapshot!(said.join("\n"), @r"
    DIR/there: creating the output: it exists already; `--force` replaces it
    DIR/source/model.safetensors: creating the output: the output is the input `DIR/source/model.safetensors`; choose another folder
    DIR/source/out: creating the output: the output lies inside the input `DIR/source`; choose another folder
    DIR/source: creating the output: the output contains the input `DIR/source/model.safetensors`; choose another folder
    DIR/source/model.safetensors/out: creating the output: Not a directory (os error 20)
    ..: creating the output: the path names no folder; give the name of a new folder
    DIR/file: creating the output: it exists and is not a folder; choose another name
    ");
}

#[test]
#[cfg(unix)]
fn a_read_only_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let plan = one(cast(DType::F16));
    let fixture = Fixture::of(&plan);
    let locked = fixture.output("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    // root may write anywhere
    if std::fs::write(locked.join("probe"), "").is_err() {
        let said = fails(&fixture, &plan, &fixture.options("locked/out"));
        insta::assert_snapshot!(said, @"DIR/locked/out: creating the output: permission is denied; choose a folder that may be written");
    }
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn force_replaces_only_after_success() {
    let plan = one(cast(DType::F16));
    let fixture = spoiled(1e5, 8000);
    let output = fixture.output("out");
    std::fs::create_dir(&output).unwrap();
    let force = RunOptions { force: true, ..fixture.options("out") };
    std::fs::write(output.join("mine.txt"), "mine").unwrap();
    let said = fails(&fixture, &plan, &force);
    insta::assert_snapshot!(said, @"DIR/out: creating the output: it holds `mine.txt`, which no run wrote; `--force` replaces outputs only: choose another folder");
    assert_eq!(names(&output), ["mine.txt"]);
    std::fs::rename(output.join("mine.txt"), output.join("report.md")).unwrap();
    fails(&fixture, &plan, &force);
    assert_eq!(names(&output), ["report.md"]);
    run(&one(cast(DType::Bf16)), &fixture.schema, &force, &Silent).unwrap();
    assert_eq!(names(&output), ["model.safetensors", "plan.json", "report.json", "report.md"]);
    assert_eq!(names(fixture.folder.path()), ["out", "source"]);
}

#[test]
fn a_checkpoint_that_changed_is_noticed() {
    let plan = one(cast(DType::F16));
    let fixture = Fixture::of(&plan);
    let bytes = std::fs::read(&fixture.checkpoint).unwrap();
    std::fs::write(&fixture.checkpoint, &bytes[..bytes.len() - 4]).unwrap();
    let mut said = vec![fails(&fixture, &plan, &fixture.options("out"))];
    let mut schema = fixture.schema.clone();
    std::fs::write(&fixture.checkpoint, &bytes).unwrap();
    schema.files[0].modified = Some(1);
    said.push(fixture.shown(&run(&plan, &schema, &fixture.options("out"), &Silent).unwrap_err()));
    std::fs::remove_file(&fixture.checkpoint).unwrap();
    said.push(fails(&fixture, &plan, &fixture.options("out")));
    insta::assert_snapshot!(said.join("\n"), @r"
    DIR/source/model.safetensors: opening: the checkpoint changed under the run: 73888 bytes became 73884; start again once nothing writes to it
    DIR/source/model.safetensors: opening: the checkpoint changed under the run: it was written to since its header was read; start again once nothing writes to it
    DIR/source/model.safetensors: opening: no such file or folder
    ");
}

/// Rewrites the checkpoint when encoding begins.
struct Meddler<'a>(&'a std::path::Path, std::sync::atomic::AtomicBool);

impl crate::exec::Progress for Meddler<'_> {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _bytes: u64) {
        if !self.1.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let bytes = std::fs::read(self.0).unwrap();
            std::fs::write(self.0, [&bytes[..], &[0]].concat()).unwrap();
        }
    }
    fn end(&self) {}
}

/// Panics in the middle of a run.
struct Panics;

impl crate::exec::Progress for Panics {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _bytes: u64) {
        panic!("a mistake");
    }
    fn end(&self) {}
}

#[test]
fn a_checkpoint_that_changes_under_the_run_is_noticed() {
    let plan = one(cast(DType::F16));
    let fixture = Fixture::of(&plan);
    let meddler = Meddler(&fixture.checkpoint, false.into());
    let error = run(&plan, &fixture.schema, &fixture.options("out"), &meddler).unwrap_err();
    insta::assert_snapshot!(fixture.shown(&error), @"DIR/source/model.safetensors: reading: the checkpoint changed under the run: 73888 bytes became 73889; start again once nothing writes to it");
    assert_eq!(names(fixture.folder.path()), ["source"]);
}

#[test]
fn a_panic_leaves_nothing_behind() {
    let plan = one(cast(DType::F16));
    let fixture = Fixture::of(&plan);
    for threads in [1, 3] {
        let options =
            RunOptions { threads: Some(threads), chunk_elements: Some(4096), ..fixture.options("out") };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&plan, &fixture.schema, &options, &Panics)
        }));
        assert!(result.is_err());
        assert_eq!(names(fixture.folder.path()), ["source"]);
    }
}

#[test]
fn plans_that_do_not_fit_the_checkpoint_are_refused() {
    let fixture = Fixture::of(&one(cast(DType::F16)));
    let mut said = Vec::new();
    let mut bad = one(cast(DType::F16));
    bad.tensors[1].source_shape = vec![128, 64];
    bad.tensors[1].shape = vec![128, 64];
    said.push(fails(&fixture, &bad, &fixture.options("out")));
    let missing = plan(vec![tensor("third.weight", DType::F32, &[4], Format::Keep)]);
    said.push(fails(&fixture, &missing, &fixture.options("out")));
    insta::assert_snapshot!(said.join("\n"), @r"
    model.safetensors: reading tensor `second.weight`: its shape or dtype is not the one that was planned for
    model.safetensors: reading tensor `third.weight`: the checkpoint has no such tensor
    ");
}
