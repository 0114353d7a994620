//! The icpc compiler.
//!
//! ```text
//!  .icp text ─ syntax ─ hir ─┐                                    ┌─ diagnostics  (icpc check, language server)
//!                            ├─ matching ─ check ─ plan ──────────┼─ plan         (icpc plan: text, JSON)
//!  checkpoint header ─ arch ─┘        (no weights are read)       └─ exec         (icpc run: bytes on disk)
//! ```
//!
//! Modules from bottom to top; an import only points up this list (held by `tests/tests/tidy.rs`).

pub mod arch;
pub mod base;
pub mod checkpoint;
pub mod diag;
#[cfg(feature = "exec")]
pub mod exec;
pub mod hir;
pub mod matching;
pub mod plan;
#[cfg(feature = "exec")]
pub mod report;
pub mod stdlib;
pub mod syntax;
