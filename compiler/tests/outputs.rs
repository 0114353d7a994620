//! Outputs that cannot be written, with the program itself: exit code 3, a message that names the place, nothing left.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/mixed.icp");

/// Runs the quickstart recipe in a shell: `$RUN` is the command without its output.
fn shell(program: &str, before: &[&str], folder: &Path, script: &str) -> Output {
    let run = format!("{PROGRAM} run {RECIPE} --quiet --out");
    let mut command = Command::new(program);
    command.args(before).arg(script).current_dir(folder).env("RUN", run).env_remove("ICPC_CPU");
    command.output().unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A shell that may mount file systems; nothing, said aloud, where user namespaces are forbidden.
fn mounting(folder: &Path, script: &str) -> Option<Output> {
    let may = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if may.is_ok_and(|output| output.status.success()) {
        return Some(shell("unshare", &["-rm", "sh", "-c"], folder, script));
    }
    eprintln!("not tested: this machine lets nobody mount a file system");
    None
}

#[test]
fn a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("small")).unwrap();
    let script = "mount -t tmpfs -o size=300k none small && $RUN small/out; code=$?
        mount -o remount,size=50m small && $RUN small/out; ls -A small; exit $code";
    if let Some(output) = mounting(folder.path(), script) {
        let said = complaint(&output);
        assert!(said.contains("small/out") && said.contains("the disk is full"), "{said}");
        // once there is space, the same command goes on
        assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n");
    }
}

#[test]
fn a_read_only_file_system() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("locked")).unwrap();
    let script = "mount -t tmpfs -o ro none locked && $RUN locked/out";
    if let Some(output) = mounting(folder.path(), script) {
        let said = complaint(&output);
        assert!(said.contains("locked/out") && said.contains("the file system is read-only"), "{said}");
    }
}

#[test]
fn a_file_that_may_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    let output = shell("sh", &["-c"], folder.path(), "trap '' XFSZ; ulimit -f 100; $RUN out");
    let said = complaint(&output);
    assert!(said.contains("out/model.safetensors: ") && said.contains("File too large"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
}

#[test]
fn a_processor_that_lacks_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = shell("sh", &["-c"], folder.path(), "ICPC_CPU=avx1024 $RUN out");
    let said = complaint(&output);
    assert!(said.contains("avx1024") && said.contains("scalar, avx2, avx512"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
}
