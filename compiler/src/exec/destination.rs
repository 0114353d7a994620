//! The output folder while it is in the making: under a hidden name beside it, renamed when everything is on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::{RunError, RunErrorKind};
use super::place::{Place, refused};
use super::whole;

const KIND: RunErrorKind = RunErrorKind::Output;

/// A folder in the making. Dropped without [`Destination::commit`] or [`Destination::keep`], it removes what it made.
#[derive(Debug)]
pub(super) struct Destination {
    place: Place,
    temporary: PathBuf,
    /// Whether the folder is this process's alone, so that all of it goes when it is not committed.
    own: bool,
    /// Parent folders that did not exist, outermost first.
    made: Vec<PathBuf>,
    /// Open files by number.
    files: BTreeMap<usize, OpenFile>,
    /// Files elsewhere that go with them.
    companions: Vec<PathBuf>,
    keep: bool,
}

#[derive(Debug)]
struct OpenFile {
    /// Its path when all is well.
    shown: PathBuf,
    place: PathBuf,
    file: File,
}

impl Destination {
    /// A folder that nobody else writes and nobody goes on with.
    pub(super) fn fresh(place: &Place) -> Result<Destination, RunError> {
        let mut destination = Destination::new(place, PathBuf::new(), true)?;
        for attempt in 0..1000u32 {
            let temporary = place.beside(&format!(".{}-{attempt}.partial", std::process::id()));
            match fs::create_dir(&temporary) {
                Ok(()) => {
                    destination.temporary = temporary;
                    return Ok(destination);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(destination.failed(&error)),
            }
        }
        Err(refused(
            &place.output,
            "a thousand abandoned runs lie beside it",
            "remove the folders that end in `.partial`",
        ))
    }

    /// The folder that several tasks write and a later run goes on with, which may be there.
    pub(super) fn shared(place: &Place) -> Result<Destination, RunError> {
        let destination = Destination::new(place, place.partial(), false)?;
        let made = in_folder(place.parent(), || make_folder(&destination.temporary));
        made.map_err(|error| destination.failed(&error))?;
        Ok(destination)
    }

    fn new(place: &Place, temporary: PathBuf, own: bool) -> Result<Destination, RunError> {
        let mut destination = Destination {
            place: place.clone(),
            temporary,
            own,
            made: Vec::new(),
            files: BTreeMap::new(),
            companions: Vec::new(),
            keep: false,
        };
        let made = make_parents(place.parent(), &mut destination.made);
        made.map_err(|error| destination.failed(&error))?;
        Ok(destination)
    }

    fn failed(&self, error: &io::Error) -> RunError {
        RunError::io(KIND, &self.place.output, "creating the output", error)
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, RunError> {
        let mut parts = Path::new(name).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(_)), None) => Ok(self.temporary.join(name)),
            _ => Err(RunError::internal(&self.place.output, format!("`{name}` leaves the output folder"))),
        }
    }

    /// File `number`, of `bytes` bytes, all zero; one of that name that is there is removed.
    pub(super) fn create(&mut self, number: usize, name: &str, bytes: u64) -> Result<(), RunError> {
        let place = self.path_of(name)?;
        let shown = self.place.output.join(name);
        let failed = |error: io::Error| RunError::io(KIND, &shown, "creating", &error);
        let temporary = &self.temporary;
        let made =
            in_folder(temporary, || absent(fs::remove_file(&place)).and_then(|()| File::create_new(&place)));
        let file = made.map_err(failed)?;
        let sized = file.set_len(bytes).map_err(failed);
        self.files.insert(number, OpenFile { shown, place, file });
        sized
    }

    /// Opens file `number` as an earlier run left it; whether it is there with that many bytes.
    pub(super) fn reopen(&mut self, number: usize, name: &str, bytes: u64) -> Result<bool, RunError> {
        let place = self.path_of(name)?;
        let Ok(file) = File::options().read(true).write(true).open(&place) else { return Ok(false) };
        if !file.metadata().is_ok_and(|found| found.is_file() && found.len() == bytes) {
            return Ok(false);
        }
        self.files.insert(number, OpenFile { shown: self.place.output.join(name), place, file });
        Ok(true)
    }

    /// Has a file elsewhere removed with those of this folder when they are not kept.
    pub(super) fn accompany(&mut self, path: PathBuf) {
        self.companions.push(path);
    }

    /// Another handle of file `number`, with the path to name it by.
    pub(super) fn handle(&self, number: usize) -> Result<(PathBuf, File), RunError> {
        let OpenFile { shown, file, .. } = self.open_file(number)?;
        match file.try_clone() {
            Ok(file) => Ok((shown.clone(), file)),
            Err(error) => Err(RunError::io(KIND, shown, "opening", &error)),
        }
    }

    fn open_file(&self, number: usize) -> Result<&OpenFile, RunError> {
        let missing = || RunError::internal(&self.place.output, "a file is missing");
        self.files.get(&number).ok_or_else(missing)
    }

    /// Writes at a place of file `number`, from any thread.
    pub(super) fn write(&self, number: usize, offset: u64, bytes: &[u8]) -> Result<(), RunError> {
        let OpenFile { shown, file, .. } = self.open_file(number)?;
        write_all_at(file, bytes, offset).map_err(|error| RunError::io(KIND, shown, "writing", &error))
    }

    /// Writes a small file whole: it is there with all of its bytes or as it was, whoever else writes it.
    pub(super) fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let place = self.path_of(name)?;
        let beside = self.path_of(&format!(".{name}.{}", std::process::id()))?;
        whole::write(&place, &beside, bytes)
            .map_err(|error| RunError::io(KIND, &self.place.output.join(name), "writing", &error))
    }

    /// Says that what there is now is for a later run.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }

    /// Puts everything on the disk and gives the folder, which holds `names` and nothing else, the output's name.
    ///
    /// # Errors
    /// The disk, or a folder in the way. What was written is kept: only the end is to be done again.
    pub(super) fn commit(mut self, names: &[&str]) -> Result<(), RunError> {
        self.keep = !self.own;
        let output = self.place.output.as_path();
        for OpenFile { shown, file, .. } in self.files.values() {
            file.sync_all().map_err(|error| RunError::io(KIND, shown, "writing", &error))?;
        }
        let failed = |error: io::Error| RunError::io(KIND, output, "renaming", &error);
        for entry in fs::read_dir(&self.temporary).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !names.iter().any(|name| entry.file_name() == *name) {
                let path = entry.path();
                absent(fs::remove_file(&path))
                    .map_err(|error| RunError::io(KIND, &path, "removing", &error))?;
            }
        }
        sync_folder(&self.temporary).map_err(failed)?;
        let old = old_of(&self.temporary);
        if fs::symlink_metadata(output).is_ok() {
            fs::rename(output, &old).map_err(failed)?;
            if let Err(error) = fs::rename(&self.temporary, output) {
                // the former output stays the output; when even that fails, its name tells where it is
                let _ = fs::rename(&old, output);
                return Err(failed(error));
            }
        } else {
            fs::rename(&self.temporary, output).map_err(failed)?;
        }
        self.keep = true;
        sync_folder(self.place.parent()).map_err(failed)?;
        absent(fs::remove_dir_all(&old)).map_err(|error| RunError::io(KIND, &old, "removing", &error))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // A failure here has nobody to tell: the error that led here is on its way.
        if self.own && !self.temporary.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.temporary);
        } else if !self.own {
            // the journals first, so that they never speak of files that are gone
            for path in self.companions.iter().chain(self.files.values().map(|file| &file.place)) {
                let _ = fs::remove_file(path);
            }
            // only when no other task has files in it
            let folder = self.companions.first().and_then(|path| path.parent());
            folder.into_iter().for_each(super::activations::sweep);
            for folder in folder.into_iter().chain([self.temporary.as_path()]) {
                let _ = fs::remove_dir(folder);
            }
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Where the former output is between two renames.
pub(super) fn old_of(temporary: &Path) -> PathBuf {
    let mut old = temporary.as_os_str().to_owned();
    old.push(".old");
    PathBuf::from(old)
}

/// What is not there need not be removed.
pub(super) fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a folder that may be there.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Does something in a folder, which is made again when another task that ended took it away as empty.
pub(super) fn in_folder<T>(folder: &Path, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut attempts = 0;
    loop {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < 100 => {
                attempts += 1;
                make_parents(folder, &mut Vec::new())?;
            }
            done => return done,
        }
    }
}

/// Makes the folders that are missing and notes them, outermost first.
fn make_parents(folder: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut folder = Some(folder);
    while let Some(path) = folder.filter(|path| !path.as_os_str().is_empty() && !path.exists()) {
        missing.push(path);
        folder = path.parent();
    }
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Ok(()) => made.push(path.to_path_buf()),
            // another task made it at the same time
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Puts the names of a folder on the disk.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Names of a folder need no help here.
#[cfg(not(unix))]
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let (mut bytes, mut offset) = (bytes, offset);
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}
