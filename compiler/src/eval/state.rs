//! What a model remembers between tokens that come one after the other.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

use super::error::Failure;

/// Keys and values, states of scans, and the last inputs of convolutions, each by its node. A new one has seen no token. It is
/// of one model on one backend.
#[derive(Default)]
pub struct State {
    pub(super) tokens: usize,
    /// In whatever form the operation keeps it.
    memories: BTreeMap<usize, Box<dyn Any + Send>>,
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

    /// What a node remembers, made by `new` for the first token.
    pub(super) fn memory<M: Any + Send>(
        &mut self,
        node: usize,
        new: impl FnOnce() -> M,
    ) -> Result<&mut M, Failure> {
        let memory = self.memories.entry(node).or_insert_with(|| Box::new(new()));
        memory.downcast_mut().ok_or_else(|| Failure::new("the state is of another model"))
    }

    /// What nodes remember in this form.
    #[cfg(feature = "cuda")]
    pub(super) fn memories_mut<M: Any + Send>(&mut self) -> impl Iterator<Item = &mut M> {
        self.memories.values_mut().filter_map(|memory| memory.downcast_mut())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}
