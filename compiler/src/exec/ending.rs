//! The last step: once all files are whole, one task writes the small files and gives the folder its name. And what
//! becomes of a run that does not get there.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::accounts;
use super::destination::{Destination, absent, old_of};
use super::error::{RunError, RunErrorKind};
use super::place::Place;
use super::progress::Progress;
use super::resume::lock::{self, Lock};
use super::resume::{Identity, Journal, everything};
use super::run::{RunOptions, Shown};
use crate::base::count;
use crate::plan::bitsandbytes::config_json;
use crate::plan::hash::hex_digest;
use crate::plan::ir::{OutputContainer, Plan};
use crate::plan::json::PlanDocument;
use crate::plan::layout::OutputLayout;
use crate::report::{RunReport, RunTime, TextHash, to_json, to_markdown};

/// How long a run that was asked to end waits for the disk.
const LAST_SYNC: Duration = Duration::from_millis(1500);

pub(super) enum Ended {
    Wrote(Box<RunReport>),
    /// Another task did it.
    There(Box<RunReport>),
    /// These files are not whole yet.
    Missing(Vec<String>),
}

/// The report of the output, if it is there and such as a run of `identity` writes.
pub(super) fn there(place: &Place, layout: &OutputLayout, identity: &Identity) -> Option<RunReport> {
    let text = fs::read_to_string(place.output.join("report.json")).ok()?;
    let report: RunReport = serde_json::from_str(&text).ok()?;
    let whole = layout
        .files
        .iter()
        .all(|file| fs::metadata(place.output.join(&file.name)).is_ok_and(|found| found.len() == file.bytes));
    (whole && identity.is_of(&report)).then_some(report)
}

/// Gives an output its name back that a run was about to replace when it was killed.
pub(super) fn recover(place: &Place) -> Result<(), RunError> {
    let old = old_of(&place.partial());
    if fs::symlink_metadata(&old).is_err() {
        return Ok(());
    }
    let failed = |error: io::Error| RunError::io(RunErrorKind::Output, &old, "renaming", &error);
    // who holds it is between the two renames now
    let _lock = end_lock(place, &|| Ok(()))?;
    if fs::symlink_metadata(&place.output).is_ok() {
        return absent(fs::remove_dir_all(&old)).map_err(failed);
    }
    absent(fs::rename(&old, &place.output)).map_err(failed)
}

/// Waits for the right to end the run; nothing when the journals are gone because another task ended it.
fn end_lock(place: &Place, stop: &dyn Fn() -> Result<(), RunError>) -> Result<Option<Lock>, RunError> {
    let path = place.journal().join("end");
    loop {
        match lock::take(&path) {
            Ok(Some(lock)) => return Ok(Some(lock)),
            Ok(None) => {
                stop()?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunError::io(RunErrorKind::Output, &path, "opening", &error)),
        }
    }
}

/// Removes the journals of an output that is whole. What cannot be removed is in nobody's way and the next run tries again.
pub(super) fn clear(place: &Place) {
    if fs::symlink_metadata(place.partial()).is_err() {
        let _ = fs::remove_dir_all(place.journal());
    }
}

/// What a run is of.
pub(super) struct Of<'a> {
    /// What is encoded.
    pub(super) plan: &'a Plan,
    /// What the output says.
    pub(super) shown: &'a Shown<'a>,
    /// That of the journals.
    pub(super) identity: &'a Identity,
    /// That of the output.
    pub(super) whole: &'a Identity,
}

/// Ends the run if all files are whole.
pub(super) fn end(
    place: &Place,
    destination: Destination,
    of: &Of<'_>,
    layout: &OutputLayout,
    options: &RunOptions,
    began: (Instant, SystemTime),
) -> Result<Ended, RunError> {
    let Of { plan, shown, identity, whole } = of;
    let output = place.output.as_path();
    let by_another = || {
        there(place, layout, whole).map(Box::new).map(Ended::There).ok_or_else(|| {
            let message = "its journals were removed while it ran";
            RunError::new(RunErrorKind::Output, output, "ending", message)
                .remedy("the same command does it again")
        })
    };
    let Some(lock) = end_lock(place, &|| options.stop.check(output))? else { return by_another() };
    if fs::symlink_metadata(place.partial()).is_err() {
        return by_another();
    }
    let (past, missing) = everything(place, plan, layout, identity)?;
    if !missing.is_empty() {
        return Ok(Ended::Missing(missing));
    }
    let time = RunTime {
        began: began.1.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        seconds: began.0.elapsed().as_secs_f64(),
        peak_memory: peak_memory(),
    };
    let mut report = accounts::report(shown, layout, past, options, time)?;
    let mut names: Vec<&str> = layout.files.iter().map(|file| file.name.as_str()).collect();
    for sidecar in &layout.sidecars {
        destination.write_whole(&sidecar.name, &sidecar.bytes)?;
        names.push(&sidecar.name);
    }
    if let Some(config) = source_config(shown.plan, options.config.as_ref().unwrap_or(&options.checkpoint))? {
        destination.write_whole(CONFIG, &config)?;
        report.others.push(TextHash { name: CONFIG.to_owned(), sha256: hex_digest(&config) });
        names.push(CONFIG);
    }
    destination.write_whole("plan.json", PlanDocument::of(shown.plan, layout).to_json().as_bytes())?;
    destination.write_whole("report.json", to_json(&report).as_bytes())?;
    destination.write_whole("report.md", to_markdown(&report).as_bytes())?;
    names.extend(["plan.json", "report.json", "report.md"]);
    match destination.commit(&names) {
        Ok(()) => {
            drop(lock);
            clear(place);
            Ok(Ended::Wrote(Box::new(report)))
        }
        // without locks two tasks may come here, and the files are those that either writes
        Err(error) => match there(place, layout, whole) {
            Some(report) => Ok(Ended::There(Box::new(report))),
            None => Err(error),
        },
    }
}

/// Decides what becomes of a run that `error` stopped: what it finished is kept where the same command may end it.
pub(super) fn stopped(
    error: RunError,
    destination: &mut Destination,
    journal: &Journal,
    progress: &dyn Progress,
) -> RunError {
    let deadline = Instant::now() + LAST_SYNC;
    let asked = error.kind == RunErrorKind::Interrupted;
    let kept = match error.kind {
        // a journal that cannot be written holds what it held before
        RunErrorKind::Interrupted | RunErrorKind::Source | RunErrorKind::Output => {
            let flushed = journal.flush(|| Instant::now() >= deadline);
            flushed.unwrap_or_else(|_| journal.tensors())
        }
        _ => 0,
    };
    if kept > 0 {
        destination.keep();
    }
    let finished = count(kept as u64, "tensor");
    let is = if kept == 1 { "is" } else { "are" };
    match (asked, kept) {
        (true, 0) => error.remedy("no tensor was finished: the same command begins anew"),
        (true, _) => error.remedy(format!("{finished} {is} finished: the same command goes on from there")),
        (false, 0) => error,
        (false, _) => {
            progress.note(&format!("{finished} {is} kept: the same command goes on from there"));
            error
        }
    }
}

/// The file that loaders of models read first.
const CONFIG: &str = "config.json";

/// `config.json` for containers that need one, from the one beside the checkpoint.
fn source_config(plan: &Plan, checkpoint: &Path) -> Result<Option<Vec<u8>>, RunError> {
    if plan.container != OutputContainer::Bitsandbytes {
        return Ok(None);
    }
    let folder = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
    let path = folder.unwrap_or(Path::new("")).join(CONFIG);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(RunError::io(RunErrorKind::Source, &path, "reading", &error)),
    };
    config_json(plan, text.as_deref())
        .map_err(|message| RunError::new(RunErrorKind::Source, &path, "reading", message))
}

/// Peak of resident memory, where the system tells it in a file.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
