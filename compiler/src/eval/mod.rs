//! Runs models: a graph over weights that stay as they are stored.
//!
//! ```text
//!  checkpoint or output ─ logical (tensors by their own names) ─ unify ─ graph
//!        └─ weights (bytes as stored, every size checked) ─┐
//!  token ids ─────────────────────────────────────────── interpret ─ engine ─ native ─ icpc_kernels::model
//!                                                            └─ taps (inputs of linear layers), state (token by token)
//!
//! text ─ tokens ─ windows ─┬─ perplexity ─ metric (report)
//!                          └─ calibration: statistics of the taps ─ scales (of activations, for a run)
//! ```
//!
//! Activations are f32 and weights are decoded as they are read, whatever their format; but for products that the format
//! asks for in integers (`integer`). The engine `reference` has both in f64.

mod baseline;
mod calibration;
mod calibration_file;
#[cfg(feature = "cuda")]
mod cuda;
mod engine;
mod error;
mod forms;
mod integer;
mod interpret;
mod logical;
mod model;
mod native;
mod perplexity;
mod rearrange;
mod reference;
mod requantise;
mod runner;
mod scales;
mod settings;
mod state;
mod statistics;
mod table;
mod tensor;
mod tokens;
#[cfg(feature = "torch")]
mod torch;
mod traffic;
mod weights;
mod windows;

pub use baseline::Baseline;
#[cfg(feature = "torch")]
pub(crate) use calibration::samples_of;
pub use calibration::{CALIBRATION_SCHEMA, Calibrated, Calibration, calibrate};
pub use error::EvalError;
pub use integer::Rounding;
pub use model::{Logits, Model, Tap};
pub use perplexity::{Measured, WindowLoss, evaluate, identity};
pub use requantise::Storage;
#[cfg(feature = "torch")]
pub(crate) use requantise::image;
pub use scales::{Reopen, Scales};
pub use settings::Protocol;
pub use state::State;
#[cfg(feature = "torch")]
pub(crate) use statistics::Statistics;
pub use table::{compare_with, metric_json, metric_text};
pub use tokens::{BYTES, Tokens};
#[cfg(feature = "torch")]
pub use torch::TorchModel;
pub use windows::{Window, foresee, windows};
