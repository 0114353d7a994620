//! Where an output may be written, and what lies beside it while it is in the making.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{RunError, RunErrorKind};

/// The folders of an output.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its name, under which it appears whole.
    pub(super) output: PathBuf,
    parent: PathBuf,
    name: OsString,
}

impl Place {
    /// The place of `output`.
    ///
    /// # Errors
    /// A path that ends in no name.
    pub(super) fn new(output: &Path) -> Result<Place, RunError> {
        let Some(name) = output.file_name() else {
            return Err(refused(output, "the path names no folder", "give the name of a new folder"));
        };
        let parent = output.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Place { output: output.to_path_buf(), parent, name: name.to_owned() })
    }

    /// The folder that holds it.
    pub(super) fn parent(&self) -> &Path {
        if self.parent.as_os_str().is_empty() { Path::new(".") } else { &self.parent }
    }

    /// A hidden name beside it.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut hidden = OsString::from(".");
        hidden.push(&self.name);
        hidden.push(ending);
        self.parent.join(hidden)
    }

    /// The folder that becomes the output, which a later run goes on with.
    pub(super) fn partial(&self) -> PathBuf {
        self.beside(".partial")
    }

    /// The folder that says what is done in it.
    pub(super) fn journal(&self) -> PathBuf {
        self.beside(".journal")
    }

    /// Refuses an output that is, contains or lies in one of `inputs`, and one that exists unless `force` says that it is
    /// to be replaced.
    pub(super) fn check(&self, inputs: &[&Path], force: bool) -> Result<(), RunError> {
        let output = self.output.as_path();
        let failed =
            |error: io::Error| RunError::io(RunErrorKind::Output, output, "creating the output", &error);
        let resolved = resolve(output).map_err(failed)?;
        for input in inputs {
            let input_resolved = fs::canonicalize(input).map_err(failed)?;
            let relation = match (resolved == input_resolved, input_resolved.is_dir()) {
                (true, _) => "is the input",
                (_, true) if resolved.starts_with(&input_resolved) => "lies inside the input",
                _ if input_resolved.starts_with(&resolved) => "contains the input",
                _ => continue,
            };
            let message = format!("the output {relation} `{}`", input.display());
            return Err(refused(output, message, "choose another folder"));
        }
        match fs::symlink_metadata(output) {
            Ok(_) if !force => Err(refused(output, "it exists already", "`--force` replaces it")),
            Ok(found) if !found.is_dir() => {
                Err(refused(output, "it exists and is not a folder", "choose another name"))
            }
            Ok(_) => match foreign(output).map_err(failed)? {
                Some(name) => Err(refused(
                    output,
                    format!("it holds `{name}`, which no run wrote"),
                    "`--force` replaces outputs only: choose another folder",
                )),
                None => Ok(()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// An output that may not be made, with what helps.
pub(super) fn refused(output: &Path, message: impl Into<String>, remedy: &str) -> RunError {
    RunError::new(RunErrorKind::OutputRefused, output, "creating the output", message).remedy(remedy)
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
    let mut rest: Vec<OsString> = Vec::new();
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
