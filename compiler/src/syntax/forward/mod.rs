//! The body of a `forward` as a tree. [`super::parse`] keeps it as text and reports what does not parse in it; this reads
//! that text a second time, for those who give it meaning.

mod build;
mod tree;

pub use build::forward;
pub use tree::{Arg, Arm, Block, Expr, ExprKind, Forward, Operator, Param, Statement, Unsupported};
