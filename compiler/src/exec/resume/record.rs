//! The lines of a journal, which is that of one file of the output: what the run is of, who worked on it, what selections
//! chose, and a line for each finished tensor.
//!
//! A line is the XXH3-64 of its JSON as 16 hex digits, a space, and the JSON. The first line that does not fit its hash
//! is where a killed run was torn off: it and what follows count for nothing. Floats are written as their bits.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::super::job::{Figures, Finished};
use super::super::selection::Chosen;
use crate::checkpoint::Schema;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;
use crate::plan::plan_hash;
use crate::report::{CalibrationReport, RunReport, Worker};

/// What a run is of; equal for two runs whose outputs are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::exec) struct Identity {
    version: String,
    plan: String,
    /// Hash of the names, lengths and headers of the files with weights.
    layout: String,
    header: String,
    sources: Vec<SourceStamp>,
    /// What static scales come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calibration: Option<String>,
}

/// A file of the checkpoint, as far as a change of it is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SourceStamp {
    name: String,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: Option<u64>,
}

impl Identity {
    pub(in crate::exec) fn of(
        plan: &Plan,
        schema: &Schema,
        layout: &OutputLayout,
        calibration: Option<&CalibrationReport>,
    ) -> Identity {
        let mut files = Vec::new();
        for file in &layout.files {
            files.extend_from_slice(file.name.as_bytes());
            files.push(0);
            files.extend_from_slice(&file.bytes.to_le_bytes());
            files.extend_from_slice(&xxh3_128(&file.header).to_le_bytes());
        }
        let sources = schema.files.iter().map(|file| SourceStamp {
            name: file.name.clone(),
            bytes: file.bytes,
            modified: file.modified,
        });
        Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan_hash(plan),
            layout: format!("{:032x}", xxh3_128(&files)),
            header: schema.header_hash.clone(),
            sources: sources.collect(),
            calibration: calibration.map(CalibrationReport::identity),
        }
    }

    /// Of what else `self` is, seen from `now`.
    fn difference(&self, now: &Identity) -> Option<&'static str> {
        if self == now {
            None
        } else if self.version != now.version {
            Some("is of another version of icpc")
        } else if self.header != now.header || self.sources != now.sources {
            Some("is of another checkpoint")
        } else if self.calibration != now.calibration {
            Some("is of another calibration")
        } else {
            Some("is of another plan")
        }
    }

    /// Whether an output with this report is what such a run writes.
    pub(in crate::exec) fn is_of(&self, report: &RunReport) -> bool {
        let provenance = &report.provenance;
        let sources = provenance.source_files.iter().map(|file| SourceStamp {
            name: file.name.clone(),
            bytes: file.bytes,
            modified: file.modified,
        });
        self.version == provenance.version
            && self.plan == provenance.plan_hash
            && self.header == provenance.header_hash
            && self.calibration == provenance.calibration.as_ref().map(CalibrationReport::identity)
            && self.sources.iter().cloned().eq(sources)
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) identity: Identity,
    /// Files with weights of the whole output.
    pub(super) files: usize,
    /// Tensors of this file.
    pub(super) tensors: usize,
    /// Bytes of this file.
    pub(super) bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Begin(Begin),
    By(Worker),
    Chosen(ChosenLine),
    Tensor(TensorLine),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChosenLine {
    selection: usize,
    kept: Vec<u64>,
    scores: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TensorLine {
    /// Its number in the plan.
    tensor: usize,
    /// Bytes stored.
    pub(super) bytes: u64,
    hashes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    figures: Option<FiguresLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FiguresLine {
    mse: Option<u64>,
    sqnr_db: Option<u64>,
    cosine: Option<u64>,
    largest_error: u64,
    clipped: u64,
}

fn line(line: &Line) -> String {
    sealed(line)
}

/// A line: JSON behind its hash.
pub(in crate::exec) fn sealed(value: &impl Serialize) -> String {
    // Numbers, strings and lists only: there is nothing that could fail.
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("{:016x} {json}\n", xxh3_64(json.as_bytes()))
}

pub(super) fn begin_line(begin: Begin) -> String {
    line(&Line::Begin(begin))
}

pub(super) fn by_line(worker: &Worker) -> String {
    line(&Line::By(worker.clone()))
}

/// The line of what selection number `selection` of the plan chose.
pub(in crate::exec) fn chosen_line(selection: usize, chosen: &Chosen) -> String {
    line(&Line::Chosen(ChosenLine {
        selection,
        kept: chosen.kept.clone(),
        scores: chosen.scores.iter().map(|score| score.to_bits()).collect(),
    }))
}

/// The line of tensor number `tensor` of the plan, of which `bytes` bytes are stored.
pub(in crate::exec) fn tensor_line(tensor: usize, bytes: u64, finished: &Finished) -> String {
    let figures = finished.figures.as_ref().map(|figures| FiguresLine {
        mse: figures.mse.map(f64::to_bits),
        sqnr_db: figures.sqnr_db.map(f64::to_bits),
        cosine: figures.cosine.map(f64::to_bits),
        largest_error: figures.largest_error.to_bits(),
        clipped: figures.clipped,
    });
    line(&Line::Tensor(TensorLine { tensor, bytes, hashes: finished.hashes.clone(), figures }))
}

/// What journals say is done.
#[derive(Debug, Default)]
pub(in crate::exec) struct Past {
    /// By number of the selection.
    pub(in crate::exec) chosen: BTreeMap<usize, Chosen>,
    /// By number of the tensor.
    pub(in crate::exec) finished: BTreeMap<usize, Finished>,
    /// Who worked on it, each once.
    pub(in crate::exec) workers: Vec<Worker>,
}

/// The plan, as far as journals must fit it.
pub(super) struct Frame<'a> {
    pub(super) identity: &'a Identity,
    pub(super) plan: &'a Plan,
    /// Arrays of each tensor.
    pub(super) parts: Vec<usize>,
}

/// What a journal's text says.
#[derive(Debug)]
pub(super) enum Said {
    /// It has not even a first line.
    Nothing,
    /// It is of no use to the run at hand, for this reason.
    Other(&'static str),
    /// So many bytes of its lines count, and what they say was added.
    Lines(u64),
}

impl Past {
    /// Adds what a journal says of the run of `frame`.
    pub(super) fn read(&mut self, text: &[u8], frame: &Frame<'_>) -> Said {
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let mut bytes = match lines.next().map(|first| (parsed(first), first.len())) {
            Some((Some(Line::Begin(begun)), length)) => match begun.identity.difference(frame.identity) {
                Some(reason) => return Said::Other(reason),
                None => length as u64,
            },
            Some((None, _)) if text.ends_with(b"\n") => {
                return Said::Other("has a journal that this version of icpc cannot read");
            }
            _ => return Said::Nothing,
        };
        for text in lines {
            match parsed(text) {
                Some(Line::By(worker)) => {
                    if !self.workers.contains(&worker) {
                        self.workers.push(worker);
                    }
                }
                Some(Line::Chosen(line)) if fits(&line, frame.plan) => {
                    let scores = line.scores.into_iter().map(f64::from_bits).collect();
                    self.chosen.insert(line.selection, Chosen { kept: line.kept, scores });
                }
                Some(Line::Tensor(line)) if frame.parts.get(line.tensor) == Some(&line.hashes.len()) => {
                    let figures = line.figures.map(|figures| Figures {
                        mse: figures.mse.map(f64::from_bits),
                        sqnr_db: figures.sqnr_db.map(f64::from_bits),
                        cosine: figures.cosine.map(f64::from_bits),
                        largest_error: f64::from_bits(figures.largest_error),
                        clipped: figures.clipped,
                    });
                    self.finished.insert(line.tensor, Finished { figures, hashes: line.hashes });
                }
                _ => break,
            }
            bytes = bytes.saturating_add(text.len() as u64);
        }
        Said::Lines(bytes)
    }
}

fn fits(line: &ChosenLine, plan: &Plan) -> bool {
    plan.selections.get(line.selection).is_some_and(|selection| {
        line.scores.len() as u64 == selection.of && line.kept.iter().all(|kept| *kept < selection.of)
    })
}

/// The lines of a journal up to the first that does not fit its hash.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Line> {
    text.split_inclusive(|byte| *byte == b'\n').map_while(parsed)
}

fn parsed(line: &[u8]) -> Option<Line> {
    unsealed(line)
}

/// What a line says; nothing when it does not fit its hash.
pub(in crate::exec) fn unsealed<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (hash, json) = line.strip_suffix(b"\n")?.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    let hash = u64::from_str_radix(std::str::from_utf8(hash).ok()?, 16).ok()?;
    if hash == xxh3_64(json) { serde_json::from_slice(json).ok() } else { None }
}
