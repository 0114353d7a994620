//! Runs plans: streams weights through the kernels to their final places.
//!
//! ```text
//!  schema ─ source ─ rows (cuts) ─ elements (masks) ─┐
//!                                                    ├─ job (passes of one tensor) ─ schedule (threads) ─ run
//!  layout ─ destination (temporary folder) ─ content ┘                                     │
//!            └─ rename when all is written                                               report
//!  verify, dequantize: read an output back
//! ```
//!
//! Memory is bounded by [`Workspace`](crate::plan::Workspace), whatever the size of the checkpoint: a worker has one
//! buffer of source elements and one of stored bytes. Bytes do not depend on threads or chunk length.

mod buffer;
pub mod content;
mod dequantize;
mod destination;
mod elements;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod interrupt;
mod job;
mod mask;
pub mod progress;
mod rows;
mod run;
mod schedule;
mod selection;
mod source;
mod stored;
mod target;
mod verify;

pub use dequantize::{DequantizeOptions, Dequantized, dequantize};
pub use error::{RunError, RunErrorKind};
pub use progress::{Bar, Lines, Progress, Silent, terminal_progress};
pub use run::{RunOptions, run};
pub use verify::{Difference, Verification, verify};

/// Worker threads: as many as were asked for, or all that this process may use.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

#[cfg(test)]
mod tests;
