//! Invariants of the sources that no compiler holds: what may name what, how long files are, which documents exist.
//! `ARCHITECTURE.md` states them; a failure here means that one of the two has to change.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "all of this is a test; clippy knows only the functions that are marked"
)]

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/operations.rs"]
mod operations;
#[path = "tidy/packages.rs"]
mod packages;
