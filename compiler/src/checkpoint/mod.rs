//! Headers of checkpoints. Nothing here reads a weight: a schema is names, shapes, dtypes and places.
//!
//! Parsers are functions over bytes; [`open`](open()) is the thin layer that finds the files.

mod bytes;
mod compressed;
mod config;
pub mod error;
mod folder;
mod gather;
mod gguf;
mod hash;
mod index;
mod json;
mod kind;
pub mod listing;
pub mod name;
mod names;
mod open;
mod read;
pub mod safetensors;
mod safetensors_json;
pub mod schema;
mod small;
pub mod source;
mod tokenizer;
mod torch;

pub use compressed::{Compressed, compressed, is_code};
pub use config::parse_config;
pub use error::{CheckpointError, ErrorKind, Place};
pub use index::{Index, parse_index};
pub use listing::{parse_listing, write_listing};
pub use name::Name;
pub use open::{open, open_in};
pub use read::TensorReader;
pub use schema::{
    Attribute, ConfigFact, Container, Entry, Placement, Quantized, Schema, SourceFile, TensorInfo, TieGroup,
};
pub use small::{Array, small_safetensors};
pub use tokenizer::{LargestId, Tokenizer, TokenizerKind, parse_tokenizer};
