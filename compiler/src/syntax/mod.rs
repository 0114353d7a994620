//! Text to tree and back. Parsing cannot fail: the result is a tree and a list of errors.

mod pattern_text;
mod shift;
pub mod tree;

pub use pattern_text::{pattern_text, segment_text};
pub use shift::shift;
