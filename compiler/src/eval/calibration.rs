//! Calibration: samples are run, and what goes into each matrix is kept as statistics in a file.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::EvalError;
use super::model::Model;
use super::perplexity::identity;
use super::settings::Protocol;
use super::statistics::Statistics;
use super::tokens::Tokens;
use crate::checkpoint::{Array, small_safetensors};
use crate::exec::{Progress, Stop};
use crate::graph::matrices;
use crate::report::{ModelIdentity, TextHash};

/// Version of the file's shape.
pub const CALIBRATION_SCHEMA: u32 = 1;
/// Samples where nobody says how many.
const SAMPLES: usize = 128;
/// Shares of the inputs whose magnitude is kept.
const PERCENTILES: [f64; 8] = [50.0, 90.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0];
/// Key of the metadata.
pub(super) const KEY: &str = "icpc.calibration";

/// Where the statistics come from: the file's metadata, and what is printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`CALIBRATION_SCHEMA`].
    pub schema: u32,
    /// Version of icpc.
    pub version: String,
    /// The model.
    pub model: ModelIdentity,
    /// The data file.
    pub data: TextHash,
    /// The tokenizer.
    pub tokenizer: TextHash,
    /// Where the model was computed: `native`, `torch-cpu`, `torch-cuda:0`.
    #[serde(default = "crate::report::native")]
    pub backend: String,
    /// Samples that were run.
    pub samples: u64,
    /// Tokens of a sample at most.
    pub max_length: u64,
    /// By what the samples were drawn; the first ones without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Tokens of all samples.
    pub tokens: u64,
    /// Percentages that the arrays `*.percentiles` are for.
    pub percentiles: Vec<f64>,
    /// Rows that each matrix saw.
    pub rows: BTreeMap<String, u64>,
    /// Matrices that saw no row, such as those of an expert that no token went to; they have no statistics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// Statistics of all matrices.
pub struct Calibrated {
    /// Where they come from.
    pub calibration: Calibration,
    matrices: BTreeMap<String, Statistics>,
}

/// Runs samples of `tokens` through `model`: `samples` of them, 128 where the protocol says nothing and there are so many, each
/// with at most `max_length` tokens. With a `seed` they are drawn, else they are the first ones. The figures do not depend on
/// threads or `batch`.
///
/// # Errors
/// Ids beyond the vocabulary, samples that are too long, or fewer than were asked for; NaN and infinity; [`Stop`].
pub fn calibrate(
    model: &Model,
    tokens: &Tokens,
    protocol: &Protocol,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Calibrated, EvalError> {
    if let Some(vocabulary) = model.vocabulary() {
        tokens.fit(vocabulary)?;
    }
    let (max_length, ..) = protocol.lengths(model.longest());
    let cut = samples_of(tokens, protocol, max_length)?;
    let total: u64 = cut.iter().map(|s| s.len() as u64).sum();
    progress.begin_counting("calibrate", total, "tokens");
    let mut matrices: BTreeMap<String, Statistics> = BTreeMap::new();
    for chunk in cut.chunks(protocol.batch.unwrap_or(rayon::current_num_threads()).max(1)) {
        if stop.is_asked() {
            return Err(EvalError::asked_to_end(model.path()));
        }
        let see = |sample: &&[u32]| -> Result<_, EvalError> {
            let mut own: BTreeMap<String, Statistics> = BTreeMap::new();
            model.logits_tapped(sample, &mut |name, width, values| {
                if let Some(known) = own.get_mut(name) {
                    known.add(width, values);
                } else {
                    own.entry(name.to_owned()).or_default().add(width, values);
                }
            })?;
            progress.advance(sample.len() as u64);
            Ok(own)
        };
        let seen: Vec<Result<_, EvalError>> = match model.is_shared() {
            true => chunk.par_iter().map(see).collect(),
            false => chunk.iter().map(see).collect(),
        };
        // Sums are in the order of the samples, whoever was first.
        for own in seen {
            for (name, statistics) in own? {
                matrices.entry(name).or_default().merge(&statistics);
            }
        }
    }
    progress.end();
    let calibration = Calibration {
        schema: CALIBRATION_SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: identity(model),
        data: tokens.data.clone(),
        tokenizer: tokens.tokenizer.clone(),
        backend: model.place().to_string(),
        samples: cut.len() as u64,
        max_length: max_length as u64,
        seed: protocol.seed,
        tokens: total,
        percentiles: PERCENTILES.to_vec(),
        rows: matrices.iter().map(|(name, s)| (name.clone(), s.rows)).collect(),
        unseen: unseen(model, &matrices),
    };
    Ok(Calibrated { calibration, matrices })
}

/// The samples of a text.
pub(crate) fn samples_of<'t>(
    tokens: &'t Tokens,
    protocol: &Protocol,
    max_length: usize,
) -> Result<Vec<&'t [u32]>, EvalError> {
    let mut cut: Vec<&[u32]> = tokens.texts.iter().flat_map(|t| t.chunks(max_length.max(1))).collect();
    if let Some(seed) = protocol.seed {
        shuffle(&mut cut, seed);
    }
    let wanted = protocol.samples.unwrap_or(SAMPLES.min(cut.len()));
    if cut.len() < wanted || wanted == 0 {
        let message =
            format!("{} tokens make {} samples of {max_length}, not {wanted}", tokens.len(), cut.len());
        return Err(EvalError::new(&tokens.data.name, "calibrating", message)
            .remedy("take more text, fewer `samples` or a smaller `max_length`"));
    }
    cut.truncate(wanted);
    Ok(cut)
}

/// Exchanges each item with one of those from it on, drawn by splitmix64.
fn shuffle(items: &mut [&[u32]], seed: u64) {
    let mut state = seed;
    for at in 0..items.len() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let left = (items.len() - at) as u64;
        let other = at + ((mixed ^ (mixed >> 31)) % left) as usize;
        items.swap(at, other);
    }
}

/// Matrices of the graph that saw nothing.
fn unseen(model: &Model, seen: &BTreeMap<String, Statistics>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, _) in model.graph().nodes.iter().flat_map(matrices) {
        if let Some(name) = model.weight_name(number).filter(|name| !seen.contains_key(*name)) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

impl Calibrated {
    /// The magnitude that a share of all that came to a matrix does not exceed; `None` if nothing came.
    pub fn percentile(&self, matrix: &str, share: f64) -> Option<f32> {
        self.matrices.get(matrix).map(|found| found.percentile(share))
    }

    /// The same, to be written with more percentiles.
    #[must_use]
    pub fn with_percentiles(mut self, more: impl IntoIterator<Item = f64>) -> Calibrated {
        let all = &mut self.calibration.percentiles;
        all.extend(more);
        all.sort_by(f64::total_cmp);
        all.dedup();
        self
    }

    /// A safetensors file: for each matrix, in f32, `NAME.absmax`, `NAME.mean` and `NAME.second_moment` by column of its input, and
    /// `NAME.percentiles` of all of it; in the metadata a [`Calibration`] as JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Maps of strings, numbers and lists: there is nothing that could fail.
        let said = serde_json::to_string(&self.calibration).unwrap_or_default();
        let mut named: Vec<(String, Vec<f32>)> = Vec::new();
        for (name, found) in &self.matrices {
            let rows = found.rows.max(1) as f64;
            let mean = |sums: &[f64]| sums.iter().map(|s| (s / rows) as f32).collect::<Vec<f32>>();
            let percentiles =
                self.calibration.percentiles.iter().map(|p| found.percentile(p / 100.0)).collect();
            named.extend([
                (format!("{name}.absmax"), found.absmax.clone()),
                (format!("{name}.mean"), mean(&found.sums)),
                (format!("{name}.percentiles"), percentiles),
                (format!("{name}.second_moment"), mean(&found.squares)),
            ]);
        }
        let arrays: Vec<Array<'_>> = named.iter().map(|(name, values)| Array::floats(name, values)).collect();
        small_safetensors(serde_json::json!({ KEY: said }), &arrays)
    }
}
