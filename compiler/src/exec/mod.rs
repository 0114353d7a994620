//! Runs plans: streams weights through the kernels to their final places.
//!
//! ```text
//!  schema ─ source ─ rows (cuts) ─ elements (masks) ─┐
//!                                                    ├─ job (passes of one tensor) ─ schedule (threads) ─ weights
//!  activations (static scales, measured once) ───────┘
//!  layout ─ task (whose files) ─ place ─ destination ┘                                       │
//!                                          └─ resume (journals: what is done) ─ ending (all whole: accounts, rename)
//!  verify, dequantize: read an output back
//! ```
//!
//! Memory is bounded by [`Workspace`](crate::plan::Workspace), whatever the size of the checkpoint: a worker has one
//! buffer of source elements and one of stored bytes. Bytes do not depend on threads or chunk length.

mod accounts;
mod activations;
mod buffer;
pub mod content;
mod dequantize;
mod destination;
mod elements;
mod ending;
pub mod error;
#[cfg(test)]
mod fixture;
mod job;
mod mask;
mod place;
mod placement;
pub mod progress;
mod resume;
mod rows;
mod run;
mod schedule;
mod selection;
pub(crate) mod source;
mod stop;
pub(crate) mod stored;
mod target;
mod task;
mod verify;
mod weights;
pub(crate) mod whole;

pub use activations::{Calibrator, Magnitudes, static_step};
pub use dequantize::{DequantizeOptions, Dequantized, dequantize};
pub use ending::peak_memory;
pub use error::{RunError, RunErrorKind};
pub use placement::{Placement, threads};
pub use progress::{Bar, Lines, NotesOnly, Progress, Silent, terminal_progress};
pub(crate) use resume::lock;
pub use resume::{FileStatus, Status, status};
pub use run::{Outcome, RunOptions, Shown, run, run_of, share_sentence};
pub use stop::Stop;
pub use task::Task;
pub use verify::{Difference, Verification, verify};

#[cfg(test)]
mod tests;
