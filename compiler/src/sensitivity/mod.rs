//! What each part of a model bears: one group of tensors at a time in another format, the rest as it is.

mod data;
mod names;

pub use data::{By, Group, SENSITIVITY_SCHEMA, Sensitivity, Trial};
pub use names::{layer_of, starred};
