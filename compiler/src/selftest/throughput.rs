//! GB/s of input from memory to memory, as a run would do it but for the files.

use icpc_kernels::bandwidth::{best, memory};
use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Per, Percentile};
use icpc_kernels::{Backend, DType, Encoder, KernelError, conformance};
use rayon::prelude::*;
use serde::Serialize;

/// Rows and columns of the tensor that is encoded.
const SIDE: u64 = 4096;

/// Elements of a chunk.
const CHUNK: u64 = 1 << 20;

/// How fast formats are written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Threads that call the backend.
    pub threads: usize,
    /// GB/s at which memory is copied on so many threads.
    pub copy: f64,
    /// One for each format.
    pub formats: Vec<Rate>,
}

/// One format.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// As a recipe writes it.
    pub format: String,
    /// Element type of the source.
    pub source: &'static str,
    /// GB/s of input.
    pub rate: f64,
}

/// Measure the formats that recipes use most, from bf16.
///
/// # Errors
/// What an operation said.
pub fn rates(backend: &dyn Backend, threads: usize) -> Result<Rates, String> {
    let source = DType::Bf16;
    let row = conformance::elements(source, "normal", 65_537);
    let bytes = usize::try_from(SIDE * SIDE * source.width()).unwrap_or(0);
    let input: Vec<u8> = row.into_iter().cycle().take(bytes).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| format!("no threads: {error}"))?;
    let mut formats = Vec::new();
    for format in measured() {
        let rate = encode(backend, &pool, &format, source, &input).map_err(|error| error.to_string())?;
        formats.push(Rate { format: format.to_string(), source: source.name(), rate });
    }
    Ok(Rates { threads, copy: memory(threads, 64 << 20).copy, formats })
}

fn measured() -> Vec<Format> {
    let channel = Int { per: Per::Channel { axis: 0 }, ..Int::new(IntBits::Eight) };
    let mut formats = vec![
        Format::Code4(Code4 { double: true, ..Code4::new(Code4Kind::Nf4) }),
        Format::Code4(Code4::new(Code4Kind::Nf4)),
        Format::Int(channel),
        Format::Int(Int { per: Per::Block(64), ..Int::new(IntBits::Four) }),
    ];
    let percentile = Percentile::from_billionths(999_900_000).map(Clip::Percentile);
    formats.extend(percentile.map(|clip| Format::Int(Int { clip, ..channel })));
    formats.extend(
        [DType::F16, DType::F8E4M3].into_iter().filter_map(|to| Cast::new(to, true)).map(Format::Cast),
    );
    formats
}

/// GB/s of input of the best of several runs.
fn encode(
    backend: &dyn Backend,
    pool: &rayon::ThreadPool,
    format: &Format,
    dtype: DType,
    input: &[u8],
) -> Result<f64, KernelError> {
    let malformed = |_| KernelError::Malformed { what: "internal error: a measured format does not fit" };
    let whole = Encoder::new(format, &[SIDE, SIDE], dtype, CHUNK).map_err(malformed)?;
    let chunks: Vec<(u64, u64)> = whole.chunks().collect();
    let mut result = Ok(());
    let rate = best(input.len(), || {
        let once = pool.install(|| once(backend, whole.clone(), &chunks, dtype, input));
        if result.is_ok() {
            result = once;
        }
    });
    result.map(|()| rate)
}

fn once(
    backend: &dyn Backend,
    mut encoder: Encoder,
    chunks: &[(u64, u64)],
    dtype: DType,
    input: &[u8],
) -> Result<(), KernelError> {
    let piece = |start: u64, elements: u64| {
        let range = (start * dtype.width()) as usize..((start + elements) * dtype.width()) as usize;
        input.get(range).ok_or(KernelError::Malformed { what: "internal error: a chunk is out of bounds" })
    };
    while encoder.needs_scan() {
        let scans: Result<Vec<_>, KernelError> = chunks
            .par_iter()
            .map(|&(start, elements)| {
                let mut scan = encoder.new_scan();
                encoder.scan(backend, start, piece(start, elements)?, &mut scan)?;
                Ok(scan)
            })
            .collect();
        let mut sum = encoder.new_scan();
        scans?.iter().for_each(|scan| sum.merge(scan));
        encoder.absorb(sum)?;
    }
    let encoded: Result<Vec<_>, KernelError> = chunks
        .par_iter()
        .map_init(
            || backend.buffer(0),
            |main, &(start, elements)| {
                let range = encoder.main_range(start, elements);
                let length = (range.end - range.start) as usize;
                if main.len() < length {
                    *main = backend.buffer(length);
                }
                let main = main.get_mut(..length).unwrap_or_default();
                encoder.encode(backend, start, piece(start, elements)?, main, false)
            },
        )
        .collect();
    let deferred: Vec<_> = encoded?.into_iter().filter_map(|encoded| encoded.deferred).collect();
    encoder.finish(backend, &deferred).map(|_| ())
}
