//! What a run leaves to a later one, and to other tasks.
//!
//! ```text
//!  .NAME.partial/model-00001-of-00002.safetensors         weights, at their final offsets
//!  .NAME.journal/model-00001-of-00002.safetensors.lines   what is done in them; locked by the task that works on them
//!  .NAME.journal/activations                              static scales, if the plan has any
//!  .NAME.journal/end                                      locked by the task that ends the run
//! ```
//!
//! Nothing but files and locks joins tasks. `record` says what lines are, `journal` writes them, `open` finds what an
//! earlier run did, `status` tells others.

mod journal;
pub(crate) mod lock;
mod open;
mod record;
mod status;

pub(super) use journal::Journal;
pub(super) use open::{Opened, everything, open};
pub(super) use record::{Identity, Past, chosen_line, sealed, tensor_line, unsealed};
pub use status::{FileStatus, Status, status};

use std::path::{Path, PathBuf};

/// The journal of the file `name`.
fn journal_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{LINES}"))
}

/// How the names of journals end.
const LINES: &str = ".lines";
