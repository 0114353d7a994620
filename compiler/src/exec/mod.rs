//! Runs plans: streams weights through the kernels to their final places.
//!
//! ```text
//!  schema ─ source ─ rows (cuts) ─ elements (masks) ─┐
//!                                                    ├─ job (passes of one tensor) ─ schedule (threads) ─ run
//!  layout ─ destination (temporary folder) ─ content ┘                                     │
//!            ├─ journal: what a killed run need not do again (record, resume)             report
//!            └─ rename when all is written
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
mod job;
mod journal;
mod lock;
mod mask;
pub mod progress;
mod record;
mod resume;
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
pub use progress::{Bar, Lines, NotesOnly, Progress, Silent, terminal_progress};
pub use run::{RunOptions, run};
pub use verify::{Difference, Verification, verify};

#[cfg(test)]
mod tests;
