//! Storage formats of compressed tensors and the kernels that produce and read them.
//!
//! `format` says what bytes a format has (layout, exact size, numerics); `reference` is the scalar oracle;
//! `cpu` holds the vector variants, chosen once at run time. This crate is the only one with `unsafe`.
//!
//! ```text
//!  Format::layout(shape, dtype)          the plan: exact parts, no weights
//!  Encoder ── passes ── encode ── finish a tensor in chunks, any number of threads
//!  Decoder ── decode                     stored parts back to floats
//!  select, prune                         thresholds, masks, N:M, norms, kept slices
//!     └─ Backend::run(Op)                reference | cpu (avx512, avx2, scalar) | cuda | torch
//! ```

pub mod backend;
pub mod bandwidth;
pub mod conformance;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod decode;
pub mod dtype;
pub mod encode;
pub mod error;
pub mod exact_sum;
pub mod format;
pub mod groups;
pub mod host;
pub mod memory;
#[cfg(feature = "model")]
pub mod model;
pub mod narrow;
pub mod ops;
pub mod prune;
pub mod reference;
pub mod scale;
pub mod select;
pub mod source;
pub mod stats;
#[cfg(feature = "torch")]
pub mod torch;
pub mod unavailable;

pub use backend::{Backend, Op, OpKind, Support};
pub use cpu::Cpu;
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use decode::{DecodeError, Decoder};
pub use dtype::DType;
pub use encode::{Deferred, Encoded, Encoder, Piece, Scan};
pub use error::KernelError;
pub use format::{Format, Layout, LayoutError, Percentile, Role};
pub use host::HostBuffer;
pub use reference::Reference;
pub use source::Source;
pub use stats::ErrorStats;
#[cfg(feature = "torch")]
pub use torch::Torch;
pub use unavailable::Unavailable;
