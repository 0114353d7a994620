//! Which files of a folder are its checkpoint.

use super::error::{CheckpointError, ErrorKind, Result};
use crate::base::list;

/// Files to read.
#[derive(Debug)]
pub(super) struct Choice {
    /// An index, one file, or several that belong together.
    pub(super) files: Vec<String>,
    /// Sentences about what is not read.
    pub(super) notes: Vec<String>,
}

/// Chooses among `names`, sorted. The order is that of the loaders of Hugging Face: safetensors first, an index before
/// what it names.
pub(super) fn choose(names: &[String]) -> Result<Choice> {
    let with = |ending: &str| names.iter().filter(|n| n.ends_with(ending)).cloned().collect::<Vec<_>>();
    let exact = |name: &str| names.iter().filter(|n| *n == name).cloned().collect::<Vec<_>>();
    let torch = || [with(".pt"), with(".pth"), with(".bin")].concat();
    let candidates = [
        exact("model.safetensors.index.json"),
        exact("model.safetensors"),
        with(".safetensors.index.json"),
        with(".safetensors"),
        exact("pytorch_model.bin.index.json"),
        exact("pytorch_model.bin"),
        torch(),
        with(".gguf"),
    ];
    let Some(files) = candidates.into_iter().find(|files| !files.is_empty()) else {
        let error = CheckpointError::new(ErrorKind::Missing, "no checkpoint is in this folder");
        return Err(
            error.remedy("a .safetensors, .pt, .pth, .bin or .gguf file, or an index.json, was looked for")
        );
    };
    if files.len() > 1 || files.iter().any(|f| parts(f) > 1) {
        check_series(&files)?;
    }
    let mut notes = Vec::new();
    let safetensors = files.iter().any(|f| f.contains(".safetensors"));
    let other = torch();
    if safetensors && !other.is_empty() {
        notes.push(format!("{} in the same folder not read: the safetensors files are", list(&other)));
    }
    Ok(Choice { files, notes })
}

/// Several files are one checkpoint when they are `NAME-00001-of-00003.ext`, all of them.
fn check_series(files: &[String]) -> Result<()> {
    let series: Option<Vec<_>> = files.iter().map(|f| part(f)).collect();
    let series = series
        .filter(|s| s.iter().all(|p| (p.0, p.2, p.3) == s.first().map_or(("", 0, ""), |f| (f.0, f.2, f.3))));
    let Some(series) = series else {
        let message = format!("{} could each be the checkpoint", list(files));
        return Err(CheckpointError::unsupported(message).remedy("name one of the files"));
    };
    let total = series.first().map_or(0, |p| p.2);
    match (1..=total).find(|number| series.iter().all(|p| p.1 != *number)) {
        None => Ok(()),
        Some(number) => {
            let message = format!("part {number} of {total} is not there");
            Err(CheckpointError::new(ErrorKind::Missing, message))
        }
    }
}

/// Number of files that `file` is one of, as its name says.
pub(super) fn parts(file: &str) -> u32 {
    part(file).map_or(1, |p| p.2)
}

/// `model-00001-of-00003.safetensors` as name, 1, 3, ending.
fn part(file: &str) -> Option<(&str, u32, u32, &str)> {
    let (stem, ending) = file.rsplit_once('.')?;
    let (rest, total) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    Some((name, number.parse().ok()?, total.parse().ok()?, ending))
}
