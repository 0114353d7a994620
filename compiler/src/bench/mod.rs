//! `icpc bench`: how fast models run, side by side in one process, and how much of the machine's memory bandwidth they use.
//!
//! Models take turns, so that what disturbs the machine disturbs all of them alike. Every number is measured here and nothing
//! is decided by it.

mod measure;
mod print;
mod spread;

use serde::Serialize;

pub use measure::{BenchError, Open, Options, bench};
pub use print::print;
pub use spread::Spread;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Version of this document's shape.
    pub schema: u32,
    /// Variant of the kernels.
    pub kernels: String,
    /// Threads.
    pub threads: usize,
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens that stand before the single ones.
    pub before: usize,
    /// Single tokens in a round.
    pub generate: usize,
    /// How often each model had its turn.
    pub rounds: usize,
    /// GB/s at which these threads read memory, before and after the models ran.
    pub bandwidth: [f64; 2],
    /// Peak of resident memory of the process with all models, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// The baseline first.
    pub models: Vec<Timed>,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timed {
    /// File or folder.
    pub path: String,
    /// Where it was computed: `native`, `reference`, `torch-cpu`, `torch-cuda:0`.
    pub backend: String,
    /// Bytes of the weights in memory, as they are stored.
    pub weight_bytes: u64,
    /// Bytes of decoded copies beside them; of what other backends keep nothing is counted.
    pub copied_bytes: u64,
    /// Bytes of weights that a single token reads.
    pub read_bytes: u64,
    /// The whole prompt.
    pub prompt: Rate,
    /// One token at a time; absent where a forward cannot be computed so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Rate>,
    /// GB/s of weights that single tokens read, in the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_rate: Option<f64>,
    /// The same as a share of the processor's bandwidth; above 1 where weights lie in a cache, and absent on a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What no file told and the architecture's defaults say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// How long it took, how often.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Seconds.
    pub seconds: Spread,
    /// Tokens a second in the median.
    pub tokens_per_second: f64,
}
