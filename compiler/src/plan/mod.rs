//! The plan: what will happen to every tensor and where every output byte will be. Free of spans, paths and
//! clocks, so equal plans compare equal, print equal and hash equal.
//!
//! ```text
//!  ir ── container (what can it hold?) ── parts (keys, dtypes, shapes) ── layout (files, headers, offsets)
//!   └─ print (text) · json (plan.json) · hash · memory (peak of a run)
//! ```

pub mod bitsandbytes;
pub mod build;
pub mod calibrating;
pub mod casts;
pub mod collapse;
pub mod container;
pub mod cost;
pub mod evaluation;
pub mod foresee;
pub mod hash;
pub(crate) mod header;
pub mod ir;
pub mod json;
pub mod layout;
pub mod measure;
pub mod memory;
pub mod metadata;
mod natural_order;
pub mod parts;
pub mod patterns;
pub mod print;
pub mod refused;
pub mod requirement;
#[cfg(test)]
pub(crate) mod sample;
pub mod tune;
pub mod undecided;

pub use build::build;
pub use container::{Refusal, supports};
pub use hash::plan_hash;
pub use layout::{LayoutRefusal, OutputFile, OutputLayout, PlacedPart, Sidecar};
pub use memory::{Memory, Workspace};
pub use print::print_plan;
