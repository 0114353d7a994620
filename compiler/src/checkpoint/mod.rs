//! Headers of checkpoints. Nothing here reads a weight: a schema is names, shapes, dtypes and places.

pub mod schema;

pub use schema::{
    Attribute, ConfigFact, Container, Entry, Placement, Quantized, Schema, SourceFile, TensorInfo, TieGroup,
};
