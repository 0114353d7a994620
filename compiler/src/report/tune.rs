//! What a training did.

use serde::{Deserialize, Serialize};

use super::data::TextHash;

/// A training, as a report holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TuneReport {
    /// Steps that were made.
    pub steps: u64,
    /// The text, by hash.
    pub data: Option<TextHash>,
    /// The tokenizer, by hash.
    pub tokenizer: Option<TextHash>,
    /// Windows of the text.
    pub windows: u64,
    /// The device, as metrics record it.
    pub device: String,
    /// Threads of libtorch, which decide the last bits.
    pub threads: usize,
    /// Version of libtorch.
    pub libtorch: String,
    /// Seconds of training, those of runs that were interrupted included.
    pub seconds: f64,
    /// Loss at some steps, the first and the last among them.
    pub losses: Vec<StepLoss>,
    /// Perplexity of the student, in its formats, on the text of `evaluate`.
    pub perplexities: Vec<StepPerplexity>,
    /// SHA-256 of the trained weights before they were stored.
    pub weights: String,
}

/// The loss of a step, before the weights moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLoss {
    /// From 1.
    pub step: u64,
    /// In nats: labels and teacher in the recipe's shares.
    pub loss: f64,
    /// Norm of all gradients, before it was limited.
    pub gradient: f64,
}

/// A perplexity behind a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPerplexity {
    /// 0 before training.
    pub step: u64,
    /// `exp` of the mean loss.
    pub perplexity: f64,
}
