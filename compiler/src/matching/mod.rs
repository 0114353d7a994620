//! Patterns against the names of a checkpoint: a trie of segments, and who owns which tensor.

pub mod continuations;
pub mod glob;
pub mod index;
pub mod nearest;
pub mod owner;
pub mod resolve;

pub use continuations::{Continuation, ContinuationKind, continuations};
pub use index::{Index, NodeId};
pub use owner::{Ownership, own};
pub use resolve::{Matched, resolve};
