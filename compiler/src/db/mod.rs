//! Salsa: inputs and queries. Query bodies call plain functions of the modules below, so those need no database.
//!
//! ```text
//!  SourceText ── parse ── module ─┬─ resolved ─┬─ matched ── checked ── analysis: with the plan, which is span-free,
//!                (no_eq)  (spans  │  (a recipe)│ (a pattern)  (owners,  │   for those who ask for it
//!                         relative)            │              checks)   │
//!  Workspace.checkpoints ── index, model ──────┘                         └─ diagnostics: the only query with absolute
//!                                                                           spans; of the plan what can be foreseen
//! ```

mod forward;
mod groups;
mod inputs;
pub mod problems;
mod queries;

pub use forward::graph;
pub use groups::{Group, diagnostics, groups};
pub use inputs::{CheckpointFile, CheckpointState, Database, Db, SourceText, Workspace};
pub use queries::{
    Analysis, Checked, Resolved, TensorNames, Unified, analysis, checked, checkpoint_path, declaration_of,
    index, item_starts, layout, model, module, names_of, parse, recipe_names, resolved, shape_of, sums,
    types, visible,
};
