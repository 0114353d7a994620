//! Peak memory of a run, from the buffers that the executor really has: it takes its sizes from here, so that the figure
//! cannot drift away from it.

use icpc_kernels::format::{Clip, Format, Per};

use super::ir::{Mask, Plan, TensorPlan};
use super::layout::OutputLayout;

/// Bytes that the buffers of all workers may have together.
const BUFFER_LIMIT: u64 = 192 << 20;

/// Bytes that passes may gather: fewer threads run when it would be more.
const STATE_LIMIT: u64 = 256 << 20;

/// Elements of a chunk where memory does not ask for fewer.
const CHUNK_ELEMENTS: u64 = 1 << 21;

/// Chunks are multiples of this many elements.
const CHUNK_UNIT: u64 = 4096;

/// Read-ahead of a worker for short runs.
const WINDOW: u64 = 1 << 20;

/// Pieces of arrays that wait for their other bytes to be hashed, for each worker.
const OPEN_PIECES: u64 = 4 << 20;

/// The program, its stack and the allocator's slack.
const PROGRAM: u64 = 24 << 20;

/// What libtorch adds to a program that it is in. 110 MB were measured of one that does nothing, with a libtorch for the processor: its table of
/// operators and relocated addresses (56 MB), and the pages of the library that this touches; 31 to 82 MB more
/// where it computes a small model. A plan does not count it, since plans are equal in all builds; a run does.
pub const LIBTORCH: u64 = if cfg!(feature = "torch") { 208 << 20 } else { 0 };

/// Bytes of a schema and a report for each tensor.
const TENSOR_FACTS: u64 = 4096;

/// Counters of one pass that looks for an order statistic.
const COUNTERS: u64 = 16 << 20;

/// Absmax values that wait for their mean.
const DEFERRED: u64 = 32 << 20;

/// Threads that a plan's memory is stated for: fewer need less, and more share the same buffers.
pub const PLANNED_THREADS: usize = 16;

/// Peak memory of a run of `plan` with up to [`PLANNED_THREADS`] threads, while it writes.
pub fn peak_memory(plan: &Plan, layout: &OutputLayout) -> u64 {
    let fewer = [1, PLANNED_THREADS].map(|n| Workspace::new(plan, n).memory(plan, layout).peak);
    fewer.into_iter().max().unwrap_or(0)
}

/// Peak memory of the measurement at the end of a run with `threads` threads; nothing for a recipe that requires no perplexity.
pub fn evaluation_memory(plan: &Plan, layout: &OutputLayout, threads: usize) -> Option<u64> {
    Some(plan.evaluation?.peak((layout.stored_bytes, plan.tensors.len() as u64), threads as u64))
}

/// Peak memory of the calibration before a run writes, with `threads` threads; nothing for a plan without static scales, or whose
/// statistics are read from a file.
pub fn calibration_memory(plan: &Plan, threads: usize) -> Option<u64> {
    Some(plan.calibrating?.peak(plan.tensors.len() as u64, threads as u64))
}

/// A part of a run, which gives back its memory before the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It runs samples for statistics of activations.
    Calibrating,
    /// It trains, before it writes.
    Training,
    /// It encodes and writes.
    #[default]
    Writing,
    /// It measures a perplexity at its end.
    Measuring,
}

/// The peak of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// In bytes.
    pub bytes: u64,
    /// What needs them.
    pub stage: Stage,
}

/// Peak memory of a whole run of `plan` on `threads` threads: it perhaps calibrates, trains perhaps, writes, and then perhaps measures. Of
/// a program without libtorch, but for the training.
pub fn whole_run(plan: &Plan, layout: &OutputLayout, threads: usize) -> Peak {
    peak(plan, layout, threads, 0)
}

/// The same of this program, which may have libtorch in it.
pub fn this_program(plan: &Plan, layout: &OutputLayout, threads: usize) -> Peak {
    peak(plan, layout, threads, LIBTORCH)
}

fn peak(plan: &Plan, layout: &OutputLayout, threads: usize, beside: u64) -> Peak {
    let memory = Workspace::new(plan, threads).memory(plan, layout);
    let stages = [
        (Stage::Writing, Some(memory.writing), beside),
        (Stage::Training, Some(memory.training), 0),
        (Stage::Calibrating, calibration_memory(plan, threads), beside),
        (Stage::Measuring, evaluation_memory(plan, layout, threads), beside),
    ];
    let mut most = Peak::default();
    for (stage, bytes, beside) in stages {
        let bytes = bytes.map_or(0, |bytes| bytes.saturating_add(beside));
        if bytes > most.bytes {
            most = Peak { bytes, stage };
        }
    }
    most
}

/// Threads and chunks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Worker threads.
    pub threads: usize,
    /// Elements of a chunk; the bytes of an output do not depend on it.
    pub chunk_elements: u64,
}

/// Peak memory of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Buffers of all workers.
    pub buffers: u64,
    /// What passes over a tensor gather, for the tensors that need most.
    pub state: u64,
    /// All together, with the program and the facts about tensors.
    pub writing: u64,
    /// The training before it; 0 without one.
    pub training: u64,
    /// The larger one.
    pub peak: u64,
}

impl Workspace {
    /// For at most `threads` workers that run `plan`: fewer where what each gathers on a pass would not fit in
    /// memory, and chunks as long as the limit allows.
    pub fn new(plan: &Plan, threads: usize) -> Workspace {
        let most = Workspace { threads: threads.max(1), chunk_elements: CHUNK_ELEMENTS };
        let fits = |threads: &usize| *threads == 1 || most.state(plan, *threads) <= STATE_LIMIT;
        let threads = (1..=most.threads).rev().find(fits).unwrap_or(1);
        let widest = widest(plan);
        let mut chunk_elements = CHUNK_ELEMENTS;
        let all = |chunk: u64| worker(chunk, widest).saturating_mul(threads as u64);
        while chunk_elements > CHUNK_UNIT && all(chunk_elements) > BUFFER_LIMIT {
            chunk_elements /= 2;
        }
        Workspace { threads, chunk_elements }
    }

    /// The same with another chunk length, rounded to whole units.
    #[must_use]
    pub fn with_chunk(self, elements: u64) -> Workspace {
        Workspace { chunk_elements: (elements / CHUNK_UNIT).max(1).saturating_mul(CHUNK_UNIT), ..self }
    }

    /// Peak memory of `plan` with this workspace; an estimate from above.
    pub fn memory(&self, plan: &Plan, layout: &OutputLayout) -> Memory {
        let threads = self.threads as u64;
        // buffers grow to the longest chunk that there is
        let longest = plan.tensors.iter().filter_map(|t| crate::base::checked_len(&t.source_shape)).max();
        let chunk = longest.unwrap_or(0).min(self.chunk_elements);
        let buffers = worker(chunk, widest(plan)).saturating_mul(threads);
        let state = self.state(plan, self.threads);
        let headers =
            layout.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.header.len() as u64));
        let facts = (plan.tensors.len() as u64).saturating_mul(TENSOR_FACTS).saturating_add(headers);
        let writing =
            [PROGRAM, buffers, state, facts].iter().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        // the training is over before the first tensor is stored
        let training = plan.tune.as_ref().map_or(0, |tune| tune.memory);
        Memory { buffers, state, writing, training, peak: writing.max(training) }
    }
}

impl Workspace {
    /// What passes gather with `threads` workers. At most one tensor a worker is open, each with one scan a worker.
    fn state(&self, plan: &Plan, threads: usize) -> u64 {
        let mut states: Vec<u64> = plan.tensors.iter().map(|t| state(t, self, threads as u64)).collect();
        states.sort_unstable_by(|a, b| b.cmp(a));
        states.iter().take(threads).fold(0u64, |sum, state| sum.saturating_add(*state))
    }
}

/// Bytes of one worker's buffers, elements of `widest` bytes before and after.
fn worker(chunk: u64, (source, stored): (u64, u64)) -> u64 {
    let ahead = (WINDOW + OPEN_PIECES).min(chunk.saturating_mul(source.saturating_mul(4)));
    chunk.saturating_mul(source.saturating_add(stored)).saturating_add(ahead)
}

fn widest(plan: &Plan) -> (u64, u64) {
    let source = plan.tensors.iter().map(|t| t.dtype.width()).max().unwrap_or(1);
    let stored = plan.tensors.iter().map(|t| match &t.format {
        // kept bytes are written from where they were read
        Format::Keep | Format::Drop => 0,
        Format::Cast(cast) => cast.to().width(),
        Format::Int(_) | Format::Code4(_) => 1,
    });
    (source, stored.max().unwrap_or(0))
}

fn state(tensor: &TensorPlan, workspace: &Workspace, threads: u64) -> u64 {
    let elements = crate::base::checked_len(&tensor.shape).unwrap_or(u64::MAX);
    if elements <= workspace.chunk_elements && tensor.mask.is_none() {
        return 0;
    }
    let scans = threads.saturating_add(1);
    let selection = |groups: u64| groups.saturating_mul(8 << 16).min(COUNTERS).saturating_mul(scans);
    let mask = match tensor.mask {
        Some(Mask::Magnitude { .. }) => selection(1),
        _ => 0,
    };
    let format = match &tensor.format {
        Format::Int(int) => {
            let groups = match int.per {
                Per::Tensor => 1,
                Per::Channel { axis } => tensor.shape.get(axis as usize).copied().unwrap_or(1),
                // whole blocks fit in chunks
                Per::Block(_) => 0,
            };
            match int.clip {
                Clip::MinMax => groups.saturating_mul(8).saturating_mul(scans),
                Clip::Percentile(_) => selection(groups),
                Clip::Mse => groups.saturating_mul(52 * 8).saturating_mul(scans),
            }
        }
        Format::Code4(code4) if code4.double => {
            (elements / u64::from(code4.block.max(1))).saturating_mul(9).min(3 * DEFERRED)
        }
        _ => 0,
    };
    mask.max(format)
}
