//! Processor and memory: what there is, and how fast memory is read and copied.

use std::hint::black_box;
use std::time::{Duration, Instant};

use icpc_kernels::{Backend, Cpu};
use rayon::prelude::*;
use serde::Serialize;

/// Bytes that the measurement reads and copies: beyond the caches.
const BYTES: usize = 64 << 20;

/// What runs on the processor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Its name, where the system tells it.
    pub processor: Option<String>,
    /// Threads that this process may use.
    pub threads: usize,
    /// Kernel variants that the processor has, the best last.
    pub kernels: Vec<&'static str>,
    /// Why the variant that the environment asks for cannot be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_problem: Option<String>,
    /// Bytes of memory, where the system tells them.
    pub memory: Option<u64>,
    /// Bytes that a new program can have.
    pub available: Option<u64>,
    /// Measured.
    pub bandwidth: Bandwidth,
}

/// GB/s of all threads together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bandwidth {
    /// Reading memory.
    pub read: f64,
    /// Copying memory: bytes copied, not bytes moved.
    pub copy: f64,
}

impl Machine {
    pub(super) fn examine() -> Machine {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Machine {
            processor: field(&cpuinfo, "model name").map(str::to_owned),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            kernels: Cpu::variants().iter().map(Backend::name).collect(),
            override_problem: Cpu::detect().err().map(|error| error.to_string()),
            memory: kib(&meminfo, "MemTotal"),
            available: kib(&meminfo, "MemAvailable"),
            bandwidth: bandwidth(),
        }
    }
}

/// The value of the first line `key : value`.
fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(k, _)| k.trim() == key)?;
    Some(value.trim())
}

fn kib(text: &str, key: &str) -> Option<u64> {
    field(text, key)?.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Measure for about a fifth of a second.
pub fn bandwidth() -> Bandwidth {
    let source = vec![1u8; BYTES];
    let mut target = vec![0u8; BYTES];
    let read = best(|| {
        source.par_chunks(1 << 20).for_each(|piece| {
            let (words, _) = piece.as_chunks::<8>();
            black_box(words.iter().fold(0u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word))));
        });
    });
    let copy = best(|| {
        let pieces = source.par_chunks(1 << 20).zip(target.par_chunks_mut(1 << 20));
        pieces.for_each(|(from, to)| to.copy_from_slice(black_box(from)));
    });
    Bandwidth { read, copy }
}

/// GB/s of the shortest of several runs.
fn best(mut work: impl FnMut()) -> f64 {
    let (begin, mut shortest) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < Duration::from_millis(100) || shortest == Duration::MAX {
        let start = Instant::now();
        work();
        shortest = shortest.min(start.elapsed());
    }
    BYTES as f64 / shortest.as_secs_f64().max(1e-9) / 1e9
}

#[cfg(test)]
mod tests {
    use super::{field, kib};

    #[test]
    fn fields_of_proc() {
        let text = "MemTotal:       24690960 kB\nMemAvailable:   23000000 kB\nmodel name\t: EPYC\n";
        assert_eq!(kib(text, "MemTotal"), Some(24_690_960 * 1024));
        assert_eq!(field(text, "model name"), Some("EPYC"));
        assert_eq!(kib(text, "MemFree"), None);
        assert_eq!(kib("MemTotal: many kB", "MemTotal"), None);
    }
}
