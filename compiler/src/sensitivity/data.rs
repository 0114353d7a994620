//! What a measurement of sensitivities found, and its JSON.

use serde::{Deserialize, Serialize};

use crate::report::TextHash;

/// Version of [`Sensitivity`]'s shape.
pub const SENSITIVITY_SCHEMA: u32 = 1;

/// What is put into another format together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Tensors at the same place of every layer.
    Position,
    /// Each tensor by itself.
    Tensor,
    /// Each layer.
    Layer,
    /// Tensors that the architecture gives the same roles.
    Role,
}

impl By {
    /// In a sentence: `one ... at a time`.
    pub fn noun(self) -> &'static str {
        match self {
            By::Position => "position",
            By::Tensor => "tensor",
            By::Layer => "layer",
            By::Role => "role",
        }
    }
}

/// Every trial with everything that makes it comparable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// [`SENSITIVITY_SCHEMA`].
    pub schema: u32,
    /// Version of icpc.
    pub version: String,
    /// Path of the checkpoint.
    pub checkpoint: String,
    /// Architecture.
    pub architecture: String,
    /// SHA-256 of the checkpoint's header.
    pub header_hash: String,
    /// What a group is.
    pub by: By,
    /// The data.
    pub data: TextHash,
    /// The tokenizer.
    pub tokenizer: TextHash,
    /// Tokens of a window, targets included.
    pub window: u64,
    /// Tokens from the start of a window to that of the next.
    pub stride: u64,
    /// Tokens by which a target is ahead.
    pub shift: u64,
    /// Windows at most, from the first; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Where models were computed: `native`, `torch-cpu`, `torch-cuda:0`.
    #[serde(default = "crate::report::native")]
    pub backend: String,
    /// Windows that were run.
    pub windows: u64,
    /// Targets that were scored.
    pub scored: u64,
    /// Mean loss of the checkpoint as it is, in nats.
    pub loss: f64,
    /// Its perplexity.
    pub perplexity: f64,
    /// Bytes of the checkpoint's tensors, tied ones once.
    pub bytes: u64,
    /// What was tried together, in the order of the checkpoint.
    pub groups: Vec<Group>,
    /// From the least divergence for each saved byte to the most; what saves nothing comes last.
    pub trials: Vec<Trial>,
}

/// Tensors that are tried together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name: of a position the pattern, `layers.*.ssm.ssm.B`.
    pub name: String,
    /// Its tensors.
    pub tensors: Vec<String>,
    /// Their elements.
    pub elements: u64,
    /// Their bytes in the checkpoint.
    pub bytes: u64,
}

/// One group in one format, everything else as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The group's name.
    pub group: String,
    /// The format as a recipe spells it.
    pub format: String,
    /// Elements.
    pub elements: u64,
    /// Bytes of the group in the format.
    pub bytes: u64,
    /// Bytes that it saves.
    pub saved: i64,
    /// Mean loss minus the baseline's in nats. It can be negative by chance; absent when the model gave no numbers.
    pub loss_change: Option<f64>,
    /// Mean divergence from the baseline in nats; absent as above.
    pub divergence: Option<f64>,
    /// Perplexity; absent as above.
    pub perplexity: Option<f64>,
    /// Divergence for a saved million bytes; absent where nothing is saved.
    pub divergence_per_megabyte: Option<f64>,
    /// Why there are no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
