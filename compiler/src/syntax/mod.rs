//! Text to tree and back. Parsing cannot fail: the result is a tree and a list of errors.

mod shift;
pub mod tree;

pub use shift::shift;
