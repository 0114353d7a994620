//! Products of running models on two threads: one token with a 4096×4096 weight in every storage, beside a plain read of the
//! same bytes in the same run, and prompts.
//!
//! `cargo bench -p icpc-kernels --bench model -- [FILTER] [--variant=avx2] [--threads=N] [--cached]`: weights are used in turns, so
//! that they come from memory; with `--cached` it is one. What was tried and what it brought is in
//! `kernels/README.md`.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use icpc_kernels::format::{Cast, Code4, Code4Kind, Format, Int, IntBits, Per};
use icpc_kernels::model::{
    ActivationScale, Attention, Gelu, Selective, Weight, attention, causal_conv1d, cross_entropy, gelu,
    layer_norm, linear, linear_int8, selective_scan, silu, softplus,
};
use icpc_kernels::{Cpu, DType, Role, memory};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIDE: u64 = 4096;

/// Bytes of the weights that are used in turns, so that a cache holds none of them.
const BEYOND_CACHES: usize = 256 << 20;

struct Bench {
    cpu: Cpu,
    filter: String,
    cached: bool,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let filter = arguments.iter().find(|argument| !argument.starts_with("--")).cloned().unwrap_or_default();
    let threads = option("--threads=").and_then(|threads| threads.parse().ok()).unwrap_or(2);
    let cached = arguments.iter().any(|argument| argument == "--cached");
    let bench = Bench { cpu: Cpu::choose(option("--variant=")).unwrap(), filter, cached };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        bench.tokens();
        bench.small();
        bench.prompts();
        bench.others();
    });
}

fn storages() -> Vec<(&'static str, Format)> {
    let cast = |to| Format::Cast(Cast::new(to, false).unwrap());
    let int = |bits, per| Format::Int(Int { per, ..Int::new(bits) });
    let code4 = |double| Format::Code4(Code4 { double, ..Code4::new(Code4Kind::Nf4) });
    vec![
        ("f32", Format::Keep),
        ("f16", cast(DType::F16)),
        ("bf16", cast(DType::Bf16)),
        ("int8 row", int(IntBits::Eight, Per::Channel { axis: 0 })),
        ("int8 block 64", int(IntBits::Eight, Per::Block(64))),
        ("int4 block 64", int(IntBits::Four, Per::Block(64))),
        ("nf4", code4(false)),
        ("nf4 double", code4(true)),
    ]
}

/// Parts of any bytes; floats are finite and about 1.
struct Stored {
    format: Format,
    shape: [u64; 2],
    parts: Vec<(Role, Vec<u8>)>,
}

impl Stored {
    fn new(format: Format, shape: [u64; 2]) -> Stored {
        let layout = format.layout(&shape, DType::F32).unwrap();
        let mut state = 1u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let parts = layout.parts.iter().map(|part| {
            let width = part.dtype.width() as usize;
            let mut bytes = memory::zeroed(part.bytes as usize).unwrap();
            for element in bytes.chunks_exact_mut(width) {
                element.iter_mut().for_each(|byte| *byte = next());
                if part.dtype.is_float() && width > 1 {
                    element[width - 1] = 0x3c;
                }
            }
            (part.role, bytes)
        });
        Stored { format, shape, parts: parts.collect() }
    }

    /// Once more in memory.
    fn copy(&self) -> Stored {
        let parts = self.parts.iter().map(|(role, bytes)| {
            let mut copy = memory::zeroed(bytes.len()).unwrap();
            copy.copy_from_slice(bytes);
            (*role, copy)
        });
        Stored { parts: parts.collect(), ..*self }
    }

    fn weight(&self) -> Weight<'_> {
        let part =
            |role| self.parts.iter().find(|(found, _)| *found == role).map(|(_, bytes)| bytes.as_slice());
        Weight::new(&self.format, &self.shape, DType::F32, part).unwrap()
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

fn values(length: usize) -> Vec<f32> {
    (0..length).map(|index| ((index * 7919 % 1000) as f32 - 500.0) / 300.0).collect()
}

impl Bench {
    /// Whether a row is asked for.
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    fn tokens(&self) {
        println!("{:<26} {:>9} {:>9} {:>7} {:>7}", "one token, 4096×4096", "ms", "read ms", "GB/s", "share");
        let (x, mut y) = (values(SIDE as usize), vec![0.0; SIDE as usize]);
        for (name, format) in storages() {
            self.beside_a_read(name, format, |weight| {
                linear(&self.cpu, 1, &x, weight, None, &mut y).unwrap();
            });
            if name == "int8 row" {
                self.beside_a_read("int8 row × int8", format, |weight| {
                    linear_int8(&self.cpu, 1, &x, weight, ActivationScale::Dynamic, None, &mut y).unwrap();
                });
            }
        }
    }

    /// Products of one token with weights that lie in the cache, as those of small models do: what is not the product itself counts.
    fn small(&self) {
        println!("{:<26} {:>9} {:>9}", "one token, from the cache", "µs", "Gflop/s");
        for (rows, columns) in [(64, 128), (128, 64), (8, 192), (192, 8), (384, 128)] {
            for (name, format) in storages() {
                let name = format!("{name} {columns}→{rows}");
                if !self.wants(&name) || format.layout(&[rows, columns], DType::F32).is_err() {
                    continue;
                }
                let stored = Stored::new(format, [rows, columns]);
                let (x, mut y) = (values(columns as usize), vec![0.0; rows as usize]);
                let weight = stored.weight();
                let time = best(&mut || {
                    for _ in 0..100 {
                        linear(&self.cpu, 1, &x, &weight, None, &mut y).unwrap();
                    }
                }) / 100.0;
                println!(
                    "{name:<26} {:>9.3} {:>9.1}",
                    time * 1e6,
                    2.0 * (rows * columns) as f64 / time / 1e9
                );
            }
        }
    }

    /// One product and one plain read in turns, so that both see the same machine.
    fn beside_a_read(&self, name: &str, format: Format, mut work: impl FnMut(&Weight<'_>)) {
        if !self.wants(name) {
            return;
        }
        let first = Stored::new(format, [SIDE, SIDE]);
        let bytes = first.bytes();
        let count = if self.cached { 1 } else { BEYOND_CACHES.div_ceil(bytes) };
        let all: Vec<Stored> = (0..count).map(|_| first.copy()).collect();
        let (mut product, mut read) = (Duration::MAX, Duration::MAX);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1500) {
            for stored in &all {
                let weight = stored.weight();
                let start = Instant::now();
                work(&weight);
                product = product.min(start.elapsed());
            }
            for stored in &all {
                let start = Instant::now();
                stored.parts.iter().for_each(|(_, bytes)| read_all(bytes));
                read = read.min(start.elapsed());
            }
        }
        let (product, read) = (product.as_secs_f64(), read.as_secs_f64());
        println!(
            "{name:<26} {:>9.3} {:>9.3} {:>7.1} {:>6.0}%",
            product * 1e3,
            read * 1e3,
            bytes as f64 / product / 1e9,
            read / product * 100.0
        );
    }

    fn prompts(&self) {
        println!("{:<26} {:>9} {:>9}", "prompts", "ms", "Gflop/s");
        for (tokens, rows, columns) in
            [(8, SIDE, SIDE), (128, SIDE, SIDE), (128, 256, 64), (128, 64, 128), (128, 2000, 64)]
        {
            for (name, format) in storages() {
                let (whole, operations) =
                    (format!("{tokens}×{columns}→{rows}"), 2.0 * (tokens as u64 * rows * columns) as f64);
                let (floats, integers) = (format!("{name} {whole}"), format!("{name} × int8 {whole}"));
                let integers = Some(integers).filter(|integers| name == "int8 row" && self.wants(integers));
                if !self.wants(&floats) && integers.is_none() {
                    continue;
                }
                let stored = Stored::new(format, [rows, columns]);
                let (x, mut y) = (values(tokens * columns as usize), vec![0.0; tokens * rows as usize]);
                let weight = stored.weight();
                self.rate(&floats, operations, || {
                    linear(&self.cpu, tokens, &x, &weight, None, &mut y).unwrap();
                });
                let Some(integers) = integers else { continue };
                self.rate(&integers, operations, || {
                    linear_int8(&self.cpu, tokens, &x, &weight, ActivationScale::Dynamic, None, &mut y)
                        .unwrap();
                });
            }
        }
    }

    fn rate(&self, name: &str, operations: f64, mut work: impl FnMut()) {
        if !self.wants(name) {
            return;
        }
        let time = best(&mut work);
        println!("{name:<26} {:>9.3} {:>9.1}", time * 1e3, operations / time / 1e9);
    }

    /// What else a layer does, for 128 tokens. The rate is in values, not in operations.
    fn others(&self) {
        println!("{:<26} {:>9} {:>9}", "128 tokens", "ms", "Gvalue/s");
        let (tokens, width) = (128, 1024);
        let count = (tokens * width) as f64;
        let (x, mut y) = (values(tokens * width), values(tokens * width));
        let ones = vec![1.0; width];
        self.rate("layer_norm", count, || layer_norm(&self.cpu, &mut y, &ones, Some(&ones), 1e-5).unwrap());
        self.rate("gelu", count, || gelu(&self.cpu, Gelu::Erf, black_box(&mut x.clone())));
        self.rate("silu", count, || silu(&self.cpu, black_box(&mut x.clone())));
        self.rate("softplus", count, || softplus(&self.cpu, black_box(&mut x.clone())));
        let taps = values(width * 4);
        self.rate("causal_conv1d, 4 taps", count, || {
            causal_conv1d(&self.cpu, width, &x, &taps, Some(&ones), None, &mut y).unwrap();
        });
        let (dt, a, b) = (vec![0.1; x.len()], vec![-1.0; width * 16], values(tokens * 16));
        let scan = Selective { x: &x, dt: &dt, a: &a, b: &b, c: &b, d: None, channels: width, states: 16 };
        let mut state = vec![0.0; width * 16];
        self.rate("selective_scan, 16 states", count, || {
            selective_scan(&self.cpu, &scan, &mut state, &mut y).unwrap();
        });
        let shape = Attention::causal(16, 16, 64);
        self.rate("attention, 16 heads of 64", count, || {
            attention(&self.cpu, &shape, &x, &x, &x, &mut y).unwrap()
        });
        let long = values(2048 * width);
        let mut out = vec![0.0; long.len()];
        self.rate("attention, 2048 tokens", long.len() as f64, || {
            attention(&self.cpu, &shape, &long, &long, &long, &mut out).unwrap();
        });
        self.rate("attention, token 2048", width as f64, || {
            attention(&self.cpu, &shape, &x[..width], &long, &long, &mut y[..width]).unwrap();
        });
        let targets = vec![3; tokens];
        let logits = values(tokens * 2000);
        self.rate("cross_entropy of 2000", (tokens * 2000) as f64, || {
            black_box(cross_entropy(&self.cpu, 2000, &logits, &targets).unwrap());
        });
    }
}

/// Read bytes on all threads, and do no more than add them up.
fn read_all(bytes: &[u8]) {
    bytes.par_chunks(1 << 17).for_each(|bytes| {
        let words = bytes.as_chunks::<8>().0.iter();
        black_box(words.fold(0u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word))));
    });
}

/// Seconds of the shortest of the runs in half a second.
fn best(work: &mut dyn FnMut()) -> f64 {
    work();
    let (begin, mut shortest) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        work();
        shortest = shortest.min(start.elapsed());
    }
    shortest.as_secs_f64()
}
