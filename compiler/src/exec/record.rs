//! The lines of a journal: what a run is of, what its selections chose, and a line for each finished tensor.
//!
//! A line is the XXH3-64 of its JSON as 16 hex digits, a space, and the JSON. The first line that does not fit its hash
//! is where a killed run was torn off: it and what follows count for nothing. Floats are written as their bits.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::job::{Figures, Finished};
use super::selection::Chosen;
use crate::checkpoint::Schema;
use crate::plan::ir::Plan;
use crate::plan::layout::OutputLayout;
use crate::plan::plan_hash;

/// What a run is of; equal for two runs whose outputs are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    version: String,
    plan: String,
    /// Hash of the names, lengths and headers of the files with weights.
    layout: String,
    header: String,
    sources: Vec<SourceStamp>,
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
    pub(super) fn of(plan: &Plan, schema: &Schema, layout: &OutputLayout) -> Identity {
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
        } else {
            Some("is of another plan")
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begin(Identity),
    Chosen(Vec<ChosenLine>),
    Tensor(TensorLine),
}

#[derive(Debug, Serialize, Deserialize)]
struct ChosenLine {
    kept: Vec<u64>,
    scores: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TensorLine {
    /// Its number in the plan.
    tensor: usize,
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
    // Numbers, strings and lists only: there is nothing that could fail.
    let json = serde_json::to_string(line).unwrap_or_default();
    format!("{:016x} {json}\n", xxh3_64(json.as_bytes()))
}

/// The first line.
pub(super) fn begin_line(identity: &Identity) -> String {
    line(&Line::Begin(identity.clone()))
}

/// The line of all selections.
pub(super) fn chosen_line(chosen: &[Chosen]) -> String {
    let chosen = chosen.iter().map(|chosen| ChosenLine {
        kept: chosen.kept.clone(),
        scores: chosen.scores.iter().map(|score| score.to_bits()).collect(),
    });
    line(&Line::Chosen(chosen.collect()))
}

/// The line of tensor number `tensor` of the plan.
pub(super) fn tensor_line(tensor: usize, finished: &Finished) -> String {
    let figures = finished.figures.as_ref().map(|figures| FiguresLine {
        mse: figures.mse.map(f64::to_bits),
        sqnr_db: figures.sqnr_db.map(f64::to_bits),
        cosine: figures.cosine.map(f64::to_bits),
        largest_error: figures.largest_error.to_bits(),
        clipped: figures.clipped,
    });
    line(&Line::Tensor(TensorLine { tensor, hashes: finished.hashes.clone(), figures }))
}

/// What an earlier run did.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) chosen: Option<Vec<Chosen>>,
    /// For each tensor of the plan.
    pub(super) finished: Vec<Option<Finished>>,
    /// Bytes of the journal's lines that count.
    pub(super) bytes: u64,
}

impl Past {
    /// Nothing done of `tensors` tensors.
    pub(super) fn nothing(tensors: usize) -> Past {
        Past { chosen: None, finished: (0..tensors).map(|_| None).collect(), bytes: 0 }
    }

    /// Tensors that are done.
    pub(super) fn done(&self) -> usize {
        self.finished.iter().flatten().count()
    }
}

/// What a journal's text says.
#[derive(Debug)]
pub(super) enum Said {
    /// It has not even a first line.
    Nothing,
    /// It is of no use to the run at hand, for this reason.
    Other(&'static str),
    Past(Past),
}

/// Reads a journal for the run of `identity`, whose tensors have so many parts each.
pub(super) fn read(text: &[u8], identity: &Identity, plan: &Plan, parts: &[usize]) -> Said {
    let mut past = Past::nothing(parts.len());
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    match lines.next().map(|first| (parsed(first), first.len())) {
        Some((Some(Line::Begin(begun)), length)) => {
            if let Some(reason) = begun.difference(identity) {
                return Said::Other(reason);
            }
            past.bytes = length as u64;
        }
        Some((None, _)) if text.ends_with(b"\n") => {
            return Said::Other("cannot be read by this version of icpc");
        }
        _ => return Said::Nothing,
    }
    for text in lines {
        match parsed(text) {
            Some(Line::Chosen(chosen)) if fits(&chosen, plan) => {
                let chosen = chosen.into_iter().map(|chosen| Chosen {
                    kept: chosen.kept,
                    scores: chosen.scores.into_iter().map(f64::from_bits).collect(),
                });
                past.chosen = Some(chosen.collect());
            }
            Some(Line::Tensor(line)) if parts.get(line.tensor) == Some(&line.hashes.len()) => {
                let figures = line.figures.map(|figures| Figures {
                    mse: figures.mse.map(f64::from_bits),
                    sqnr_db: figures.sqnr_db.map(f64::from_bits),
                    cosine: figures.cosine.map(f64::from_bits),
                    largest_error: f64::from_bits(figures.largest_error),
                    clipped: figures.clipped,
                });
                if let Some(slot) = past.finished.get_mut(line.tensor) {
                    *slot = Some(Finished { figures, hashes: line.hashes });
                }
            }
            _ => break,
        }
        past.bytes = past.bytes.saturating_add(text.len() as u64);
    }
    Said::Past(past)
}

fn fits(chosen: &[ChosenLine], plan: &Plan) -> bool {
    chosen.len() == plan.selections.len()
        && chosen.iter().zip(&plan.selections).all(|(chosen, selection)| {
            chosen.scores.len() as u64 == selection.of && chosen.kept.iter().all(|kept| *kept < selection.of)
        })
}

fn parsed(line: &[u8]) -> Option<Line> {
    let (hash, json) = line.strip_suffix(b"\n")?.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    let hash = u64::from_str_radix(std::str::from_utf8(hash).ok()?, 16).ok()?;
    if hash == xxh3_64(json) { serde_json::from_slice(json).ok() } else { None }
}
