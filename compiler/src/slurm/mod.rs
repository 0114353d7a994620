//! Recipes as jobs of Slurm: a script made from the plan, checked against the cluster, submitted, followed.
//!
//! ```text
//!  plan, layout ──────────────┐
//!  request (what was asked) ──┼─ resources ─┬─ script ─┬─ printed
//!  cluster (what Slurm says) ─┘             └─ check ──┴─ submit ─ status
//!  estimate (rates) ──────────┘
//! ```
//!
//! Slurm distributes; nothing of it is done here a second time. Its programs are asked in forms that releases 20 to 24
//! share. What they say is data, and everything behind it is a function of data.

mod ask;
pub mod check;
pub mod cluster;
pub mod estimate;
mod fields;
pub mod gres;
pub mod limit;
mod place;
pub mod quote;
pub mod request;
pub mod resources;
pub mod script;
pub mod status;
pub mod submit;

pub use check::{Finding, Level, check};
pub use cluster::{Answer, Cluster, look};
pub use limit::Limit;
pub use request::{Paths, Request, Work};
pub use resources::Resources;
pub use script::script;
