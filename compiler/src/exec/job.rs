//! One tensor from its source to its places in the output, in passes over chunks.
//!
//! ```text
//!  magnitude mask: order statistic, one pass a digit ─ ties of each chunk ─┐
//!                                                     scales (0.. passes) ─┴─ encode and write ─ finish
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use icpc_kernels::format::Format;
use icpc_kernels::groups::Groups;
use icpc_kernels::prune::{Threshold, count_ties};
use icpc_kernels::select::{Counts, Selector};
use icpc_kernels::{Backend, Deferred, Encoder, ErrorStats, HostBuffer, KernelError, Scan, Source};

use super::buffer::sized;
use super::elements::Elements;
use super::error::{RunError, RunErrorKind};
use super::mask::{ReadyMask, immediate, zeroed_by_magnitude};
use super::progress::Progress;
use super::schedule::Job;
use super::stop::Stop;
use super::target::TensorTarget;
use crate::plan::ir::{Mask, TensorPlan};

/// What a worker keeps from chunk to chunk: nothing is allocated for each.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    source: HostBuffer,
    main: HostBuffer,
    window: Vec<u8>,
}

/// What a run gives to every job.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) backend: &'a dyn Backend,
    pub(super) progress: &'a dyn Progress,
    pub(super) chunk_elements: u64,
    pub(super) stop: &'a Stop,
}

/// The errors of a finished tensor; what is not finite is absent.
#[derive(Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) mse: Option<f64>,
    pub(super) sqnr_db: Option<f64>,
    pub(super) cosine: Option<f64>,
    pub(super) largest_error: f64,
    pub(super) clipped: u64,
}

impl Figures {
    /// Nothing where nothing can be lost.
    fn of(stats: &ErrorStats) -> Option<Figures> {
        (stats.elements > 0).then(|| Figures {
            mse: Some(stats.mse()).filter(|v| v.is_finite()),
            sqnr_db: stats.sqnr_db().filter(|v| v.is_finite()),
            cosine: stats.cosine().filter(|v| v.is_finite()),
            largest_error: stats.largest_error,
            clipped: stats.clipped,
        })
    }
}

/// What a finished tensor reports.
#[derive(Debug, PartialEq)]
pub(super) struct Finished {
    pub(super) figures: Option<Figures>,
    /// Content hash of each part, in the order of the target.
    pub(super) hashes: Vec<String>,
}

pub(super) struct TensorJob<'a> {
    plan: &'a TensorPlan,
    around: Surroundings<'a>,
    elements: Elements<'a>,
    target: TensorTarget<'a>,
    chunk: u64,
    /// Changes only between passes, when no chunk is being done.
    work: RwLock<Work>,
    gathered: Mutex<Gathered>,
    done: &'a (dyn Fn(Finished) -> Result<(), RunError> + Sync),
}

struct Work {
    encoder: Encoder,
    mask: Option<ReadyMask>,
    pass: Pass,
}

enum Pass {
    /// Counting digits of magnitudes; of how many elements the mask takes.
    Select(Selector, u64),
    Ties(Threshold),
    Scan,
    Encode,
}

/// What chunks of the current pass leave behind.
#[derive(Default)]
struct Gathered {
    counts: Vec<Counts>,
    scans: Vec<Scan>,
    /// Chunk and its elements equal to the threshold.
    ties: Vec<(u64, u64)>,
    deferred: Vec<Deferred>,
    stats: ErrorStats,
}

impl<'a> TensorJob<'a> {
    pub(super) fn new(
        plan: &'a TensorPlan,
        around: Surroundings<'a>,
        elements: Elements<'a>,
        target: TensorTarget<'a>,
        activation_scale: Option<f32>,
        done: &'a (dyn Fn(Finished) -> Result<(), RunError> + Sync),
    ) -> Result<TensorJob<'a>, RunError> {
        let refused = |message: String| {
            RunError::new(RunErrorKind::Plan, elements.path(), "encoding", message).tensor(&plan.name)
        };
        let mut encoder = Encoder::new(&plan.format, &plan.shape, plan.dtype, around.chunk_elements)
            .map_err(|error| refused(error.to_string()))?;
        if let Some(scale) = activation_scale {
            encoder.set_activation_scale(scale).map_err(|error| refused(error.to_string()))?;
        }
        if elements.len() != encoder.layout().elements {
            return Err(refused("the checkpoint's tensor has another size than the plan's".to_owned()));
        }
        let mask = plan.mask.and_then(immediate);
        let pass = match plan.mask {
            Some(Mask::Magnitude { millionths }) => {
                let count = zeroed_by_magnitude(elements.len(), millionths);
                match count.checked_sub(1) {
                    Some(rank) => {
                        Pass::Select(Selector::new(Groups::contiguous(1, elements.len()), rank), count)
                    }
                    None => first_pass(&encoder),
                }
            }
            _ => first_pass(&encoder),
        };
        let chunk = encoder.chunk().max(1);
        let work = RwLock::new(Work { encoder, mask, pass });
        Ok(TensorJob { plan, around, elements, target, chunk, work, gathered: Mutex::default(), done })
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &KernelError) -> RunError {
        self.elements.kernel_error(error)
    }

    fn encode(&self, work: &Work, start: u64, source: &[u8], main: &mut HostBuffer) -> Result<(), RunError> {
        let elements = source.len() as u64 / self.plan.dtype.width();
        if self.plan.format == Format::Keep {
            return self.target.write_main(start * self.plan.dtype.width(), source);
        }
        let range = work.encoder.main_range(start, elements);
        let length = (range.end - range.start) as usize;
        let main = sized(self.around.backend, main, length).ok_or_else(|| self.internal())?;
        let encoded = work
            .encoder
            .encode(self.around.backend, start, source, &mut *main, true)
            .map_err(|error| self.failed(&error))?;
        self.target.write_main(range.start, main)?;
        for piece in &encoded.pieces {
            self.target.write(piece)?;
        }
        let mut gathered = self.gathered();
        gathered.stats.merge(&encoded.stats);
        gathered.deferred.extend(encoded.deferred);
        Ok(())
    }

    fn internal(&self) -> RunError {
        RunError::internal(self.elements.path(), "a chunk is out of bounds").tensor(&self.plan.name)
    }

    fn finish(&self, work: &Work, gathered: &Gathered) -> Result<(), RunError> {
        let pieces = work
            .encoder
            .finish(self.around.backend, &gathered.deferred)
            .map_err(|error| self.failed(&error))?;
        for piece in &pieces {
            self.target.write(piece)?;
        }
        let hashes = self.target.finish()?;
        (self.done)(Finished { figures: Figures::of(&gathered.stats), hashes })
    }
}

fn first_pass(encoder: &Encoder) -> Pass {
    if encoder.needs_scan() { Pass::Scan } else { Pass::Encode }
}

impl Job for TensorJob<'_> {
    type Buffers = Buffers;

    fn chunks(&self) -> u64 {
        self.elements.len().div_ceil(self.chunk)
    }

    fn run_chunk(&self, chunk: u64, buffers: &mut Buffers) -> Result<(), RunError> {
        let work = self.work.read().unwrap_or_else(PoisonError::into_inner);
        let start = chunk * self.chunk;
        let elements = self.chunk.min(self.elements.len().saturating_sub(start));
        let dtype = self.plan.dtype;
        let length = elements.checked_mul(dtype.width()).and_then(|bytes| usize::try_from(bytes).ok());
        let Buffers { source, main, window } = buffers;
        let backend = self.around.backend;
        let source = length.and_then(|length| sized(backend, source, length));
        let source = source.ok_or_else(|| self.internal())?;
        self.elements.read(backend, start, source, window, work.mask.as_ref())?;
        let floats = |bytes| Source::new(dtype, bytes).map_err(|error| self.failed(&error));
        match &work.pass {
            Pass::Select(selector, _) => {
                let taken = self.gathered().counts.pop();
                let mut counts = taken.unwrap_or_else(|| selector.counts());
                let seen = selector.scan(backend, floats(source)?, start, &mut counts);
                self.gathered().counts.push(counts);
                seen.map_err(|error| self.failed(&error))
            }
            Pass::Ties(threshold) => {
                let ties = count_ties(backend, floats(source)?, threshold.magnitude)
                    .map_err(|error| self.failed(&error))?;
                self.gathered().ties.push((chunk, ties));
                Ok(())
            }
            Pass::Scan => {
                let taken = self.gathered().scans.pop();
                let mut scan = taken.unwrap_or_else(|| work.encoder.new_scan());
                let seen = work.encoder.scan(backend, start, source, &mut scan);
                self.gathered().scans.push(scan);
                seen.map_err(|error| self.failed(&error))
            }
            Pass::Encode => {
                self.encode(&work, start, source, main)?;
                self.around.progress.advance(source.len() as u64);
                Ok(())
            }
        }
    }

    fn advance(&self) -> Result<bool, RunError> {
        let mut work = self.work.write().unwrap_or_else(PoisonError::into_inner);
        let mut gathered = std::mem::take(&mut *self.gathered());
        let Work { encoder, mask, pass } = &mut *work;
        match pass {
            Pass::Select(selector, count) => {
                let mut sum = selector.counts();
                gathered.counts.iter().for_each(|counts| sum.merge(counts));
                selector.absorb(&sum);
                if let (true, Some(order)) = (selector.is_done(), selector.orders().first()) {
                    *pass = Pass::Ties(Threshold::from_order(*order, *count));
                }
            }
            Pass::Ties(threshold) => {
                gathered.ties.sort_unstable();
                let mut before = 0;
                let ties_before = gathered
                    .ties
                    .iter()
                    .map(|(_, ties)| {
                        before += ties;
                        before - ties
                    })
                    .collect();
                *mask = Some(ReadyMask::Magnitude { threshold: *threshold, chunk: self.chunk, ties_before });
                *pass = first_pass(encoder);
            }
            Pass::Scan => {
                let mut sum = encoder.new_scan();
                gathered.scans.iter().for_each(|scan| sum.merge(scan));
                encoder.absorb(sum).map_err(|error| self.failed(&error))?;
                *pass = first_pass(encoder);
            }
            Pass::Encode => {
                self.finish(&work, &gathered)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}
