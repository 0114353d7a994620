//! What the tests of the whole workspace share: the literate test harness, the words for the editors' grammars, a
//! real Slurm, and the way to the repository's files.
//!
//! The harness runs Markdown. A section holds a recipe, the listing of a checkpoint's header, and what the compiler must
//! say about them; `ICPC_UPDATE=1` writes what it says now. See `CONTRIBUTING.md`.

#![forbid(unsafe_code)]

pub mod editors;
pub mod literate;
pub mod repository;
pub mod slurm;
