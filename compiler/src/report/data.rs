//! The shape of `report.json`.

use serde::{Deserialize, Serialize};

use crate::plan::hash::hex_digest;
use crate::plan::metadata::FormatRecord;

/// Version of this document's shape.
pub const REPORT_SCHEMA: u32 = 2;

/// Everything a run has to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`REPORT_SCHEMA`].
    pub schema: u32,
    /// Name of the recipe.
    pub recipe: String,
    /// `safetensors` or `bitsandbytes`.
    pub container: String,
    /// What went in and came out.
    pub totals: Totals,
    /// Choices of indices.
    pub selections: Vec<SelectionReport>,
    /// Every output tensor, in plan order.
    pub tensors: Vec<TensorReport>,
    /// Files of the output with weights.
    pub files: Vec<FileReport>,
    /// Other files of the output that the plan does not determine, such as `config.json`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<TextHash>,
    /// What was trained before it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune: Option<super::tune::TuneReport>,
    /// Perplexity of the output beside that of its checkpoint, where the recipe requires it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<super::metric::Metric>,
    /// From what, by what, with what.
    pub provenance: Provenance,
    /// How long it took.
    pub time: RunTime,
}

/// Sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Tensors of the source, tied ones once.
    pub source_tensors: u64,
    /// Their bytes.
    pub source_bytes: u64,
    /// Tensors of the output.
    pub tensors: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Bytes of the weight files.
    pub file_bytes: u64,
    /// Source bytes for one stored byte.
    pub ratio: Option<f64>,
    /// Values that formats clipped or saturated.
    pub clipped: u64,
}

/// A choice of indices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionReport {
    /// The dim.
    pub dim: String,
    /// Where.
    pub scope: String,
    /// `l1` or `l2`.
    pub by: String,
    /// Extent before.
    pub of: u64,
    /// Indices that stay, ascending.
    pub kept: Vec<u64>,
    /// Score of every index.
    pub scores: Vec<f64>,
}

/// One output tensor. The error statistics compare what was stored with what the format was given: after cuts and
/// masks. They are absent where nothing can be lost (`keep`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorReport {
    /// Name in the output.
    pub name: String,
    /// Other names of the same storage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Source tensor.
    pub source: String,
    /// Element type in the source.
    pub dtype: String,
    /// Shape in the output.
    pub shape: Vec<u64>,
    /// The format as a recipe spells it.
    pub format: String,
    /// The format with all arguments.
    pub arguments: FormatRecord,
    /// Number of the arm.
    pub arm: u32,
    /// Pattern of the arm.
    pub pattern: String,
    /// Bytes of the source tensor.
    pub source_bytes: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// Elements that the mask zeroed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<u64>,
    /// Mean squared error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// Signal to noise in dB; absent without error or without signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqnr_db: Option<f64>,
    /// Cosine of source and stored; absent when either is zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f64>,
    /// Largest absolute error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_error: Option<f64>,
    /// Values beyond the clip limit, or saturated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipped: Option<u64>,
    /// Its arrays.
    pub parts: Vec<PartReport>,
}

/// One stored array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReport {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its content hash.
    pub hash: String,
}

/// A weight file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Name.
    pub name: String,
    /// Size.
    pub bytes: u64,
}

/// Where an output comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of icpc.
    pub version: String,
    /// Hash of the plan.
    pub plan_hash: String,
    /// SHA-256 of the recipe and of each text that it uses.
    pub texts: Vec<TextHash>,
    /// SHA-256 of the checkpoint's header.
    pub header_hash: String,
    /// Files of the checkpoint.
    pub source_files: Vec<SourceFileReport>,
    /// Processes that worked on it: several where a run was killed and went on, or was shared.
    pub workers: Vec<Worker>,
    /// What static scales of activations were measured on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationReport>,
}

/// Samples that activations were measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// The data.
    pub data: TextHash,
    /// The tokenizer.
    pub tokenizer: TextHash,
    /// Samples that were run.
    pub samples: u64,
    /// Tokens of a sample at most.
    pub max_length: u64,
    /// By what the samples were drawn; the first ones without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The file that the statistics were read from; without it the run measured them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<TextHash>,
}

impl CalibrationReport {
    /// SHA-256 of all that decides what is measured: contents, not names.
    pub fn identity(&self) -> String {
        let hash = |text: &TextHash| text.content().to_owned();
        let statistics = self.statistics.as_ref().map(hash);
        let parts =
            (hash(&self.data), hash(&self.tokenizer), self.samples, self.max_length, self.seed, statistics);
        hex_digest(&serde_json::to_vec(&parts).unwrap_or_default())
    }
}

/// A process that worked on an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its number among those that shared the run, from 0.
    pub task: usize,
    /// How many shared it.
    pub tasks: usize,
    /// Variant of the kernels.
    pub kernels: String,
    /// Threads.
    pub threads: usize,
    /// The job it was in, if it was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobReport>,
}

/// A job of Slurm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// Its number; with an underscore and the index in an array of jobs.
    pub id: String,
    /// The node.
    pub node: String,
    /// How often the job was requeued before.
    pub restarts: u32,
}

/// A text and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextHash {
    /// Name, such as `mixed.icp` or `std::arch::llama`.
    pub name: String,
    /// SHA-256 (hex).
    pub sha256: String,
}

impl TextHash {
    /// What tells its content from others: the hash, or the name of what is no file, such as `bytes`.
    pub fn content(&self) -> &str {
        if self.sha256.is_empty() { &self.name } else { &self.sha256 }
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFileReport {
    /// Name.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// When it was last written, nanoseconds since 1970, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<u64>,
}

/// How long a run took: the process that ended it. Not part of any weight file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunTime {
    /// When it began, seconds since 1970.
    pub began: u64,
    /// Seconds of reading, encoding and writing.
    pub seconds: f64,
    /// Peak of resident memory of the process in bytes, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
}
