//! How long a plan takes, from a run that was or from a measurement of a quarter of a second.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use icpc_kernels::format::Format;
use icpc_kernels::{Backend, Cpu, DType, Encoder, KernelError, conformance};

use super::limit::Limit;
use super::request::Work;
use crate::base::{checked_len, human_bytes};
use crate::plan::plan_hash;
use crate::report::RunReport;

/// What the predicted time is multiplied by: nodes, file systems and neighbours differ.
pub const SAFETY: f64 = 4.0;

/// No job asks for less: a node may have to start, and Slurm counts in minutes.
pub const LEAST: u64 = 300;

/// How long reading is measured, and all kernels together; each at least once.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes that are read at most.
const READ: usize = 64 << 20;

/// Elements that are encoded: few, since the slowest kernel takes some milliseconds for them.
const ELEMENTS: u64 = 1 << 16;

/// Formats that are measured; where a plan has more, those that few bytes go through count as the slowest of these.
const FORMATS: usize = 8;

/// Where the time comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Rates {
    /// A run of the same plan.
    Reported {
        /// Its report.
        report: String,
        /// Seconds that it took.
        seconds: f64,
        /// With so many threads.
        threads: u64,
    },
    /// This machine, in bytes of the source a second; `None` where nothing could be measured.
    Measured {
        /// Reading the checkpoint.
        read: Option<f64>,
        /// The kernels, those that most bytes go through first.
        encode: Vec<Encoding>,
    },
}

/// How fast one thread encodes in a format.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// The format.
    pub format: String,
    /// Bytes of the source that go through it.
    pub bytes: u64,
    /// Bytes of the source a second.
    pub rate: f64,
}

/// A time limit and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Time {
    /// The limit.
    pub limit: Limit,
    /// One line.
    pub why: String,
}

/// Rates for a plan: of the report in one of `outputs` that belongs to the same plan, else measured.
pub fn rates(work: &Work<'_>, outputs: &[&str], files: &[String]) -> Rates {
    reported(work, outputs).unwrap_or_else(|| Rates::Measured {
        read: files.iter().find_map(|file| read_rate(Path::new(file))),
        encode: encodings(work),
    })
}

/// The limit for `tasks` tasks of `cpus` processors each.
pub fn time(work: &Work<'_>, rates: &Rates, tasks: u32, cpus: u32) -> Time {
    let workers = f64::from(tasks.max(1)) * f64::from(cpus.max(1));
    let (source, written) = (work.plan.source.tensor_bytes, work.layout.file_bytes);
    let (seconds, from) = match rates {
        Rates::Reported { report, seconds, threads } => {
            let slower = (*threads as f64 / workers).max(1.0);
            let from = format!("`{report}` says {seconds:.1} s with {threads} threads");
            (seconds * slower, from)
        }
        Rates::Measured { read, encode } => {
            let disk = read.unwrap_or(ASSUMED);
            // Source once, output twice: written, and read again by `icpc verify`.
            let moved = (source as f64 + 2.0 * written as f64) / disk;
            let worked: f64 = encode.iter().map(|e| e.bytes as f64 / (e.rate * workers)).sum();
            let how = if read.is_some() { "measured here" } else { "assumed" };
            let mut from = format!(
                "{} read, {} written and read again, at {}/s ({how})",
                human_bytes(source),
                human_bytes(written),
                human_bytes(disk as u64)
            );
            for Encoding { format, rate, .. } in encode {
                from += &format!(", {format} at {}/s a processor", human_bytes(*rate as u64));
            }
            if !encode.is_empty() {
                from += " (measured here)";
            }
            (moved + worked, from)
        }
    };
    let limit = (seconds * SAFETY) as u64;
    let limit = limit.max(LEAST).div_ceil(60).saturating_mul(60);
    let why = format!("{from}: {seconds:.0} s, times {SAFETY:.0}, at least {} minutes", LEAST / 60);
    Time { limit: Limit::Seconds(limit), why }
}

/// Bytes a second of a file system of which nothing is known.
const ASSUMED: f64 = 100e6;

/// The run of the same plan whose report lies in one of the folders.
fn reported(work: &Work<'_>, outputs: &[&str]) -> Option<Rates> {
    let hash = plan_hash(work.plan);
    outputs.iter().find_map(|output| {
        let path = Path::new(output).join("report.json");
        let report: RunReport = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        // The time of a run that went on, or was shared, is only that of its last part.
        let [worker] = report.provenance.workers.as_slice() else { return None };
        let whole = worker.tasks == 1 && report.time.seconds.is_finite();
        (whole && report.provenance.plan_hash == hash).then(|| Rates::Reported {
            report: path.display().to_string(),
            seconds: report.time.seconds.max(0.0),
            threads: worker.threads.max(1) as u64,
        })
    })
}

/// Bytes a second at which the file is read from where it lies, not from memory.
fn read_rate(path: &Path) -> Option<f64> {
    use std::io::Read;
    let mut file = File::open(path).ok()?;
    forget(&file);
    let mut buffer = vec![0u8; 4 << 20];
    let (begin, mut bytes) = (Instant::now(), 0usize);
    while bytes < READ && begin.elapsed() < PATIENCE {
        match file.read(&mut buffer).ok()? {
            0 => break,
            n => bytes += n,
        }
    }
    (bytes > 0).then(|| bytes as f64 / begin.elapsed().as_secs_f64().max(1e-6))
}

/// Lets the system drop what it holds of the file in memory: a node has not read it before.
#[cfg(target_os = "linux")]
fn forget(file: &File) {
    let length = std::num::NonZeroU64::new(READ as u64);
    let _ = rustix::fs::fadvise(file, 0, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn forget(_file: &File) {}

/// Every format and element type that is work, with the bytes of the source that go through it.
fn encodings(work: &Work<'_>) -> Vec<Encoding> {
    let mut sums: Vec<((Format, DType), u64)> = Vec::new();
    for tensor in &work.plan.tensors {
        let elements = checked_len(&tensor.source_shape).unwrap_or(0);
        let bytes = elements.saturating_mul(tensor.dtype.width());
        let key = (tensor.format, tensor.dtype);
        match sums.iter_mut().find(|(known, _)| *known == key) {
            Some((_, sum)) => *sum = sum.saturating_add(bytes),
            None if matches!(tensor.format, Format::Keep | Format::Drop) => {}
            None => sums.push((key, bytes)),
        }
    }
    sums.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let each = PATIENCE / u32::try_from(sums.len().clamp(1, FORMATS)).unwrap_or(1);
    let measured = sums.iter().take(FORMATS).filter_map(|((format, dtype), bytes)| {
        let rate = encode_rate(format, *dtype, each)?;
        Some(Encoding { format: format.to_string(), bytes: *bytes, rate })
    });
    let mut encodings: Vec<Encoding> = measured.collect();
    let rest = sums.iter().skip(FORMATS).map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
    if let Some(slowest) = encodings.iter_mut().min_by(|a, b| a.rate.total_cmp(&b.rate)) {
        slowest.bytes = slowest.bytes.saturating_add(rest);
    }
    encodings
}

/// Bytes of the source a second that one thread encodes.
fn encode_rate(format: &Format, dtype: DType, patience: Duration) -> Option<f64> {
    let backend: &dyn Backend = Cpu::detect().ok()?;
    let side = ELEMENTS.isqrt();
    let encoder = Encoder::new(format, &[side, side], dtype, ELEMENTS).ok()?;
    let row = conformance::elements(dtype, "normal", 4099);
    let length = usize::try_from(ELEMENTS * dtype.width()).ok()?;
    let input: Vec<u8> = row.into_iter().cycle().take(length).collect();
    let (begin, mut shortest) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < patience || shortest == Duration::MAX {
        let start = Instant::now();
        encode(backend, encoder.clone(), &input).ok()?;
        shortest = shortest.min(start.elapsed());
    }
    Some(length as f64 / shortest.as_secs_f64().max(1e-9))
}

/// The whole tensor as one chunk.
fn encode(backend: &dyn Backend, mut encoder: Encoder, input: &[u8]) -> Result<(), KernelError> {
    while encoder.needs_scan() {
        let mut scan = encoder.new_scan();
        encoder.scan(backend, 0, input, &mut scan)?;
        encoder.absorb(scan)?;
    }
    let range = encoder.main_range(0, encoder.layout().elements);
    let mut main = vec![0u8; usize::try_from(range.end - range.start).unwrap_or(0)];
    let encoded = encoder.encode(backend, 0, input, &mut main, true)?;
    encoder.finish(backend, &encoded.deferred.into_iter().collect::<Vec<_>>()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{OutputLayout, sample};

    fn limit(rates: &Rates, tasks: u32, cpus: u32) -> (String, String) {
        let plan = sample::moe();
        let layout = OutputLayout::of(&plan).unwrap();
        let work = Work { plan: &plan, layout: &layout, target: None, listing: false };
        let time = time(&work, rates, tasks, cpus);
        (time.limit.to_string(), time.why)
    }

    fn encoding(format: &str, rate: f64) -> Encoding {
        Encoding { format: format.to_owned(), bytes: 450_000, rate }
    }

    #[test]
    fn a_report_is_scaled_by_threads() {
        let rates = Rates::Reported { report: "out/report.json".into(), seconds: 100.0, threads: 16 };
        assert_eq!(limit(&rates, 1, 4).0, "00:27:00");
        assert_eq!(limit(&rates, 2, 8).0, "00:07:00");
        assert_eq!(limit(&rates, 9, 9).0, "00:07:00");
    }

    #[test]
    fn rates_are_said() {
        let rates =
            Rates::Measured { read: Some(2000.0), encode: vec![encoding("nf4", 3e3), encoding("int8", 5e2)] };
        let (limit, why) = limit(&rates, 1, 1);
        insta::assert_snapshot!(format!("{limit}\n{why}"), @r"
        02:01:00
        924 kB read, 291 kB written and read again, at 2.00 kB/s (measured here), nf4 at 3.00 kB/s a processor, int8 at 500 B/s a processor (measured here): 1803 s, times 4, at least 5 minutes
        ");
    }

    #[test]
    fn a_measurement_is_short_and_positive() {
        let plan = sample::moe();
        let layout = OutputLayout::of(&plan).unwrap();
        let work = Work { plan: &plan, layout: &layout, target: None, listing: false };
        let begin = Instant::now();
        let file = std::env::current_exe().unwrap().display().to_string();
        let Rates::Measured { read: Some(read), encode } = rates(&work, &["nowhere"], &[file]) else {
            panic!("nothing was measured")
        };
        assert!(read > 0.0 && encode.len() > 2 && encode.iter().all(|e| e.rate > 0.0), "{encode:?}");
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    }
}
