//! GB/s of input for a 4096×4096 tensor: every format, the passes of pruning, and element type, every backend that this
//! machine has, on one and two threads, beside a plain read (sum) and a plain copy of the same bytes.
//!
//! `cargo bench -p icpc-kernels -- [FILTER] [--measure] [--only=BACKEND] [--rows=N]`: FILTER keeps rows that contain it; `--measure` adds
//! the error statistics that a run gathers. What was tried and what it brought is in `kernels/README.md`.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use icpc_kernels::bandwidth::best;
use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Per};
use icpc_kernels::groups::Groups;
use icpc_kernels::prune::{Norms, count_ties, keep_n_of_m, zero_below};
use icpc_kernels::select::Selector;
use icpc_kernels::{Backend, Cpu, DType, Encoder, Percentile, Role, Source, conformance};
use rayon::prelude::*;
use std::hint::black_box;

const ROWS: u64 = 4096;
const COLUMNS: u64 = 4096;
const CHUNK: u64 = 1 << 18;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let measure = arguments.iter().any(|argument| argument == "--measure");
    let filter = arguments.iter().find(|argument| !argument.starts_with("--")).cloned().unwrap_or_default();
    let mut backends = backends();
    if let Some(only) = arguments.iter().find_map(|argument| argument.strip_prefix("--only=")) {
        backends.retain(|backend| backend.name().ends_with(only));
    }
    let number = |argument: &String| argument.strip_prefix("--rows=").and_then(|rows| rows.parse().ok());
    let shape = [arguments.iter().find_map(number).unwrap_or(ROWS), COLUMNS];
    let names: Vec<&str> = backends.iter().map(|backend| backend.name()).collect();
    print!("{:<28} {:<8}", format!("GB/s of input, {}x{}", shape[0], shape[1]), "from");
    names.iter().for_each(|name| {
        let name = name.trim_start_matches("cpu-");
        print!(" {:>11} {:>11}", format!("{name} 1t"), format!("{name} 2t"))
    });
    println!();
    for dtype in [DType::F32, DType::Bf16, DType::F16] {
        let input = normal(dtype, shape);
        plain(dtype, &input, &filter);
        for (name, format) in formats(dtype) {
            let row = format!("{name:<28} {:<8}", dtype.name());
            if !row.contains(&filter) {
                continue;
            }
            print!("{row}");
            for backend in &backends {
                for threads in [1, 2] {
                    print!(" {:>11.2}", encode(&**backend, &format, shape, dtype, &input, threads, measure));
                }
            }
            println!();
        }
        for (name, work) in pruning(shape) {
            let row = format!("{name:<28} {:<8}", dtype.name());
            if !row.contains(&filter) {
                continue;
            }
            print!("{row}");
            for backend in &backends {
                for threads in [1, 2] {
                    print!(" {:>11.2}", prune(&**backend, &work, dtype, &input, threads));
                }
            }
            println!();
        }
    }
}

fn backends() -> Vec<Box<dyn Backend>> {
    let all = Cpu::variants().into_iter().map(|cpu| Box::new(cpu) as Box<dyn Backend>);
    #[cfg(feature = "torch")]
    let all = {
        use icpc_kernels::torch::{Torch, TorchDevice};
        let torch =
            [TorchDevice::Cpu, TorchDevice::Cuda(0)].into_iter().filter_map(|device| Torch::new(device).ok());
        all.chain(torch.map(|torch| Box::new(torch) as Box<dyn Backend>))
    };
    all.collect()
}

fn formats(dtype: DType) -> Vec<(String, Format)> {
    let channel = Int { per: Per::Channel { axis: 0 }, ..Int::new(IntBits::Eight) };
    let percentile = Percentile::from_billionths(999_900_000).map_or(Clip::MinMax, Clip::Percentile);
    let cast = |to| Cast::new(to, false).map_or(Format::Keep, Format::Cast);
    let nf4 = Code4 { double: true, ..Code4::new(Code4Kind::Nf4) };
    let mut all = vec![
        ("nf4, double".to_owned(), Format::Code4(nf4)),
        ("nf4".to_owned(), Format::Code4(Code4::new(Code4Kind::Nf4))),
        ("fp4".to_owned(), Format::Code4(Code4::new(Code4Kind::Fp4))),
        ("int8, channel".to_owned(), Format::Int(channel)),
        ("int8, channel, 99.99%".to_owned(), Format::Int(Int { clip: percentile, ..channel })),
        ("int8, tensor".to_owned(), Format::Int(Int::new(IntBits::Eight))),
        (
            "int8, tensor, 99.99%".to_owned(),
            Format::Int(Int { clip: percentile, ..Int::new(IntBits::Eight) }),
        ),
        ("int8, channel of axis 1".to_owned(), Format::Int(Int { per: Per::Channel { axis: 1 }, ..channel })),
        ("int8, asymmetric".to_owned(), Format::Int(Int { symmetric: false, ..channel })),
        ("int8, channel, mse".to_owned(), Format::Int(Int { clip: Clip::Mse, ..channel })),
        ("int4, block 64".to_owned(), Format::Int(Int { per: Per::Block(64), ..Int::new(IntBits::Four) })),
    ];
    for to in [DType::F32, DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
        if to != dtype {
            all.push((format!("cast to {to}"), cast(to)));
        }
    }
    all
}

/// Work on a chunk that begins at a flat index: of its bytes, to be rewritten.
type Prune = Box<dyn Fn(&dyn Backend, DType, &mut [u8], u64) + Sync>;

/// Passes of a run that prunes. Masks find their input masked from the second time on, which changes no branch.
fn pruning([rows, columns]: [u64; 2]) -> Vec<(&'static str, Prune)> {
    let norms = |groups: Groups| -> Prune {
        Box::new(move |backend, dtype, bytes, start| {
            let mut norms = Norms::new(groups);
            norms.scan(backend, Source::new(dtype, bytes).unwrap(), start).unwrap();
            black_box(norms);
        })
    };
    // about half of the generated values are below
    let below = |ties: u64| -> Prune {
        Box::new(move |backend, dtype, bytes, start| {
            let mut ties = ties;
            black_box(zero_below(backend, dtype, bytes, start, 0.0136, &mut ties).unwrap());
        })
    };
    let keep = |n: usize, m: usize| -> Prune {
        Box::new(move |backend, dtype, bytes, start| {
            black_box(keep_n_of_m(backend, dtype, bytes, start, n, m).unwrap());
        })
    };
    let digits: Prune = Box::new(move |backend, dtype, bytes, start| {
        let selector = Selector::new(Groups::contiguous(1, rows * columns), 0);
        let mut counts = selector.counts();
        selector.scan(backend, Source::new(dtype, bytes).unwrap(), start, &mut counts).unwrap();
        black_box(counts);
    });
    let ties: Prune = Box::new(|backend, dtype, bytes, _| {
        black_box(count_ties(backend, Source::new(dtype, bytes).unwrap(), 0.0136).unwrap());
    });
    vec![
        ("first digit of a selection", digits),
        ("ties", ties),
        ("mask below a threshold", below(u64::MAX)),
        ("mask 2:4", keep(2, 4)),
        ("mask 1:2", keep(1, 2)),
        ("mask 4:8", keep(4, 8)),
        ("norms of rows", norms(Groups::contiguous(rows, columns))),
        ("norms of 768 neighbours", norms(Groups::contiguous((rows * columns).div_ceil(768), 768))),
        ("norms of columns", norms(Groups { outer: rows, axis: columns, inner: 1 })),
    ]
}

fn prune(backend: &dyn Backend, work: &Prune, dtype: DType, input: &[u8], threads: usize) -> f64 {
    let mut bytes = input.to_vec();
    let pool = pool(threads);
    let length = (CHUNK * dtype.width()) as usize;
    best(input.len(), || {
        pool.install(|| {
            let chunks = bytes.par_chunks_mut(length).enumerate();
            chunks.for_each(|(chunk, bytes)| work(backend, dtype, bytes, chunk as u64 * CHUNK));
        });
    })
}

fn normal(dtype: DType, shape: [u64; 2]) -> Vec<u8> {
    // rows of one generated row repeat with another length, so that they do not align with anything
    let row = conformance::elements(dtype, "normal", 65_537);
    let bytes = (shape[0] * shape[1] * dtype.width()) as usize;
    row.iter().copied().cycle().take(bytes).collect()
}

fn plain(dtype: DType, input: &[u8], filter: &str) {
    let mut target = vec![0u8; input.len()];
    for (name, copies) in [("plain read", false), ("plain copy", true)] {
        let row = format!("{name:<28} {:<8}", dtype.name());
        if !row.contains(filter) {
            continue;
        }
        print!("{row}");
        for threads in [1, 2] {
            let pool = pool(threads);
            let rate = best(input.len(), || {
                pool.install(|| {
                    let pieces = input.par_chunks(1 << 20).zip(target.par_chunks_mut(1 << 20));
                    pieces.for_each(|(from, to)| {
                        if copies {
                            to.copy_from_slice(from);
                            black_box(&to[0]);
                        } else {
                            let (words, _) = from.as_chunks::<8>();
                            black_box(
                                words
                                    .iter()
                                    .fold(0u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word))),
                            );
                        }
                    });
                });
            });
            print!(" {rate:>11.2}");
        }
        println!();
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[allow(clippy::too_many_arguments)]
fn encode(
    backend: &dyn Backend,
    format: &Format,
    shape: [u64; 2],
    dtype: DType,
    input: &[u8],
    threads: usize,
    measure: bool,
) -> f64 {
    let encoder = Encoder::new(format, &shape, dtype, CHUNK).unwrap();
    let main =
        encoder.layout().parts.iter().find(|part| matches!(part.role, Role::Codes | Role::Values)).unwrap();
    let mut main = vec![0u8; main.bytes as usize];
    let pool = pool(threads);
    let width = dtype.width();
    let piece =
        |start: u64, elements: u64| &input[(start * width) as usize..((start + elements) * width) as usize];
    best(input.len(), || {
        let mut encoder = encoder.clone();
        let chunks: Vec<(u64, u64)> = encoder.chunks().collect();
        pool.install(|| {
            while encoder.needs_scan() {
                let scan = chunks
                    .par_iter()
                    .fold(
                        || encoder.new_scan(),
                        |mut scan, &(start, elements)| {
                            encoder.scan(backend, start, piece(start, elements), &mut scan).unwrap();
                            scan
                        },
                    )
                    .reduce(
                        || encoder.new_scan(),
                        |mut left, right| {
                            left.merge(&right);
                            left
                        },
                    );
                encoder.absorb(scan).unwrap();
            }
            let length = encoder.main_range(0, encoder.chunk()).end as usize;
            let encoded: Vec<_> = chunks
                .par_iter()
                .zip(main.par_chunks_mut(length))
                .map(|(&(start, elements), main)| {
                    encoder.encode(backend, start, piece(start, elements), main, measure).unwrap()
                })
                .collect();
            let deferred: Vec<_> = encoded.into_iter().filter_map(|encoded| encoded.deferred).collect();
            black_box(encoder.finish(backend, &deferred).unwrap());
        });
    })
}
