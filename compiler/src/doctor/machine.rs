//! Processor and memory: what there is, and how fast memory is read and copied.

use icpc_kernels::{Backend, Cpu};
use serde::Serialize;

/// Bytes that the measurement reads and copies: beyond most caches.
const BYTES: usize = 128 << 20;

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
        let threads = crate::exec::threads(None);
        let measured = icpc_kernels::bandwidth::memory(threads, BYTES);
        Machine {
            processor: field(&cpuinfo, "model name").map(str::to_owned),
            threads,
            kernels: Cpu::variants().iter().map(Backend::name).collect(),
            override_problem: Cpu::detect().err().map(|error| error.to_string()),
            memory: kib(&meminfo, "MemTotal"),
            available: kib(&meminfo, "MemAvailable"),
            bandwidth: Bandwidth { read: measured.read, copy: measured.copy },
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
