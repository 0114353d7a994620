//! The output folder: written under a temporary name beside it, renamed when everything is on the disk.
//!
//! Beside `NAME` lie `.NAME.partial`, which becomes it, and `.NAME.journal`, which is locked as long as a run is at work
//! and says what a later one need not do again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::error::{RunError, RunErrorKind};
use super::lock::{self, Lock};

/// A folder in the making. Dropped without [`Destination::commit`], it removes what it made unless that is to be kept.
#[derive(Debug)]
pub(crate) struct Destination {
    output: PathBuf,
    temporary: PathBuf,
    /// Where the former output is between two renames.
    old: PathBuf,
    journal: PathBuf,
    lock: Lock,
    /// Whether a later run is to find what is there now.
    keep: bool,
    /// Parent folders that did not exist, outermost first.
    made: Vec<PathBuf>,
    files: Vec<(PathBuf, File)>,
    committed: bool,
}

const KIND: RunErrorKind = RunErrorKind::Output;

impl Destination {
    /// A place for `output`, which may not be, contain or lie in one of `inputs`; an existing one is refused unless
    /// `force` says that it is to be replaced.
    pub(crate) fn prepare(output: &Path, inputs: &[&Path], force: bool) -> Result<Destination, RunError> {
        let refused = |message: String, remedy: &str| {
            Err(RunError::new(RunErrorKind::OutputRefused, output, "creating the output", message)
                .remedy(remedy))
        };
        let failed = |error: io::Error| RunError::io(KIND, output, "creating the output", &error);
        let Some(name) = output.file_name() else {
            return refused("the path names no folder".to_owned(), "give the name of a new folder");
        };
        let resolved = resolve(output).map_err(failed)?;
        for input in inputs {
            let input_resolved = fs::canonicalize(input).map_err(failed)?;
            let relation = match (resolved == input_resolved, input_resolved.is_dir()) {
                (true, _) => "is the input",
                (_, true) if resolved.starts_with(&input_resolved) => "lies inside the input",
                _ if input_resolved.starts_with(&resolved) => "contains the input",
                _ => continue,
            };
            return refused(format!("the output {relation} `{}`", input.display()), "choose another folder");
        }
        match fs::symlink_metadata(output) {
            Ok(_) if !force => return refused("it exists already".to_owned(), "`--force` replaces it"),
            Ok(found) if !found.is_dir() => {
                return refused("it exists and is not a folder".to_owned(), "choose another name");
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let parent = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let beside = |ending: &str| {
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(name);
            hidden.push(ending);
            parent.join(hidden)
        };
        let mut made = Vec::new();
        let locked = make_parents(parent, &mut made).and_then(|()| lock::take(&beside(".journal")));
        let lock = match locked {
            Ok(Some(lock)) => lock,
            Ok(None) => return refused("another run is writing it".to_owned(), "wait until it ends"),
            Err(error) => {
                remove_parents(&made);
                return Err(failed(error));
            }
        };
        let temporary = beside(".partial");
        let destination = Destination {
            output: output.to_path_buf(),
            keep: fs::symlink_metadata(&temporary).is_ok(),
            temporary,
            old: beside(".partial.old"),
            journal: beside(".journal"),
            lock,
            made,
            files: Vec::new(),
            committed: false,
        };
        if destination.recover().map_err(failed)? && !force {
            return refused("it exists already".to_owned(), "`--force` replaces it");
        }
        Ok(destination)
    }

    /// Ends what a run that was killed between two renames had begun; whether the former output is there again.
    fn recover(&self) -> io::Result<bool> {
        if fs::symlink_metadata(&self.old).is_err() {
            return Ok(false);
        }
        if fs::symlink_metadata(&self.output).is_ok() {
            fs::remove_dir_all(&self.old)?;
            return Ok(false);
        }
        fs::rename(&self.old, &self.output)?;
        Ok(true)
    }

    /// Whether other runs are kept away.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.held
    }

    /// The temporary folder.
    pub(super) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The journal with its path.
    pub(super) fn journal(&self) -> (&Path, &File) {
        (&self.journal, &self.lock.file)
    }

    /// The files with weights, for the thread that puts them on the disk, with their paths.
    pub(super) fn handles(&self) -> Result<Vec<(PathBuf, File)>, RunError> {
        let handle = |(shown, file): &(PathBuf, File)| match file.try_clone() {
            Ok(file) => Ok((shown.clone(), file)),
            Err(error) => Err(RunError::io(KIND, shown, "opening", &error)),
        };
        self.files.iter().map(handle).collect()
    }

    /// Says whether a later run is to find what is there now.
    pub(super) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Empties the journal and makes an empty temporary folder.
    pub(super) fn begin_anew(&mut self) -> Result<(), RunError> {
        self.keep = false;
        self.files.clear();
        // the journal first, so that it never speaks of files that are gone
        let file = &self.lock.file;
        let emptied = file.set_len(0).and_then(|()| file.sync_all());
        emptied
            .and_then(|()| match fs::symlink_metadata(&self.temporary) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&self.temporary),
                Ok(_) => fs::remove_file(&self.temporary),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            })
            .and_then(|()| fs::create_dir(&self.temporary))
            .map_err(|error| RunError::io(KIND, &self.output, "creating the output", &error))
    }

    /// Opens the files that an earlier run left, with their lengths, and removes all others; false when one is missing.
    pub(super) fn go_on(&mut self, files: &[(&str, u64)]) -> Result<bool, RunError> {
        self.files.clear();
        for (name, bytes) in files {
            let file = File::options().read(true).write(true).open(self.place(name)?);
            let length = |file: &File| file.metadata().map(|found| found.is_file() && found.len() == *bytes);
            match file {
                Ok(file) if length(&file).unwrap_or(false) => {
                    self.files.push((self.output.join(name), file));
                }
                _ => return Ok(false),
            }
        }
        let failed = |error: io::Error| RunError::io(KIND, &self.output, "creating the output", &error);
        for entry in fs::read_dir(&self.temporary).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !files.iter().any(|(name, _)| entry.file_name() == *name) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(true)
    }

    fn place(&self, name: &str) -> Result<PathBuf, RunError> {
        let mut parts = Path::new(name).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(_)), None) => Ok(self.temporary.join(name)),
            _ => Err(RunError::internal(&self.output, format!("`{name}` leaves the output folder"))),
        }
    }

    /// A file of `bytes` bytes, all zero; its number.
    pub(crate) fn create(&mut self, name: &str, bytes: u64) -> Result<usize, RunError> {
        let place = self.place(name)?;
        let shown = self.output.join(name);
        let file = File::create_new(&place).and_then(|file| file.set_len(bytes).map(|()| file));
        let file = file.map_err(|error| RunError::io(KIND, &shown, "creating", &error))?;
        self.files.push((shown, file));
        Ok(self.files.len() - 1)
    }

    /// Writes at a place of file `number`, from any thread.
    pub(crate) fn write(&self, number: usize, offset: u64, bytes: &[u8]) -> Result<(), RunError> {
        let (shown, file) =
            self.files.get(number).ok_or_else(|| RunError::internal(&self.output, "a file is missing"))?;
        write_all_at(file, bytes, offset).map_err(|error| RunError::io(KIND, shown, "writing", &error))
    }

    /// Writes a small file whole.
    pub(crate) fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let place = self.place(name)?;
        let shown = self.output.join(name);
        let written = File::create(&place).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|error| RunError::io(KIND, &shown, "writing", &error))
    }

    /// Puts everything on the disk and gives the folder its name.
    ///
    /// A failure keeps what was written: only the end is to be done again.
    pub(crate) fn commit(mut self) -> Result<(), RunError> {
        self.keep = true;
        for (shown, file) in &self.files {
            file.sync_all().map_err(|error| RunError::io(KIND, shown, "writing", &error))?;
        }
        let failed = |error: io::Error| RunError::io(KIND, &self.output, "renaming", &error);
        sync_folder(&self.temporary).map_err(failed)?;
        if fs::symlink_metadata(&self.output).is_ok() {
            fs::rename(&self.output, &self.old).map_err(failed)?;
            if let Err(error) = fs::rename(&self.temporary, &self.output) {
                // the former output stays the output; when even that fails, its name tells where it is
                let _ = fs::rename(&self.old, &self.output);
                return Err(failed(error));
            }
            self.committed = true;
            fs::remove_dir_all(&self.old)
                .map_err(|error| RunError::io(KIND, &self.old, "removing", &error))?;
        } else {
            fs::rename(&self.temporary, &self.output).map_err(failed)?;
            self.committed = true;
        }
        match self.output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
            _ => sync_folder(Path::new(".")),
        }
        .map_err(|error| RunError::io(KIND, &self.output, "renaming", &error))?;
        fs::remove_file(&self.journal).map_err(|error| RunError::io(KIND, &self.journal, "removing", &error))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if self.committed || self.keep {
            return;
        }
        // A failure here has nobody to tell: the error that led here is on its way.
        let _ = fs::remove_dir_all(&self.temporary);
        let _ = fs::remove_file(&self.journal);
        remove_parents(&self.made);
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
            // another run made it at the same time
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes those that are empty; what else fails has nobody to tell.
fn remove_parents(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// The absolute path without links, also where its last parts do not exist yet.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut rest: Vec<std::ffi::OsString> = Vec::new();
    let mut known = absolute.as_path();
    loop {
        match fs::canonicalize(known) {
            Ok(mut found) => {
                found.extend(rest.iter().rev());
                return Ok(found);
            }
            Err(error) => {
                let (Some(name), Some(parent)) = (known.file_name(), known.parent()) else {
                    return Err(error);
                };
                rest.push(name.to_owned());
                known = parent;
            }
        }
    }
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
