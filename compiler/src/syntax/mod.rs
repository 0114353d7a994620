//! Text to tree and back. Parsing cannot fail: the result is a tree and a list of errors.
//!
//! ```text
//!  text ─ clean ─ icp.pest ─ build ─ tree::File ─ print  (a dump for people and snapshots)
//!           │                  │          └────── format (one style, every comment kept)
//!           └──── errors ──────┘
//! ```

mod build;
mod clean;
mod error;
mod format;
pub mod forward;
mod grammar;
pub mod keywords;
mod parse;
pub mod part;
mod pattern_text;
pub mod place;
pub mod print;
mod shift;
mod suggest;
pub mod tree;

pub use format::format;
pub use parse::{parse, path};
pub use pattern_text::{pattern_text, segment_text, written_segment};
pub use print::print;
pub use shift::{shift, shift_pattern};
