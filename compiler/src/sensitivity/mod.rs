//! What each part of a model bears: one group of tensors at a time in another format, the rest as it is.
//!
//! ```text
//!  model ─ groups ─┐
//!  formats ────────┴─ trials (encode in memory, measure) ─ Sensitivity ─┬─ print
//!                                                                       └─ suggest ─ recipe
//! ```

mod data;
mod formats;
mod groups;
mod measure;
mod names;
mod print;
mod recipe;
mod suggest;
mod trials;

pub use data::{By, Group, SENSITIVITY_SCHEMA, Sensitivity, Trial};
pub use formats::parse as parse_formats;
pub use groups::groups;
pub use measure::{Text, sensitivity};
pub use names::{layer_of, starred};
pub use print::print;
pub use recipe::{Surroundings, Written, recipe};
pub use suggest::{Goal, SuggestError, Suggestion, suggest};
pub use trials::{Measure, Quality, changes, stored_bytes, trials};
