//! Reads an output again and compares it with its plan and its report: every file, header, array and hash.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::content::{Content, PIECE};
use super::error::{RunError, RunErrorKind};
use crate::checkpoint::safetensors;
use crate::checkpoint::source::{DiskFile, ReadAt};
use crate::plan::hash::hex_digest;
use crate::plan::json::{FileRecord, PLAN_SCHEMA, PartRecord, PlanDocument};
use crate::report::{REPORT_SCHEMA, RunReport};

/// What an output is, beside what its plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Files looked at.
    pub files: u64,
    /// Tensors of the plan.
    pub tensors: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Everything that is not as planned; empty when the output is whole.
    pub differences: Vec<Difference>,
}

/// One thing that is not as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A file that is not there, or cannot be read.
    File {
        /// Its name.
        file: String,
        /// Why.
        message: String,
    },
    /// A file of another size.
    Size {
        /// Its name.
        file: String,
        /// Bytes by the plan.
        planned: u64,
        /// Bytes found.
        found: u64,
    },
    /// A header, or a small file, with other bytes.
    Bytes {
        /// The file.
        file: String,
        /// `header` or `file`.
        what: &'static str,
    },
    /// An array that the header does not have.
    MissingKey {
        /// The file.
        file: String,
        /// Its key.
        key: String,
    },
    /// An array that the plan does not have.
    UnplannedKey {
        /// The file.
        file: String,
        /// Its key.
        key: String,
    },
    /// An array whose header entry is another one.
    Entry {
        /// The file.
        file: String,
        /// Its key.
        key: String,
        /// `dtype`, `shape`, `offset` or `bytes`.
        what: &'static str,
        /// By the plan.
        planned: String,
        /// As found.
        found: String,
    },
    /// An array with other bytes than the run wrote.
    Content {
        /// The file.
        file: String,
        /// Its key.
        key: String,
    },
    /// An array of which the report has no hash.
    NoHash {
        /// Its key.
        key: String,
    },
    /// `plan.json` was changed: its plan does not have its hash.
    PlanHash,
    /// The report is of another plan.
    ReportOfOtherPlan,
}

impl Verification {
    /// Whether everything is as planned.
    pub fn is_whole(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Verifies the output in folder `output` against its `plan.json` and `report.json`.
///
/// # Errors
/// When those two cannot be read. What is wrong with the weights is a [`Difference`].
pub fn verify(output: &Path) -> Result<Verification, RunError> {
    let document: PlanDocument = read_json(output, "plan.json")?;
    let report: RunReport = read_json(output, "report.json")?;
    for (name, found, known) in
        [("plan.json", document.schema, PLAN_SCHEMA), ("report.json", report.schema, REPORT_SCHEMA)]
    {
        if found != known {
            let message = format!("it has version {found} of its shape, and this version reads {known}");
            return Err(RunError::new(RunErrorKind::Stored, &output.join(name), "reading", message));
        }
    }
    let mut differences = Vec::new();
    let canonical = serde_json::to_vec(&document.plan).unwrap_or_default();
    if hex_digest(&canonical) != document.plan_hash {
        differences.push(Difference::PlanHash);
    }
    if report.provenance.plan_hash != document.plan_hash {
        differences.push(Difference::ReportOfOtherPlan);
    }
    let hashes: BTreeMap<&str, &str> =
        report.tensors.iter().flat_map(|t| &t.parts).map(|p| (p.key.as_str(), p.hash.as_str())).collect();
    let mut parts: BTreeMap<&str, Vec<&PartRecord>> = BTreeMap::new();
    for part in document.output.tensors.iter().flat_map(|t| &t.parts) {
        parts.entry(part.file.as_str()).or_default().push(part);
    }
    let mut bytes = 0u64;
    for file in &document.output.files {
        let planned = parts.remove(file.name.as_str()).unwrap_or_default();
        bytes = bytes.saturating_add(file.bytes);
        differences.extend(verify_file(output, file, &planned, &hashes)?);
    }
    for (name, _) in parts {
        differences.push(Difference::File {
            file: name.to_owned(),
            message: "the plan does not list it".to_owned(),
        });
    }
    let planned = document.output.sidecars.iter().map(|sidecar| (&sidecar.name, &sidecar.sha256));
    let small: Vec<_> =
        planned.chain(report.others.iter().map(|other| (&other.name, &other.sha256))).collect();
    for (name, sha256) in &small {
        match std::fs::read(plain(output, name)?) {
            Ok(found) if hex_digest(&found) == **sha256 => {}
            Ok(_) => differences.push(Difference::Bytes { file: (*name).clone(), what: "file" }),
            Err(error) => {
                differences.push(Difference::File { file: (*name).clone(), message: error.to_string() });
            }
        }
    }
    Ok(Verification {
        files: (document.output.files.len() + small.len()) as u64,
        tensors: document.output.tensors.len() as u64,
        bytes,
        differences,
    })
}

fn read_json<T: serde::de::DeserializeOwned>(output: &Path, name: &str) -> Result<T, RunError> {
    let path = output.join(name);
    let text =
        std::fs::read(&path).map_err(|error| RunError::io(RunErrorKind::Stored, &path, "reading", &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        RunError::new(RunErrorKind::Stored, &path, "reading", format!("it is not what a run writes: {error}"))
    })
}

/// The path of a file directly in the output; a name that leads elsewhere is refused.
fn plain(output: &Path, name: &str) -> Result<PathBuf, RunError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(output.join(name)),
        _ => {
            let message = format!("`{name}` is no file of an output");
            Err(RunError::new(RunErrorKind::Stored, &output.join("plan.json"), "reading", message))
        }
    }
}

fn verify_file(
    output: &Path,
    record: &FileRecord,
    planned: &[&PartRecord],
    hashes: &BTreeMap<&str, &str>,
) -> Result<Vec<Difference>, RunError> {
    let name = &record.name;
    let unreadable = |message: String| Ok(vec![Difference::File { file: name.clone(), message }]);
    let file = match DiskFile::open(&plain(output, name)?) {
        Ok(file) => file,
        Err(error) => return unreadable(error.to_string()),
    };
    let mut differences = Vec::new();
    if file.size() != record.bytes {
        differences.push(Difference::Size { file: name.clone(), planned: record.bytes, found: file.size() });
    }
    if file.size() < record.header_bytes {
        return Ok(differences);
    }
    let header_bytes = usize::try_from(record.header_bytes.min(file.size())).unwrap_or(0);
    if record.header_bytes > safetensors::MAX_HEADER {
        return unreadable("the plan's header is larger than any reader accepts".to_owned());
    }
    let mut header = vec![0; header_bytes];
    if let Err(error) = file.read_exact_at(&mut header, 0) {
        return unreadable(error.to_string());
    }
    if hex_digest(&header) != record.header_sha256 {
        differences.push(Difference::Bytes { file: name.clone(), what: "header" });
        differences.extend(verify_header(&file, name, planned));
    }
    let contents: Vec<Difference> = planned
        .par_iter()
        .map_init(Vec::new, |buffer, part| {
            verify_part(&file, part, hashes.get(part.key.as_str()).copied(), buffer)
        })
        .filter_map(|difference| difference)
        .collect();
    differences.extend(contents);
    Ok(differences)
}

/// What exactly the header says otherwise.
fn verify_header(file: &DiskFile, name: &str, planned: &[&PartRecord]) -> Vec<Difference> {
    let header = match safetensors::read(file, 0) {
        Ok(header) => header,
        Err(error) => return vec![Difference::File { file: name.to_owned(), message: error.to_string() }],
    };
    let mut found: BTreeMap<&str, _> = header.tensors.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut differences = Vec::new();
    for part in planned {
        let Some(tensor) = found.remove(part.key.as_str()) else {
            differences.push(Difference::MissingKey { file: name.to_owned(), key: part.key.clone() });
            continue;
        };
        let offset = tensor.place.as_ref().map(|place| place.offset.to_string()).unwrap_or_default();
        let facts = [
            ("dtype", part.dtype.clone(), tensor.dtype.name().to_owned()),
            ("shape", format!("{:?}", part.shape), format!("{:?}", tensor.shape.0)),
            ("offset", part.offset.to_string(), offset),
            ("bytes", part.bytes.to_string(), tensor.bytes.to_string()),
        ];
        for (what, planned, found) in facts {
            if planned != found {
                let (file, key) = (name.to_owned(), part.key.clone());
                differences.push(Difference::Entry { file, key, what, planned, found });
            }
        }
    }
    differences.extend(
        found.keys().map(|key| Difference::UnplannedKey { file: name.to_owned(), key: (*key).to_owned() }),
    );
    differences
}

fn verify_part(
    file: &DiskFile,
    part: &PartRecord,
    hash: Option<&str>,
    buffer: &mut Vec<u8>,
) -> Option<Difference> {
    let Some(hash) = hash else { return Some(Difference::NoHash { key: part.key.clone() }) };
    let other = Difference::Content { file: part.file.clone(), key: part.key.clone() };
    // what lies beyond the end is missing with it: the size has said so
    if part.offset.checked_add(part.bytes).is_none_or(|end| end > file.size()) {
        return None;
    }
    let content = Content::new(part.bytes);
    let mut done = 0u64;
    while done < part.bytes {
        let length = usize::try_from(part.bytes - done).unwrap_or(PIECE).min(PIECE);
        buffer.resize(length, 0);
        if file.read_exact_at(buffer, part.offset + done).is_err() {
            return Some(other);
        }
        content.add(done, buffer);
        done += length as u64;
    }
    (content.finish().as_deref() != Some(hash)).then_some(other)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::File { file, message } => write!(f, "{file}: {message}"),
            Difference::Size { file, planned, found } => {
                write!(f, "{file}: {found} bytes, and the plan says {planned}")
            }
            Difference::Bytes { file, what: "header" } => write!(f, "{file}: the header is another one"),
            Difference::Bytes { file, .. } => write!(f, "{file}: its bytes are others"),
            Difference::MissingKey { file, key } => write!(f, "{file}: `{key}` is missing"),
            Difference::UnplannedKey { file, key } => write!(f, "{file}: `{key}` is not in the plan"),
            Difference::Entry { file, key, what, planned, found } => {
                write!(f, "{file}: the {what} of `{key}` is {found}, and the plan says {planned}")
            }
            Difference::Content { file, key } => {
                write!(f, "{file}: the bytes of `{key}` are not those that were written")
            }
            Difference::NoHash { key } => write!(f, "report.json: no hash of `{key}`"),
            Difference::PlanHash => f.write_str("plan.json: the plan does not have its hash"),
            Difference::ReportOfOtherPlan => f.write_str("report.json: it is of another plan"),
        }
    }
}
