//! What a task finds of an earlier run, and how the last one sees what all tasks did.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::destination::{Destination, absent, in_folder, make_folder};
use super::super::error::{RunError, RunErrorKind};
use super::super::place::{Place, refused};
use super::super::progress::Progress;
use super::journal::{Journal, Pair};
use super::lock;
use super::record::{Begin, Frame, Identity, Past, Said, begin_line, by_line};
use super::{LINES, journal_of};
use crate::base::count;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;
use crate::report::Worker;

/// A task's files, open.
pub(in crate::exec) struct Opened {
    pub(in crate::exec) destination: Destination,
    pub(in crate::exec) journal: Journal,
    /// What is done in its files.
    pub(in crate::exec) past: Past,
}

fn frame<'a>(plan: &'a Plan, layout: &OutputLayout, identity: &'a Identity) -> Frame<'a> {
    Frame { identity, plan, parts: layout.by_tensor().iter().map(Vec::len).collect() }
}

fn failed(path: &Path, operation: &'static str, error: &std::io::Error) -> RunError {
    RunError::io(RunErrorKind::Output, path, operation, error)
}

/// Opens the files of `share` as an earlier run of the same identity left them, or makes them anew.
pub(in crate::exec) fn open(
    place: &Place,
    plan: &Plan,
    layout: &OutputLayout,
    identity: &Identity,
    share: &[usize],
    worker: &Worker,
    progress: &dyn Progress,
) -> Result<Opened, RunError> {
    let mut destination = Destination::shared(place)?;
    let folder = place.journal();
    let made = in_folder(place.parent(), || make_folder(&folder));
    made.map_err(|error| failed(&folder, "creating", &error))?;
    sweep(place, layout, progress)?;
    let frame = frame(plan, layout, identity);
    let (mut past, mut pairs, mut fresh) = (Past::default(), BTreeMap::new(), Vec::new());
    // for each reason to begin anew, how many files do
    let mut anew: BTreeMap<&str, u64> = BTreeMap::new();
    let mut unlocked = false;
    for number in share {
        let Some(file) = layout.files.get(*number) else { continue };
        let path = journal_of(&folder, &file.name);
        let Some(lock) = patiently(&path)? else {
            return Err(refused(&place.output, "another run is writing it", "wait until it ends"));
        };
        unlocked |= !lock.held;
        destination.accompany(path.clone());
        let text = fs::read(&path).map_err(|error| failed(&path, "reading", &error))?;
        let mut found = Past::default();
        let said = found.read(&text, &frame);
        let bytes = match said {
            Said::Lines(bytes) if destination.reopen(*number, &file.name, file.bytes)? => bytes,
            said => {
                // where the weights are gone there is nothing to go on with, and nothing to say
                let there = place.partial().join(&file.name).exists();
                match said {
                    Said::Other(reason) if there => *anew.entry(reason).or_default() += 1,
                    Said::Lines(_) if there => {
                        *anew.entry("holds a file of another length").or_default() += 1
                    }
                    _ => {}
                }
                // the journal first, so that it never speaks of weights that are gone
                let emptied = lock.file.set_len(0).and_then(|()| lock.file.sync_all());
                emptied.map_err(|error| failed(&path, "writing", &error))?;
                destination.create(*number, &file.name, file.bytes)?;
                found = Past::default();
                0
            }
        };
        destination.write(*number, 0, &file.header)?;
        if bytes == 0 {
            fresh.push(*number);
        }
        past.add(found);
        pairs.insert(*number, Pair { weights: destination.handle(*number)?, path, lock, bytes });
    }
    if unlocked {
        progress.note("this file system has no locks: let no other run write the same output");
    }
    let partial = place.partial();
    for (reason, files) in anew {
        let begins = if files == 1 { "begins" } else { "begin" };
        let files = count(files, "file");
        progress.note(&format!("`{}` {reason}: {files} {begins} anew", partial.display()));
    }
    if fresh.len() < share.len() {
        let of = count(tensors_of(layout, share), "tensor");
        let done = past.finished.len();
        progress.note(&format!("`{}` has {done} of {of}: the run goes on from there", partial.display()));
    }
    let folders = vec![partial, folder, place.parent().to_path_buf()];
    let journal = Journal::open(pairs, folders, past.finished.len())?;
    for number in share {
        let Some(file) = layout.files.get(*number) else { continue };
        if fresh.contains(number) {
            let tensors = tensors_of(layout, std::slice::from_ref(number)) as usize;
            let begin =
                Begin { identity: identity.clone(), files: layout.files.len(), tensors, bytes: file.bytes };
            journal.push(*number, &begin_line(begin), false)?;
        }
        journal.push(*number, &by_line(worker), false)?;
    }
    Ok(Opened { destination, journal, past })
}

/// The lock of a journal: a run that was killed a moment ago or somebody who asks for its state may still hold it.
fn patiently(path: &Path) -> Result<Option<lock::Lock>, RunError> {
    for _ in 0..10 {
        let folder = path.parent().unwrap_or(Path::new(""));
        let taken = in_folder(folder, || lock::take(path));
        if let Some(lock) = taken.map_err(|error| failed(path, "opening", &error))? {
            return Ok(Some(lock));
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    Ok(None)
}

/// Tensors in these files.
fn tensors_of(layout: &OutputLayout, files: &[usize]) -> u64 {
    let mut tensors: Vec<usize> = Vec::new();
    for file in files.iter().filter_map(|number| layout.files.get(*number)) {
        tensors.extend(file.parts.iter().map(|part| part.tensor));
    }
    tensors.sort_unstable();
    tensors.dedup();
    tensors.len() as u64
}

/// Removes what runs of other plans left under names that this plan's files do not have.
fn sweep(place: &Place, layout: &OutputLayout, progress: &dyn Progress) -> Result<(), RunError> {
    let folder = place.journal();
    let mut removed = 0;
    let reading = |error: std::io::Error| failed(&folder, "reading", &error);
    for entry in in_folder(&folder, || fs::read_dir(&folder)).map_err(reading)? {
        let name = entry.map_err(reading)?.file_name().to_string_lossy().into_owned();
        let Some(file) = name.strip_suffix(LINES) else { continue };
        if layout.files.iter().any(|known| known.name == file) {
            continue;
        }
        let path = folder.join(&name);
        match patiently(&path)? {
            None => {
                let message = "a run of another plan is writing it";
                return Err(refused(&place.output, message, "wait until it ends"));
            }
            Some(_lock) => {
                for gone in [&place.partial().join(file), &path] {
                    absent(fs::remove_file(gone)).map_err(|error| failed(gone, "removing", &error))?;
                }
                removed += 1;
            }
        }
    }
    if removed > 0 {
        let partial = place.partial();
        let files = count(removed, "file");
        progress.note(&format!("`{}` is of another plan: {files} of it removed", partial.display()));
    }
    Ok(())
}

/// What all tasks did, and the files that are not whole yet.
pub(in crate::exec) fn everything(
    place: &Place,
    plan: &Plan,
    layout: &OutputLayout,
    identity: &Identity,
) -> Result<(Past, Vec<String>), RunError> {
    let frame = frame(plan, layout, identity);
    let (folder, partial) = (place.journal(), place.partial());
    let (mut past, mut missing) = (Past::default(), Vec::new());
    for file in &layout.files {
        let path = journal_of(&folder, &file.name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&path, "reading", &error)),
        };
        let mut found = Past::default();
        let said = found.read(&text, &frame);
        let whole = matches!(said, Said::Lines(_))
            && file.parts.iter().all(|part| found.finished.contains_key(&part.tensor))
            && fs::metadata(partial.join(&file.name)).is_ok_and(|there| there.len() == file.bytes);
        if whole { past.add(found) } else { missing.push(file.name.clone()) }
    }
    Ok((past, missing))
}

impl Past {
    fn add(&mut self, other: Past) {
        self.chosen.extend(other.chosen);
        self.finished.extend(other.finished);
        for worker in other.workers {
            if !self.workers.contains(&worker) {
                self.workers.push(worker);
            }
        }
    }
}
