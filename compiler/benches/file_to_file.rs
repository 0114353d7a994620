//! From file to file: a checkpoint of bf16 matrices to each format, beside a plain copy of the same bytes.
//!
//! `cargo bench -p icpc --bench file_to_file -- [GB] [FOLDER] [FORMAT] [CHUNK]`: 4 GB by default, in `/dev/shm` where there is one. The
//! folder should be a memory file system: what is measured is the program, not a disk. Processor seconds stand beside
//! those of the clock, for machines that do other work at the same time.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use icpc::exec::{RunOptions, Silent, run};
use icpc::plan::ir::{ArmRef, OutputContainer, Plan, SourceFacts, TensorPlan, TensorSource};
use icpc_kernels::DType;
use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Per, Percentile};

const SIDE: u64 = 4096;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let gigabytes: f64 = numbers.next().map_or(Ok(4.0), |text| text.parse())?;
    let parent = numbers.next().map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let parent = if parent.is_dir() { parent } else { std::env::temp_dir() };
    let only = numbers.next().unwrap_or_default();
    let chunk = numbers.next().map(|text| text.parse()).transpose()?;
    let folder = parent.join(format!("icpc-bench-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let result = measure(&folder, gigabytes, &only, chunk);
    fs::remove_dir_all(&folder)?;
    result
}

fn measure(folder: &Path, gigabytes: f64, only: &str, chunk: Option<u64>) -> Result<(), Failure> {
    let checkpoint = folder.join("model.safetensors");
    let count = ((gigabytes * 1e9) as u64).div_ceil(SIDE * SIDE * 2);
    write_checkpoint(&checkpoint, count)?;
    let bytes = fs::metadata(&checkpoint)?.len();
    let copy = best(|| {
        let target = folder.join("copy");
        let start = Instant::now();
        let status = std::process::Command::new("cp").arg(&checkpoint).arg(&target).status()?;
        let seconds = start.elapsed().as_secs_f64();
        fs::remove_file(&target)?;
        if status.success() { Ok(seconds) } else { Err("cp failed".into()) }
    })?;
    println!("{} matrices of {SIDE} x {SIDE} bf16, {:.2} GB", count, bytes as f64 / 1e9);
    println!("{:36} {copy:7.3} s  {:6.2} GB/s", "cp", bytes as f64 / 1e9 / copy);
    let int8 = |per, clip| Format::Int(Int { per, clip, ..Int::new(IntBits::Eight) });
    let nf4 = |double| Format::Code4(Code4 { double, ..Code4::new(Code4Kind::Nf4) });
    let mut formats = vec![Format::Keep, nf4(false), nf4(true), int8(Per::Channel { axis: 0 }, Clip::MinMax)];
    formats.push(int8(Per::Tensor, Clip::MinMax));
    if let Some(percentile) = Percentile::from_percent("99.99") {
        formats.push(int8(Per::Channel { axis: 0 }, Clip::Percentile(percentile)));
    }
    formats.extend(Cast::new(DType::F16, false).map(Format::Cast));
    for format in formats.into_iter().filter(|format| format.to_string().starts_with(only)) {
        let plan = plan(format, count);
        let schema = icpc::checkpoint::open(&checkpoint)?;
        let mut peak = None;
        let mut cpu = f64::INFINITY;
        let seconds = best(|| {
            let output = folder.join("out");
            let (start, before) = (Instant::now(), processor_seconds());
            let options = RunOptions { chunk_elements: chunk, ..RunOptions::new(&checkpoint, &output) };
            let report = run(&plan, &schema, &options, &Silent)?.report();
            let seconds = start.elapsed().as_secs_f64();
            peak = report.and_then(|report| report.time.peak_memory);
            cpu = cpu.min(processor_seconds() - before);
            fs::remove_dir_all(&output)?;
            Ok(seconds)
        })?;
        println!(
            "{:36} {seconds:7.3} s  {:6.2} GB/s  {:.2} of cp, {cpu:.2} s of processors, peak {} MiB",
            format.to_string(),
            bytes as f64 / 1e9 / seconds,
            seconds / copy,
            peak.unwrap_or(0) >> 20,
        );
    }
    Ok(())
}

/// User and system time of this process so far, where Linux tells it (in hundredths).
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Least of three.
fn best(mut once: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        least = least.min(once()?);
    }
    Ok(least)
}

fn write_checkpoint(path: &Path, count: u64) -> Result<(), Failure> {
    let size = SIDE * SIDE * 2;
    let entries: Vec<String> = (0..count)
        .map(|i| {
            let (from, to) = (i * size, (i + 1) * size);
            format!(r#""layers.{i}.weight":{{"dtype":"BF16","shape":[{SIDE},{SIDE}],"data_offsets":[{from},{to}]}}"#)
        })
        .collect();
    let mut header = format!("{{{}}}", entries.join(","));
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    // one matrix of values that look like weights, again and again
    let mut state = 1u64;
    let mut matrix = Vec::with_capacity(size as usize);
    for _ in 0..SIDE * SIDE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let sum: i64 = (0..4).map(|k| (state >> (16 * k) & 0xffff) as i64 - 0x8000).sum();
        let value = sum as f32 / 1e6;
        matrix.extend(((value.to_bits() >> 16) as u16).to_le_bytes());
    }
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for _ in 0..count {
        file.write_all(&matrix)?;
    }
    file.flush()?;
    Ok(())
}

fn plan(format: Format, count: u64) -> Plan {
    let tensor = |i: u64| {
        let name = format!("layers.{i}.weight");
        TensorPlan {
            name: name.clone(),
            aliases: Vec::new(),
            source: TensorSource::Tensor(name),
            dtype: DType::Bf16,
            source_shape: vec![SIDE, SIDE],
            shape: vec![SIDE, SIDE],
            cuts: Vec::new(),
            mask: None,
            format,
            arm: ArmRef { number: 1, pattern: "_".into() },
        }
    };
    Plan {
        recipe: "bench".to_owned(),
        source: SourceFacts {
            header_hash: String::new(),
            tensors: count,
            tensor_bytes: count * SIDE * SIDE * 2,
        },
        arch: None,
        container: OutputContainer::Safetensors,
        shard_bytes: None,
        selections: Vec::new(),
        tensors: (0..count).map(tensor).collect(),
        dropped: Vec::new(),
        casts: Vec::new(),
        calibrating: None,
        evaluation: None,
        calibration: None,
        derive: None,
        tune: None,
    }
}
