//! Architectures: declarations in `.icp`, unified with the names and shapes of a checkpoint.
//!
//! ```text
//! tree::Arch ─ lower ─> ArchDecl ─┐
//!                                 ├─ unify ─> ArchModel (dims with origins, facts of each tensor, conflicts)
//! Schema ─────────────────────────┘
//! ```

pub mod decl;
pub mod derive;
mod expr;
pub mod infer;
pub mod lower;
pub mod model;
pub mod print;
mod trie;
pub mod unify;

pub use decl::{ArchDecl, DeclProblem};
pub use infer::{choose, nearest};
pub use lower::lower;
pub use model::ArchModel;
pub use print::{origin, print};
pub use unify::unify;
