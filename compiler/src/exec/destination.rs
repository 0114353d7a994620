//! The output folder: written under a temporary name beside it, renamed when everything is on the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::error::{RunError, RunErrorKind};

/// A folder in the making. Dropped without [`Destination::commit`], it removes what it made.
#[derive(Debug)]
pub(crate) struct Destination {
    output: PathBuf,
    temporary: PathBuf,
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
            Ok(_) => {
                if let Some(name) = foreign(output).map_err(failed)? {
                    let message = format!("it holds `{name}`, which no run wrote");
                    return refused(message, "`--force` replaces outputs only: choose another folder");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let parent = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut destination = Destination {
            output: output.to_path_buf(),
            temporary: PathBuf::new(),
            made: Vec::new(),
            files: Vec::new(),
            committed: false,
        };
        destination.make_parents(parent).map_err(failed)?;
        for attempt in 0..1000u32 {
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.partial", std::process::id()));
            let temporary = parent.join(hidden);
            match fs::create_dir(&temporary) {
                Ok(()) => {
                    destination.temporary = temporary;
                    return Ok(destination);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        refused(
            "a thousand abandoned runs lie beside it".to_owned(),
            "remove the folders that end in `.partial`",
        )
    }

    fn make_parents(&mut self, parent: &Path) -> io::Result<()> {
        let mut missing: Vec<&Path> = Vec::new();
        let mut folder = Some(parent);
        while let Some(path) = folder.filter(|path| !path.as_os_str().is_empty() && !path.exists()) {
            missing.push(path);
            folder = path.parent();
        }
        for path in missing.into_iter().rev() {
            fs::create_dir(path)?;
            self.made.push(path.to_path_buf());
        }
        Ok(())
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
        let written = File::create_new(&place).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|error| RunError::io(KIND, &shown, "writing", &error))
    }

    /// Puts everything on the disk and gives the folder its name.
    pub(crate) fn commit(mut self) -> Result<(), RunError> {
        for (shown, file) in &self.files {
            file.sync_all().map_err(|error| RunError::io(KIND, shown, "writing", &error))?;
        }
        let failed = |error: io::Error| RunError::io(KIND, &self.output, "renaming", &error);
        sync_folder(&self.temporary).map_err(failed)?;
        if fs::symlink_metadata(&self.output).is_ok() {
            let mut old = self.temporary.clone().into_os_string();
            old.push(".old");
            let old = PathBuf::from(old);
            fs::rename(&self.output, &old).map_err(failed)?;
            if let Err(error) = fs::rename(&self.temporary, &self.output) {
                // the former output stays the output; when even that fails, its name tells where it is
                let _ = fs::rename(&old, &self.output);
                return Err(failed(error));
            }
            self.committed = true;
            fs::remove_dir_all(&old).map_err(|error| RunError::io(KIND, &old, "removing", &error))?;
        } else {
            fs::rename(&self.temporary, &self.output).map_err(failed)?;
            self.committed = true;
        }
        match self.output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
            _ => sync_folder(Path::new(".")),
        }
        .map_err(|error| RunError::io(KIND, &self.output, "renaming", &error))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        // A failure here has nobody to tell: the error that led here is on its way.
        if !self.temporary.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.temporary);
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A file or folder in `output` that is none of those that an output consists of: somebody would miss it.
fn foreign(output: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(output)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = match name.as_str() {
            "plan.json" | "report.json" | "report.md" | "config.json" | "model.safetensors.index.json" => {
                true
            }
            other => other.starts_with("model") && other.ends_with(".safetensors"),
        };
        if !ours || entry.file_type()?.is_dir() {
            return Ok(Some(name));
        }
    }
    Ok(None)
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

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
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
