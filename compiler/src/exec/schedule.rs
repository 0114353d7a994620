//! Threads over the chunks of many tensors.
//!
//! A worker takes the next chunk of the earliest open job, and opens the next job only when no open one has a chunk to
//! give; so at most one job a worker is open, reads go through the checkpoint in order, and no thread waits for a
//! tensor's last chunk. The worker that completes the last chunk of a pass takes the job to its next pass.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::error::RunError;
use super::stop::Stop;

/// Work on one tensor, in passes over chunks.
pub(super) trait Job: Sync + Send {
    /// What a worker keeps between chunks.
    type Buffers: Default;

    /// Chunks of a pass; 0 for a tensor without elements.
    fn chunks(&self) -> u64;

    /// Does one chunk of the current pass, at the same time as other ones.
    fn run_chunk(&self, chunk: u64, buffers: &mut Self::Buffers) -> Result<(), RunError>;

    /// Ends a pass when all its chunks are done; whether another pass follows.
    fn advance(&self) -> Result<bool, RunError>;
}

/// A failure and the place of its chunk; of several the first place is reported.
type Failure = (usize, u64, RunError);

struct State<J> {
    open: Vec<Slot<J>>,
    next_job: usize,
    jobs: usize,
    /// Workers that are opening or advancing a job.
    busy: usize,
    failure: Option<Failure>,
    panicked: bool,
}

struct Slot<J> {
    index: usize,
    job: Arc<J>,
    next: u64,
    chunks: u64,
    running: u64,
}

enum Task<J> {
    Open(usize),
    Chunk(usize, Arc<J>, u64),
    Wait,
    Done,
}

impl<J: Job> State<J> {
    fn next(&mut self) -> Task<J> {
        if self.panicked {
            return Task::Done;
        }
        // After a failure only jobs before it go on, so that the first failure is the one reported.
        let limit = self.failure.as_ref().map_or(usize::MAX, |(index, _, _)| *index);
        if let Some(slot) =
            self.open.iter_mut().filter(|s| s.index < limit && s.next < s.chunks).min_by_key(|s| s.index)
        {
            let chunk = slot.next;
            slot.next += 1;
            slot.running += 1;
            return Task::Chunk(slot.index, slot.job.clone(), chunk);
        }
        if self.next_job < self.jobs.min(limit) {
            self.next_job += 1;
            self.busy += 1;
            return Task::Open(self.next_job - 1);
        }
        let unfinished = self.busy > 0 || self.open.iter().any(|slot| slot.running > 0);
        if unfinished { Task::Wait } else { Task::Done }
    }

    fn fail(&mut self, failure: Failure) {
        let first = self.failure.as_ref().is_none_or(|old| (failure.0, failure.1) < (old.0, old.1));
        if first {
            self.failure = Some(failure);
        }
    }
}

/// Tells the others when a worker unwinds, so that none waits for it.
struct Unwinding<'s, J>(&'s Mutex<State<J>>, &'s Condvar);

impl<J> Drop for Unwinding<'_, J> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).panicked = true;
            self.1.notify_all();
        }
    }
}

/// Runs `jobs` jobs, opened by `open` in order, on the threads of `pool`. `path` is for errors that have no other.
///
/// # Errors
/// The first failure of a job, or a request to end.
pub(super) fn run_jobs<J: Job>(
    pool: &rayon::ThreadPool,
    jobs: usize,
    path: &Path,
    stop: &Stop,
    open: impl Fn(usize) -> Result<J, RunError> + Sync,
) -> Result<(), RunError> {
    let state = Mutex::new(State::<J> {
        open: Vec::new(),
        next_job: 0,
        jobs,
        busy: 0,
        failure: None,
        panicked: false,
    });
    let changed = Condvar::new();
    pool.broadcast(|_| {
        let _guard = Unwinding(&state, &changed);
        work(&state, &changed, (path, stop), &open);
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failure {
        Some((_, _, error)) => Err(error),
        None if state.panicked => Err(RunError::internal(path, "a worker stopped")),
        None => Ok(()),
    }
}

fn lock<J>(state: &Mutex<State<J>>) -> MutexGuard<'_, State<J>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work<J: Job>(
    state: &Mutex<State<J>>,
    changed: &Condvar,
    (path, stop): (&Path, &Stop),
    open: &(impl Fn(usize) -> Result<J, RunError> + Sync),
) {
    let mut buffers = J::Buffers::default();
    let mut guard = lock(state);
    loop {
        match guard.next() {
            Task::Done => return,
            Task::Wait => guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Task::Open(index) => {
                drop(guard);
                let opened = open(index).and_then(|job| {
                    let open = job.chunks() > 0 || skip_empty_passes(&job)?;
                    Ok(open.then_some(job))
                });
                guard = lock(state);
                guard.busy -= 1;
                match opened {
                    Ok(Some(job)) => {
                        let chunks = job.chunks();
                        let job = Arc::new(job);
                        guard.open.push(Slot { index, job, next: 0, chunks, running: 0 });
                    }
                    Ok(None) => {}
                    Err(error) => guard.fail((index, 0, error)),
                }
                changed.notify_all();
            }
            Task::Chunk(index, job, chunk) => {
                drop(guard);
                let result = stop.check(path).and_then(|()| job.run_chunk(chunk, &mut buffers));
                guard = lock(state);
                if let Err(error) = result {
                    guard.fail((index, chunk, error));
                }
                let failed = guard.failure.as_ref().is_some_and(|(first, _, _)| *first <= index);
                let Some(at) = guard.open.iter().position(|slot| slot.index == index) else { continue };
                let Some(slot) = guard.open.get_mut(at) else { continue };
                slot.running -= 1;
                if slot.running == 0 && failed {
                    guard.open.swap_remove(at);
                    changed.notify_all();
                } else if slot.running == 0 && slot.next == slot.chunks {
                    let mut slot = guard.open.swap_remove(at);
                    guard.busy += 1;
                    drop(guard);
                    let more = slot.job.advance();
                    guard = lock(state);
                    guard.busy -= 1;
                    match more {
                        Ok(true) => {
                            slot.next = 0;
                            guard.open.push(slot);
                        }
                        Ok(false) => {}
                        Err(error) => guard.fail((index, u64::MAX, error)),
                    }
                    changed.notify_all();
                }
            }
        }
    }
}

/// Passes of a job without chunks; whether it is still open, which it never is.
fn skip_empty_passes<J: Job>(job: &J) -> Result<bool, RunError> {
    while job.advance()? {}
    Ok(false)
}
