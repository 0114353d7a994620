//! Forwards with meaning: calls resolved, shapes inferred.
//!
//! ```text
//! text of `forward` ─ syntax::forward ─┐
//! ArchDecl ────────────────────────────┼─ lower ─> Graph (flat, typed) + problems + obligations
//! ArchModel, Schema (if there are) ────┘
//! ```
//!
//! Without a checkpoint every branch is walked once, with symbols for numbers: what is wrong for all checkpoints is found
//! then, and what only numbers tell is left as obligations. With one, loops are unrolled and choices are made.

mod extent;
mod flow;
mod ir;
mod json;
mod lower;
mod op;
pub mod ops;
mod print;
mod products;

pub use extent::{Extent, shape_text};
pub(crate) use flow::parameter;
pub use flow::{Edge, Elements, Flow, Types, flow};
pub use ir::{Attribute, Element, Graph, Input, Node, Operand, Weight};
pub use json::{CastRecord, GRAPH_SCHEMA, GraphDocument, NodeRecord, ValueRecord, WeightRecord, document};
pub use lower::{Lowered, OpenQuestion, Problem, ProblemKind, lower, numbers_of};
pub use op::{Claim, Default, OpDecl, Param, ParamKind, TypeRule};
pub use print::{Planned, print};
pub use products::{Product, matrices, products};
