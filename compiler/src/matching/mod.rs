//! Patterns against the names of a checkpoint: an automaton of their segments, and who owns which tensor.

mod choices;
pub mod continuations;
pub mod glob;
pub mod index;
pub mod nearest;
pub mod owner;
pub mod resolve;
mod walk;
mod words;

pub use continuations::{Continuation, ContinuationKind, continuations};
pub use index::{Index, Prefix};
pub use owner::{Ownership, own};
pub use resolve::{Matched, resolve};
pub use walk::{Walk, prefixes, walk};
