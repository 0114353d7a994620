//! Libraries of recipes as their owners test them: on listings, without weights.
//!
//! A library's tests are its files `tests/*.md` ([`literate`]), and pairs of recipe and listing: those that the `[[test]]`s
//! of its `icp.toml` name, else by convention. What a pair yields, diagnostics and plan, is held by a file of `snapshots/`.

pub mod doc;
mod junit;
pub mod literate;
mod pairs;
mod suite;
mod world;

pub use junit::junit;
pub use suite::{Outcome, State, outcomes, stray};
pub use world::World;
