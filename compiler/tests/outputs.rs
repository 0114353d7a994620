//! Outputs that cannot be written, with the program itself: exit code 3, a message that names the place, nothing left.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
    // The signal of such a write would end the process with nothing said and half of the output left.
    let output = shell("sh", &["-c"], folder.path(), "ulimit -f 100; $RUN out");
    let said = complaint(&output);
    assert!(said.contains("out/model.safetensors: ") && said.contains("`ulimit -f`"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
}

/// Writes a checkpoint of 8 GiB of zeros, which takes no place on the disk, and a recipe that is slow on it.
fn slow_recipe(folder: &Path) -> std::path::PathBuf {
    let header = r#"{"a.weight":{"dtype":"F32","shape":[32768,65536],"data_offsets":[0,8589934592]}}"#;
    let mut file = std::fs::File::create(folder.join("zeros.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + (8 << 30)).unwrap();
    let recipe = folder.join("slow.icp");
    let text = "recipe slow {
        checkpoint \"zeros.safetensors\";
        assign { _ => int8(per: channel, axis: 1, clip: mse) }
        emit \"out/zeros\" as safetensors;
    }";
    std::fs::write(&recipe, text).unwrap();
    recipe
}

#[test]
fn a_run_that_is_asked_to_stop() {
    for signal in ["INT", "TERM", "HUP", "USR1"] {
        let folder = tempfile::tempdir().unwrap();
        let recipe = slow_recipe(folder.path());
        // tests in the background or under `nohup` ignore signals, and so would what they start
        let mut command = Command::new("env");
        command.args(["--default-signal", PROGRAM, "run"]).arg(recipe).arg("--quiet").stderr(Stdio::piped());
        let running = command.spawn().unwrap();
        let out = folder.path().join("out");
        let began = || std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some());
        let since = std::time::Instant::now();
        while !began() {
            assert!(since.elapsed().as_secs() < 60, "nothing was begun");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let kill = format!("kill -{signal} {}", running.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("interrupted: ") && said.contains(&format!("stopped by SIG{signal}")),
            "{said}"
        );
        assert!(!out.exists(), "something is left");
    }
}

#[test]
fn a_processor_that_lacks_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = shell("sh", &["-c"], folder.path(), "ICPC_CPU=avx1024 $RUN out");
    let said = complaint(&output);
    assert!(said.contains("avx1024") && said.contains("scalar, avx2, avx512"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
}

/// `as bitsandbytes` writes the source's `config.json` again: what cannot be is said by the check, not by the end of a run.
#[test]
fn a_configuration_that_cannot_be_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"a.weight":{"dtype":"F32","shape":[4,16],"data_offsets":[0,256]}}"#;
    let weights = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 256]].concat();
    std::fs::write(folder.path().join("model.safetensors"), weights).unwrap();
    let recipe = |container: &str| {
        let path = folder.path().join(format!("{container}.icp"));
        let items = "checkpoint \"model.safetensors\"; assign { _ => nf4 }";
        let text = format!("recipe r {{ {items} emit \"out/{container}\" as {container}; }}");
        std::fs::write(&path, text).unwrap();
        path
    };
    for config in ["{\"loss\": NaN}", "[1]", "# yaml", "\u{feff}{}"] {
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let run = |container: &str| {
            Command::new(PROGRAM).arg("run").arg(recipe(container)).arg("--quiet").output().unwrap()
        };
        let refused = run("bitsandbytes");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{config}: {said}");
        assert!(said.contains("`config.json` cannot be carried over"), "{config}: {said}");
        assert!(!folder.path().join("out").exists(), "{config}");
        // Our own container has no use for it.
        let output = run("safetensors");
        assert!(output.status.success(), "{config}: {output:?}");
        std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    }
}
