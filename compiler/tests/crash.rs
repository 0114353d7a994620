//! Runs that are killed, asked to end or stopped by the file system, with the program itself: the same command goes on,
//! and its output is that of a run that nobody disturbed. `ICPC_CRASHES` says how many kills there are.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");

const RECIPE: &str = r#"
arch mini {
    dim vocab, hidden, inner;

    table.weight : [vocab, hidden] @embedding;
    blocks[i] {
        up.weight   : [2 * inner, hidden] @linear;
        down.weight : [hidden, inner]     @linear;
    }

    residual hidden;
    default top: int = 2 <= inner;
}

recipe crash for mini {
    checkpoint "model.safetensors";
    prune dim inner in blocks.* { keep: 192 }
    assign {
        table.weight       => int8(per: tensor),
        blocks.*.up.weight => nf4(block: 64, double: true),
        blocks.0.**        => keep,
        _                  => fp16,
    }
}
"#;

/// A fixed generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// A folder with a checkpoint of 4 MB and the recipe.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut shapes = vec![("table.weight".to_owned(), [4000, 128])];
    for block in 0..6 {
        shapes.push((format!("blocks.{block}.up.weight"), [512, 128]));
        shapes.push((format!("blocks.{block}.down.weight"), [128, 256]));
    }
    let (mut header, mut data, mut random) = (serde_json::Map::new(), Vec::new(), Random(7));
    for (name, shape) in shapes {
        let begin = data.len();
        for _ in 0..shape[0] * shape[1] {
            let value = (random.next() % 2001) as f32 / 10_000.0 - 0.1;
            data.extend_from_slice(&value.to_le_bytes());
        }
        let place = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(name, place);
    }
    let text = serde_json::to_vec(&header).unwrap();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text);
    file.extend(data);
    std::fs::write(folder.path().join("model.safetensors"), file).unwrap();
    std::fs::write(folder.path().join("crash.icp"), RECIPE).unwrap();
    folder
}

fn command(folder: &Path, output: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "crash.icp", "--quiet", "--threads", "2", "--out", output]);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn finish(folder: &Path, output: &str) -> Output {
    let done = command(folder, output).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    done
}

/// Every file of an output, the report without its time.
fn contents(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(output).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mut bytes = std::fs::read(entry.path()).unwrap();
        if name == "report.json" {
            let mut report: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            report.as_object_mut().unwrap().remove("time");
            bytes = serde_json::to_vec(&report).unwrap();
        }
        if name != "report.md" {
            files.insert(name, bytes);
        }
    }
    files
}

fn hidden(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn killed_runs_go_on() {
    let crashes: usize = std::env::var("ICPC_CRASHES").map_or(40, |text| text.parse().unwrap());
    let folder = folder();
    let began = Instant::now();
    finish(folder.path(), "plain");
    let length = began.elapsed().as_micros() as u64;
    let plain = contents(&folder.path().join("plain"));
    let output = folder.path().join("out");
    let (mut random, mut killed, mut went_on) = (Random(11), 0, 0);
    while killed < crashes {
        let mut child = command(folder.path(), "out").spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.next() % length));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        killed += usize::from(!ended.status.success());
        went_on += usize::from(String::from_utf8_lossy(&ended.stderr).contains("goes on from there"));
        // the output has its name only when it is whole, also where the kill came a moment later
        if output.exists() {
            assert!(contents(&output) == plain, "after {killed} kills");
            std::fs::remove_dir_all(&output).unwrap();
        }
    }
    finish(folder.path(), "out");
    assert!(contents(&output) == plain);
    assert_eq!(hidden(folder.path()), [""; 0]);
    assert!(went_on > 0, "no run went on");
}

#[test]
fn runs_that_are_asked_to_end_say_how_to_go_on() {
    let folder = folder();
    let began = Instant::now();
    finish(folder.path(), "plain");
    let length = began.elapsed();
    let plain = contents(&folder.path().join("plain"));
    for (number, name) in ["-TERM", "-USR1", "-INT"].into_iter().cycle().take(9).enumerate() {
        let child = command(folder.path(), "out").spawn().unwrap();
        std::thread::sleep(length * (number as u32 + 1) / 10);
        signal(&child, name);
        let asked = Instant::now();
        let ended = child.wait_with_output().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        if ended.status.code() == Some(5) {
            let said = String::from_utf8(ended.stderr).unwrap();
            assert!(said.contains("interrupted") && said.contains("the same command"), "{said}");
        }
        if folder.path().join("out").exists() {
            std::fs::remove_dir_all(folder.path().join("out")).unwrap();
        }
    }
    finish(folder.path(), "out");
    assert!(contents(&folder.path().join("out")) == plain);
}

#[test]
fn another_plan_begins_anew() {
    let folder = folder();
    let began = Instant::now();
    finish(folder.path(), "plain");
    let length = began.elapsed();
    // until a kill leaves a journal with a first line
    let journal = folder.path().join(".out.journal");
    while std::fs::metadata(&journal).map_or(0, |found| found.len()) == 0 {
        let mut child = command(folder.path(), "out").spawn().unwrap();
        std::thread::sleep(length / 2);
        child.kill().unwrap();
        child.wait().unwrap();
        let _ = std::fs::remove_dir_all(folder.path().join("out"));
    }
    std::fs::write(folder.path().join("crash.icp"), RECIPE.replace("192", "128")).unwrap();
    let said = String::from_utf8(finish(folder.path(), "out").stderr).unwrap();
    assert!(said.contains("note: `.out.partial` is of another plan: it begins anew"), "{said}");
    finish(folder.path(), "plain2");
    assert!(contents(&folder.path().join("out")) == contents(&folder.path().join("plain2")));
}

#[test]
fn a_file_that_may_not_grow_does_no_harm() {
    let folder = folder();
    let limited = format!(
        "trap '' XFSZ; ulimit -f 1024; {PROGRAM} run crash.icp --quiet --threads 1 --out out; test $? = 3"
    );
    let failed = Command::new("sh").args(["-c", &limited]).current_dir(folder.path()).output().unwrap();
    assert!(failed.status.success(), "{failed:?}");
    finish(folder.path(), "out");
    finish(folder.path(), "plain");
    assert!(contents(&folder.path().join("out")) == contents(&folder.path().join("plain")));
}
