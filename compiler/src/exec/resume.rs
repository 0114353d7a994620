//! What a run finds of an earlier one, and what it leaves to a later one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::destination::Destination;
use super::error::{RunError, RunErrorKind};
use super::journal::Journal;
use super::progress::Progress;
use super::record::{Identity, Past, Said, begin_line, read};
use super::schedule::interrupted;
use crate::base::count;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;

/// How long a run that was asked to end waits for the disk.
const LAST_SYNC: Duration = Duration::from_millis(1500);

/// Opens the files of the output as an earlier run of the same identity left them, or makes them anew.
pub(super) fn open(
    destination: &mut Destination,
    layout: &OutputLayout,
    identity: &Identity,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<(Journal, Past), RunError> {
    let (path, _) = destination.journal();
    let text =
        std::fs::read(path).map_err(|error| RunError::io(RunErrorKind::Output, path, "reading", &error))?;
    let parts: Vec<usize> = layout.by_tensor().iter().map(Vec::len).collect();
    let folder = destination.temporary().to_path_buf();
    let anew = |reason: &str| progress.note(&format!("`{}` {reason}: it begins anew", folder.display()));
    let past = match read(&text, identity, plan, &parts) {
        Said::Nothing => None,
        // after a run that ended between its last two steps nothing is there to go on with
        Said::Other(_) | Said::Past(_) if !folder.exists() => None,
        Said::Other(reason) => {
            anew(reason);
            None
        }
        Said::Past(past) => {
            let files: Vec<(&str, u64)> = layout.files.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
            if destination.go_on(&files)? {
                Some(past)
            } else {
                anew("lacks a file that its journal speaks of");
                None
            }
        }
    };
    let past = match past {
        Some(past) => {
            let tensors = count(plan.tensors.len() as u64, "tensor");
            progress.note(&format!(
                "`{}` has {} of {tensors}: the run goes on from there",
                folder.display(),
                past.done()
            ));
            past
        }
        None => {
            destination.begin_anew()?;
            for file in &layout.files {
                destination.create(&file.name, file.bytes)?;
            }
            Past::nothing(plan.tensors.len())
        }
    };
    for (number, file) in layout.files.iter().enumerate() {
        destination.write(number, 0, &file.header)?;
    }
    let journal = Journal::open(destination, past.bytes, past.done())?;
    if past.bytes == 0 {
        journal.push(&begin_line(identity), false)?;
    }
    Ok((journal, past))
}

/// Waits until everything is on the disk, or until the run is asked to end.
pub(super) fn flush(journal: &Journal, output: &Path, stop: &AtomicBool) -> Result<(), RunError> {
    journal.flush(|| stop.load(Ordering::Relaxed))?;
    if stop.load(Ordering::Relaxed) { Err(interrupted(output)) } else { Ok(()) }
}

/// Decides what becomes of a run that `error` stopped: what it finished is kept where the same command may end it.
pub(super) fn stopped(
    error: RunError,
    destination: &mut Destination,
    journal: &Journal,
    tensors: usize,
    progress: &dyn Progress,
) -> RunError {
    let deadline = Instant::now() + LAST_SYNC;
    let (kept, asked) = match error.kind {
        // a journal that cannot be written holds what it held before
        RunErrorKind::Interrupted | RunErrorKind::Source | RunErrorKind::Output => {
            let flushed = journal.flush(|| Instant::now() >= deadline);
            (flushed.unwrap_or_else(|_| journal.tensors()), error.kind == RunErrorKind::Interrupted)
        }
        _ => (0, false),
    };
    destination.keep(kept > 0);
    let tensors = count(tensors as u64, "tensor");
    match (asked, kept) {
        (true, 0) => error.remedy("no tensor was finished: the same command begins anew"),
        (true, kept) => {
            error.remedy(format!("{kept} of {tensors} are finished: the same command goes on from there"))
        }
        (false, 0) => error,
        (false, kept) => {
            let folder = destination.temporary().display();
            progress
                .note(&format!("`{folder}` keeps {kept} of {tensors}: the same command goes on from there"));
            error
        }
    }
}
