//! What a model remembers between tokens that come one after the other.

use std::collections::BTreeMap;

use icpc_kernels::model::Cache;

/// Keys and values, states of scans, and the last inputs of convolutions, each by its node. A new one has seen no token.
#[derive(Debug, Default)]
pub struct State {
    pub(super) tokens: usize,
    pub(super) memories: BTreeMap<usize, Memory>,
}

/// What one node remembers.
#[derive(Debug)]
pub(super) enum Memory {
    Attention(Cache),
    /// The state of a scan, or the last inputs of a convolution.
    Numbers(Vec<f32>),
}

impl State {
    /// One that has seen no token.
    pub fn new() -> State {
        State::default()
    }

    /// Tokens seen.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}
