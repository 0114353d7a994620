//! The journals of a run, one beside each file with weights: a thread that puts weights on the disk and then says so.
//!
//! ```text
//!  tensor finished ─ push ─► waiting lines ─ fdatasync of the weights ─ lines ─ fdatasync of the journal
//! ```
//!
//! A line is written after the bytes that it speaks of are on the disk, so that a power loss cannot leave it without
//! them. The thread waits between two syncs, as long as nobody waits for it, so that it costs a run next to nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::destination::sync_folder;
use super::super::error::{RunError, RunErrorKind};
use super::lock::Lock;

/// The shortest and the longest pause after a sync. Between them it is nine times as long as the sync.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The journals of a task's files, open for lines. Dropped without [`Journal::flush`] it forgets lines that wait.
pub(in crate::exec) struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Whether nobody waits for the thread's last sync.
    abandoned: AtomicBool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By number of the file.
    waiting: BTreeMap<usize, String>,
    tensors_waiting: usize,
    /// Tensors whose lines are on the disk.
    tensors: usize,
    syncing: bool,
    /// Somebody waits for what is waiting.
    hurry: bool,
    ended: bool,
    failure: Option<RunError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, guard: MutexGuard<'s, State>, limit: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(guard, limit).map_or_else(|error| error.into_inner().0, |(guard, _)| guard)
    }
}

/// A file with weights and its journal, whose lock is held as long as this is.
pub(super) struct Pair {
    /// With the path to name it by.
    pub(super) weights: (PathBuf, File),
    pub(super) path: PathBuf,
    pub(super) lock: Lock,
    /// Bytes of the journal that count.
    pub(super) bytes: u64,
}

/// What the thread writes.
struct Disk {
    pairs: BTreeMap<usize, Pair>,
    /// Folders whose names are to be on the disk before the first line.
    folders: Vec<PathBuf>,
}

impl Journal {
    /// Goes on after the bytes of each journal that count, in which `tensors` tensors are done. `folders` hold the files.
    pub(super) fn open(
        mut pairs: BTreeMap<usize, Pair>,
        folders: Vec<PathBuf>,
        tensors: usize,
    ) -> Result<Journal, RunError> {
        for Pair { path, lock, bytes, .. } in pairs.values_mut() {
            let cut = lock.file.set_len(*bytes).and_then(|()| lock.file.seek(SeekFrom::Start(*bytes)));
            cut.map_err(|error| failed(path, &error))?;
        }
        let place = folders.first().cloned().unwrap_or_default();
        let mut disk = Disk { pairs, folders };
        let state = State { tensors, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("icpc-journal".to_owned());
        let thread = thread.spawn(move || keep_writing(&theirs, &mut disk));
        let thread = thread.map_err(|error| failed(&place, &error))?;
        Ok(Journal { shared, thread: Some(thread), abandoned: AtomicBool::new(false) })
    }

    /// Adds a line to the journal of file number `file`; `tensor` says whether it is that of a finished tensor.
    ///
    /// # Errors
    /// What stopped the thread earlier.
    pub(in crate::exec) fn push(&self, file: usize, line: &str, tensor: bool) -> Result<(), RunError> {
        let mut state = self.shared.lock();
        if let Some(error) = &state.failure {
            return Err(error.clone());
        }
        state.waiting.entry(file).or_default().push_str(line);
        state.tensors_waiting += usize::from(tensor);
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until all lines are on the disk, at most until `enough` says so, which is asked every few milliseconds: a
    /// sync takes as long as the disk likes. Gives the number of tensors in the journal.
    ///
    /// # Errors
    /// Weights or journal cannot be written.
    pub(in crate::exec) fn flush(&self, mut enough: impl FnMut() -> bool) -> Result<usize, RunError> {
        let mut state = self.shared.lock();
        state.hurry = true;
        self.shared.changed.notify_all();
        while state.failure.is_none() && (state.syncing || !state.waiting.is_empty()) && !enough() {
            state = self.shared.wait(state, Duration::from_millis(20));
        }
        state.hurry = false;
        self.abandoned.store(state.syncing, Ordering::Relaxed);
        match &state.failure {
            Some(error) => Err(error.clone()),
            None => Ok(state.tensors),
        }
    }

    /// Tensors whose lines are on the disk.
    pub(in crate::exec) fn tensors(&self) -> usize {
        self.shared.lock().tensors
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.waiting.clear();
        drop(state);
        self.shared.changed.notify_all();
        // The thread has the locked file open, too.
        if let Some(thread) = self.thread.take().filter(|_| !self.abandoned.load(Ordering::Relaxed)) {
            let _ = thread.join();
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> RunError {
    RunError::io(RunErrorKind::Output, path, "writing", error)
}

fn keep_writing(shared: &Shared, disk: &mut Disk) {
    let mut state = shared.lock();
    loop {
        while state.waiting.is_empty() && !state.ended {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended || state.failure.is_some() {
            return;
        }
        let lines = std::mem::take(&mut state.waiting);
        let tensors = std::mem::take(&mut state.tensors_waiting);
        state.syncing = true;
        drop(state);
        let began = Instant::now();
        let written = disk.write(&lines);
        let pause = began.elapsed().saturating_mul(9).clamp(PAUSE.0, PAUSE.1);
        state = shared.lock();
        state.syncing = false;
        match written {
            Ok(()) => state.tensors += tensors,
            Err(error) => state.failure = Some(error),
        }
        shared.changed.notify_all();
        let began = Instant::now();
        while !state.hurry && !state.ended {
            let Some(left) = pause.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else { break };
            state = shared.wait(state, left);
        }
    }
}

impl Disk {
    fn write(&mut self, waiting: &BTreeMap<usize, String>) -> Result<(), RunError> {
        for folder in std::mem::take(&mut self.folders) {
            match sync_folder(&folder) {
                // all was whole, and another task ended the run meanwhile
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(|error| failed(&folder, &error))?,
            }
        }
        for (number, lines) in waiting {
            let Some(Pair { weights: (shown, weights), path, lock, .. }) = self.pairs.get_mut(number) else {
                continue;
            };
            weights.sync_data().map_err(|error| failed(shown, &error))?;
            let written = lock.file.write_all(lines.as_bytes()).and_then(|()| lock.file.sync_data());
            written.map_err(|error| failed(path, &error))?;
        }
        Ok(())
    }
}
