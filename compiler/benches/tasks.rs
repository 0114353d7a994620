//! One run as 1, 2 and 4 tasks, and how soon a run that was killed goes on, with the program itself.
//!
//! `cargo bench -p icpc --bench tasks -- [GB] [FOLDER]`: 8 GB by default, in `/dev/shm` where there is one. All tasks are on
//! this machine, so that more of them than cores cannot be faster: what is seen is what sharing costs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SIDE: u64 = 4096;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let gigabytes: f64 = arguments.next().map_or(Ok(8.0), |text| text.parse())?;
    let parent = arguments.next().map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let parent = if parent.is_dir() { parent } else { std::env::temp_dir() };
    let folder = parent.join(format!("icpc-tasks-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let result = measure(&folder, gigabytes);
    fs::remove_dir_all(&folder)?;
    result
}

fn measure(folder: &Path, gigabytes: f64) -> Result<(), Failure> {
    let count = ((gigabytes * 1e9) as u64).div_ceil(SIDE * SIDE * 2);
    write_checkpoint(&folder.join("model.safetensors"), count)?;
    let recipe = "recipe shared {
        checkpoint \"model.safetensors\";
        assign { _ => nf4(block: 64, double: true) }
        emit \"out\" as safetensors(shards: 200 MB);
    }\n";
    fs::write(folder.join("shared.icp"), recipe)?;
    println!(
        "{count} matrices of {SIDE} x {SIDE} bf16 to nf4, {:.2} GB",
        (count * SIDE * SIDE * 2) as f64 / 1e9
    );
    let cores = std::thread::available_parallelism()?.get();
    for tasks in [1, 2, 4] {
        let threads = (cores / tasks).max(1);
        let began = Instant::now();
        let children: Vec<Child> =
            (0..tasks).map(|rank| start(folder, rank, tasks, threads)).collect::<Result<_, _>>()?;
        let mut read = Vec::new();
        for mut child in children {
            read.push(bytes_read(&mut child)? as f64 / 1e9);
        }
        let seconds = began.elapsed().as_secs_f64();
        let most = read.iter().copied().fold(0.0, f64::max);
        println!(
            "{tasks} tasks of {threads} threads {seconds:7.2} s  {:5.2} GB/s  at most {most:.2} GB read by a task",
            (count * SIDE * SIDE * 2) as f64 / 1e9 / seconds
        );
        if !folder.join("out/model.safetensors.index.json").is_file() {
            return Err("the output is not whole".into());
        }
        if tasks < 4 {
            fs::remove_dir_all(folder.join("out"))?;
        }
    }
    fs::remove_dir_all(folder.join("out"))?;
    resume(folder, cores)
}

fn start(folder: &Path, rank: usize, tasks: usize, threads: usize) -> Result<Child, Failure> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icpc"));
    command.args(["run", "shared.icp", "--quiet", "--threads", &threads.to_string()]);
    command.args(["--task", &format!("{rank}/{tasks}")]).current_dir(folder);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// A counter of the process, as the system keeps it.
fn counter(child: &Child, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/io", child.id())).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Waits for the end of a task; bytes that it read until shortly before.
fn bytes_read(child: &mut Child) -> Result<u64, Failure> {
    let mut read = 0;
    loop {
        read = counter(child, "rchar:").unwrap_or(read).max(read);
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(read),
            Some(status) => return Err(format!("a task ended with {status}").into()),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Kills a run in its middle and starts it again: from the start of the process to its first weights.
fn resume(folder: &Path, cores: usize) -> Result<(), Failure> {
    const FIRST_WEIGHTS: u64 = 1 << 20;
    let mut taken = Vec::new();
    let first = |child: &Child, since: Instant| {
        while counter(child, "wchar:").is_some_and(|bytes| bytes < FIRST_WEIGHTS) {
            std::thread::sleep(Duration::from_micros(200));
        }
        since.elapsed()
    };
    for _ in 0..5 {
        let began = Instant::now();
        let mut child = start(folder, 0, 1, cores)?;
        let fresh = first(&child, began);
        std::thread::sleep(Duration::from_millis(400));
        child.kill()?;
        child.wait()?;
        let began = Instant::now();
        let mut child = start(folder, 0, 1, cores)?;
        taken.push((first(&child, began), fresh));
        child.kill()?;
        child.wait()?;
        fs::remove_dir_all(folder.join(".out.partial"))?;
        fs::remove_dir_all(folder.join(".out.journal"))?;
    }
    taken.sort();
    if let Some((again, fresh)) = taken.get(taken.len() / 2) {
        println!(
            "first weights after a kill: {:.0} ms; of a fresh run: {:.0} ms",
            again.as_secs_f64() * 1e3,
            fresh.as_secs_f64() * 1e3
        );
    }
    Ok(())
}

/// Matrices of numbers that look like weights.
fn write_checkpoint(path: &Path, count: u64) -> Result<(), Failure> {
    let bytes = SIDE * SIDE * 2;
    let mut header = serde_json::Map::new();
    for index in 0..count {
        let place = serde_json::json!({
            "dtype": "BF16", "shape": [SIDE, SIDE], "data_offsets": [index * bytes, (index + 1) * bytes],
        });
        header.insert(format!("layers.{index}.weight"), place);
    }
    let text = serde_json::to_vec(&header)?;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&(text.len() as u64).to_le_bytes())?;
    file.write_all(&text)?;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let row: Vec<u8> = (0..SIDE * 64)
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = (state >> 40) as f32 / (1u64 << 24) as f32 * 0.2 - 0.1;
            ((value.to_bits() >> 16) as u16).to_le_bytes()
        })
        .collect();
    for _ in 0..count * (SIDE / 64) {
        file.write_all(&row)?;
    }
    Ok(file.flush()?)
}
