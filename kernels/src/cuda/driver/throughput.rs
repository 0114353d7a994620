//! Kernels beside a copy within the device's memory, which bounds them: bytes read and written, in the same time.

use super::super::launch::{Family, Fault, Lane, Place, Room, Word, Word::*};
use super::super::sources;
use super::lane::GpuLane;
use crate::{DType, KernelError};
use std::fmt;

/// Bytes of the source that is asked for, and at least.
const MOST: usize = 1 << 30;
const LEAST: usize = 1 << 26;
/// Runs of one measurement.
const RUNS: u32 = 10;
/// Elements of a block, and of a group.
const BLOCK_SHIFT: u64 = 6;

/// One kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// The kernel and the type of its source: `quantize_nf4 of f32`.
    pub name: String,
    /// GB/s, of bytes read and written.
    pub rate: f64,
    /// The part of the copy's rate.
    pub part: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Throughput {
    /// The device's name.
    pub device: String,
    /// Bytes of the source.
    pub bytes: u64,
    /// GB/s of a copy within its memory, of bytes read and written.
    pub copy: f64,
    /// Kernels.
    pub kernels: Vec<Rate>,
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.bytes >> 20;
        writeln!(f, "{}, {mib} MiB, GB/s read and written; a copy: {:.0}", self.device, self.copy)?;
        for Rate { name, rate, part } in &self.kernels {
            writeln!(f, "  {name:<24} {rate:>6.0}  {:>3.0}% of the copy", part * 100.0)?;
        }
        Ok(())
    }
}

/// A kernel to measure.
struct Case {
    family: Family,
    source: DType,
    kernel: &'static str,
    /// Bytes read and written for each element.
    traffic: f64,
}

/// Measure on a lane, in as much memory as there is, at most 2 GiB.
pub(super) fn measure(lane: &mut GpuLane) -> Result<Throughput, KernelError> {
    let mut bytes = MOST;
    let base = loop {
        match lane.reserve(2 * bytes as u64 + (bytes as u64 >> 4) + 4096) {
            Ok(base) => break base,
            Err(Fault::Memory { .. }) if bytes > LEAST => bytes /= 2,
            Err(Fault::Memory { bytes }) => {
                let what = format!("{} has no {} MiB free to measure in", lane.gpu().name(), bytes >> 20);
                return Err(KernelError::Device { what });
            }
            Err(Fault::Kernel(error)) => return Err(error),
        }
    };
    // finite in every float type
    lane.fill(base, 2 * bytes as u64 + (bytes as u64 >> 4), 0x3c)?;
    let copy = |lane: &mut GpuLane| lane.copy_within(base, base + bytes as u64, bytes as u64);
    let copied = rate(lane, 2.0 * bytes as f64, copy)?;
    let case = |family, source, kernel, traffic| Case { family, source, kernel, traffic };
    let mut kernels = Vec::new();
    for case in [
        case(sources::CODE4, DType::F32, "quantize_nf4", 4.0 + 0.5 + 4.0 / 64.0),
        case(sources::CODE4, DType::Bf16, "quantize_nf4", 2.0 + 0.5 + 4.0 / 64.0),
        case(sources::CODE4, DType::F32, "dequantize_nf4", 4.0 + 0.5 + 4.0 / 64.0),
        case(sources::INT, DType::F32, "quantize_int8", 4.0 + 1.0 + 16.0 / 4096.0),
        case(sources::INT, DType::Bf16, "quantize_int8", 2.0 + 1.0 + 16.0 / 4096.0),
        case(sources::INT, DType::F32, "dequantize_int8", 4.0 + 1.0 + 16.0 / 4096.0),
        case(sources::CAST, DType::F32, "cast_bf16", 4.0 + 2.0),
    ] {
        let elements = bytes / case.source.width() as usize;
        let traffic = case.traffic * elements as f64;
        let rate = rate(lane, traffic, |lane| launch(lane, &case, bytes, elements as u64))?;
        let name = format!("{} of {}", case.kernel, case.source);
        kernels.push(Rate { name, rate, part: rate / copied });
    }
    Ok(Throughput { device: lane.gpu().name().to_owned(), bytes: bytes as u64, copy: copied, kernels })
}

/// GB/s of so many bytes, the first run left out.
fn rate(
    lane: &mut GpuLane,
    bytes: f64,
    ask: impl Fn(&mut GpuLane) -> Result<(), KernelError>,
) -> Result<f64, KernelError> {
    ask(lane)?;
    let time = lane.milliseconds(|lane| (0..RUNS).try_for_each(|_| ask(lane)))?;
    Ok(bytes * f64::from(RUNS) / (f64::from(time).max(1e-6) * 1e6))
}

fn launch(lane: &mut GpuLane, case: &Case, bytes: usize, elements: u64) -> Result<(), KernelError> {
    let mut room = Room::default();
    // a float of 4 bytes or a code goes to the second, absmax or codes of groups to the third
    let (left, right, small) = (room.take(bytes), room.take(bytes), room.take(bytes >> 4));
    let first = room.take(8);
    let mut work = room.open(lane, case.family, case.source).map_err(|fault| match fault {
        Fault::Kernel(error) => error,
        Fault::Memory { bytes } => KernelError::Device { what: format!("{bytes} bytes are gone") },
    })?;
    let words = words(case, [left, right, small, first], elements);
    work.launch(case.kernel, elements.div_ceil(8), 256, &words)
}

fn words(case: &Case, [left, right, small, first]: [Place; 4], elements: u64) -> Vec<Word> {
    let elements = Number(elements);
    let groups = [Number(0), Number(u64::MAX), Number(4096)];
    match case.kernel {
        "quantize_nf4" => {
            vec![At(left), At(right), At(small), elements, Number(BLOCK_SHIFT), At(first)]
        }
        "dequantize_nf4" => {
            vec![At(right), At(small), At(left), elements, Number(BLOCK_SHIFT), Number(0), At(first)]
        }
        "quantize_int8" => {
            let [offset, axis, inner] = groups;
            vec![At(left), At(right), At(small), elements, offset, axis, inner, Number(0), At(first)]
        }
        "dequantize_int8" => {
            let [offset, axis, inner] = groups;
            let (high, to) = (Number(0), Number(0));
            vec![At(right), At(small), At(left), elements, offset, axis, inner, high, to, At(first)]
        }
        _ => vec![At(left), At(right), elements, Number(0), At(first)],
    }
}
