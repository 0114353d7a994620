//! The icpc compiler.
//!
//! ```text
//!  .icp text ─ syntax ─ hir ─┐                                    ┌─ diagnostics  (icpc check, language server)
//!                            ├─ matching ─ check ─ plan ──────────┼─ plan         (icpc plan: text, JSON)
//!  checkpoint header ─ arch ─┘        (no weights are read)       └─ exec         (icpc run: bytes on disk)
//! ```
//!
//! Modules from bottom to top; a module imports only what stands before it (held by `tests/tests/tidy.rs`):
//!
//! ```text
//! base → diag → syntax → checkpoint → stdlib → hir → arch → graph → matching → prune → check → plan → db → session →
//! manifest → system → report → lock → backend → exec → doctor → selftest → slurm → eval → tune → bench →
//! sensitivity → page → library → cli
//! ```

#![forbid(unsafe_code)]

pub mod arch;
#[cfg(feature = "exec")]
pub mod backend;
pub mod base;
#[cfg(feature = "exec")]
pub mod bench;
pub mod check;
pub mod checkpoint;
#[cfg(feature = "exec")]
pub mod cli;
pub mod db;
pub mod diag;
#[cfg(feature = "exec")]
pub mod doctor;
#[cfg(feature = "exec")]
pub mod eval;
#[cfg(feature = "exec")]
pub mod exec;
pub mod graph;
pub mod hir;
#[cfg(feature = "exec")]
pub mod library;
#[cfg(feature = "exec")]
pub mod lock;
pub mod manifest;
pub mod matching;
#[cfg(feature = "exec")]
pub mod page;
pub mod plan;
pub mod prune;
#[cfg(feature = "exec")]
pub mod report;
#[cfg(feature = "exec")]
pub mod selftest;
#[cfg(feature = "exec")]
pub mod sensitivity;
pub mod session;
#[cfg(feature = "exec")]
pub mod slurm;
pub mod stdlib;
pub mod syntax;
pub mod system;
#[cfg(feature = "exec")]
pub mod tune;
