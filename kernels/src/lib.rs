//! Storage formats of compressed tensors and the kernels that produce and read them.
//!
//! `format` says what bytes a format has (layout, exact size, numerics); `reference` is the scalar oracle;
//! `cpu` holds the vector variants, chosen once at run time. This crate is the only one with `unsafe`.

pub mod dtype;

pub use dtype::DType;
