//! Runs models: a graph over weights that stay as they are stored.
//!
//! ```text
//!  checkpoint or output ─ logical (tensors by their own names) ─ unify ─ graph
//!        └─ weights (bytes as stored, every size checked) ─┐
//!  token ids ─────────────────────────────────────────── interpret ─ ops ─ icpc_kernels::model
//!                                                            └─ taps (inputs of linear layers), state (token by token)
//! ```
//!
//! Activations are f32 and weights are decoded as they are read, whatever their format.

mod error;
mod interpret;
mod logical;
mod model;
mod ops;
mod requantise;
mod state;
mod traffic;
mod value;
mod weights;

pub use error::EvalError;
pub use model::{Logits, Model, Tap};
pub use requantise::Storage;
pub use state::State;
