//! Runs that are killed, asked to end or stopped by the file system, with the program itself: the same command goes on,
//! and its output is that of a run that nobody disturbed. `ICPC_CRASHES` says how often they are.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

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

    forward(tokens: [batch, seq]) -> [batch, seq, vocab] {
        let x = embed(tokens, table.weight);
        for block in blocks {
            let (a, b) = chunk(linear(x, block.up.weight), 2);
            let x = x + linear(silu(a) * b, block.down.weight);
        }
        linear(x, table.weight)
    }
}

recipe crash for mini {
    checkpoint "model.safetensors";
    prune dim inner in blocks.* { keep: 192 }
    assign {
        table.weight       => int8(per: tensor),
        blocks.*.up.weight => nf4(block: 64, double: true),
        blocks.0.**        => keep,
        blocks.{1..=9}.down.weight => int8(per: channel, activations: static(percentile(99%))),
        _                  => fp16,
    }
    calibrate { data: "text.txt", tokenizer: "bytes", samples: 4, max_length: 16 }
    emit "out" as safetensors(shards: 1 MB);
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

/// A folder with a checkpoint of 12 MB and the recipe, whose output has several files.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut shapes = vec![("table.weight".to_owned(), [6000, 128])];
    for block in 0..24 {
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
    std::fs::write(
        folder.path().join("text.txt"),
        "what a model sees before its weights are stored. ".repeat(9),
    )
    .unwrap();
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
            report["provenance"].as_object_mut().unwrap().remove("workers");
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

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Kill,
    Terminate,
    TimeLimit,
    FullDisk,
    ShortReads,
}

const BLOWS: [Blow; 5] = [Blow::Kill, Blow::Terminate, Blow::TimeLimit, Blow::FullDisk, Blow::ShortReads];

/// Runs of one command, as one task or as three, each disturbed at a random point.
struct Trial {
    folder: tempfile::TempDir,
    random: Random,
    /// Microseconds of an undisturbed run.
    length: u64,
    /// How often each blow ended a run early.
    ended: BTreeMap<Blow, usize>,
    went_on: usize,
}

impl Trial {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a task whose files may have so many blocks of 512 bytes.
    fn start(&self, task: &str, blocks: Option<u64>) -> Child {
        let limit = blocks.map_or(String::new(), |blocks| format!("ulimit -f {blocks}; "));
        let line = format!("{limit}exec {PROGRAM} run crash.icp --quiet --threads 2 --out out --task {task}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(self.path());
        shell.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn wait(&mut self) {
        std::thread::sleep(Duration::from_micros(self.random.next() % self.length));
    }

    /// One disturbed run.
    fn strike(&mut self, blow: Blow) {
        let tasks =
            if self.random.next().is_multiple_of(3) { ["0/3", "1/3", "2/3"].as_slice() } else { &["0/1"] };
        let blocks = (blow == Blow::FullDisk).then(|| self.random.next() % 2400);
        let checkpoint = self.path().join("model.safetensors");
        let bytes = std::fs::read(&checkpoint).unwrap();
        let modified = std::fs::metadata(&checkpoint).unwrap().modified().unwrap();
        let children: Vec<Child> = tasks.iter().map(|task| self.start(task, blocks)).collect();
        self.wait();
        match blow {
            // one task is lost, and the others go on
            Blow::Kill => signal(&children[0], "-KILL"),
            Blow::Terminate => children.iter().for_each(|child| signal(child, "-TERM")),
            Blow::TimeLimit => children.iter().for_each(|child| signal(child, "-USR1")),
            Blow::FullDisk => {}
            Blow::ShortReads => {
                let cut = self.random.next() as usize % bytes.len();
                std::fs::File::options().write(true).open(&checkpoint).unwrap().set_len(cut as u64).unwrap();
            }
        }
        for child in children {
            let ended = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            *self.ended.entry(blow).or_default() += usize::from(!ended.status.success());
            self.went_on += usize::from(said.contains("goes on from there\n"));
            let expected: &[Option<i32>] = match blow {
                Blow::Kill => &[Some(0), None],
                Blow::Terminate | Blow::TimeLimit => &[Some(0), Some(5), None],
                // the header of a checkpoint that is cut off early is no header
                Blow::FullDisk | Blow::ShortReads => &[Some(0), Some(3), Some(1)],
            };
            assert!(expected.contains(&ended.status.code()), "{blow:?}: {}: {said}", ended.status);
        }
        if blow == Blow::ShortReads {
            std::fs::write(&checkpoint, bytes).unwrap();
            std::fs::File::options().write(true).open(&checkpoint).unwrap().set_modified(modified).unwrap();
        }
    }
}

#[test]
fn disturbed_runs_go_on() {
    let blows: usize = std::env::var("ICPC_CRASHES").map_or(200, |text| text.parse().unwrap());
    let folder = folder();
    let began = Instant::now();
    finish(folder.path(), "plain");
    let length = began.elapsed().as_micros() as u64;
    let plain = contents(&folder.path().join("plain"));
    let (ended, output) = (BTreeMap::new(), folder.path().join("out"));
    let mut trial = Trial { folder, random: Random(11), length, ended, went_on: 0 };
    let mut whole = 0;
    for number in 0..blows {
        trial.strike(BLOWS[number % BLOWS.len()]);
        // the output has its name only when it is whole, also where the blow came a moment later
        if output.exists() {
            assert!(contents(&output) == plain, "after {number}");
            std::fs::remove_dir_all(&output).unwrap();
            whole += 1;
        }
    }
    finish(trial.path(), "out");
    assert!(contents(&output) == plain);
    assert_eq!(hidden(trial.path()), [""; 0]);
    eprintln!("{:?} ended early, {} went on, {whole} times whole", trial.ended, trial.went_on);
    assert!(trial.went_on > 0 && BLOWS.iter().all(|blow| trial.ended.contains_key(blow)));
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
    assert!(said.contains("note: `.out.partial` is of another plan: "), "{said}");
    finish(folder.path(), "plain2");
    assert!(contents(&folder.path().join("out")) == contents(&folder.path().join("plain2")));
}
