//! Headers of checkpoints. Nothing here reads a weight: a schema is names, shapes, dtypes and places.
//!
//! Parsers are functions over bytes; [`open`](open()) is the thin layer that finds the files.

pub mod error;
mod hash;
pub mod listing;
mod names;
mod open;
pub mod safetensors;
mod safetensors_json;
pub mod schema;
pub mod source;
mod torch;

pub use error::{CheckpointError, ErrorKind, Place};
pub use listing::{parse_listing, write_listing};
pub use open::{open, open_in};
pub use schema::{
    Attribute, ConfigFact, Container, Entry, Placement, Quantized, Schema, SourceFile, TensorInfo, TieGroup,
};
