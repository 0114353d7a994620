//! Salsa: inputs and queries. Query bodies call plain functions of the modules below, so those need no database.
//!
//! ```text
//!  SourceText ── parse ── module ─┬─ resolved ─┬─ matched ── analysis ── plan
//!                (no_eq)  (spans  │  (a recipe)│ (a pattern)  (owners,    (span-free)
//!                         relative)            │              checks)
//!  Workspace.checkpoints ── index, model ──────┘                └─ diagnostics: the only query with absolute spans
//! ```

mod inputs;
pub mod problems;
mod queries;

pub use inputs::{CheckpointFile, CheckpointState, Database, Db, SourceText, Workspace};
pub use queries::{
    Analysis, Group, Resolved, TensorNames, Unified, analysis, checkpoint_path, declaration_of, diagnostics,
    groups, index, item_starts, layout, model, module, names_of, parse, recipe_names, resolved, visible,
};
