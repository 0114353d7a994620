//! Storage formats: what bytes a tensor becomes, exactly, and by which arithmetic.
//!
//! One file per family. [`Format::layout`] reads a shape and an element type, never a weight: it is what the
//! checker and the plan call. The rules that all formats share:
//!
//! - **Source values.** Weights are floats (`f64 f32 f16 bf16 f8_e4m3 f8_e5m2`). [`int`] and [`code4`] first
//!   round a value to f32 (only f64 can change), [`cast`] rounds once, from the source to the target.
//! - **NaN and infinity** in the input are an error that names the first flat index and the value, in every
//!   format but [`mod@keep`] and [`mod@drop`]. So is an f64 that is too large for f32 where f32 arithmetic follows.
//! - **Subnormals** are kept: no operation flushes them to zero.
//! - **Negative zero** is a zero: integer codes lose its sign, casts keep it.
//! - **Order.** Every sum is either exact or taken in an order fixed by flat indices (see [`crate::stats`]), so
//!   that chunks, threads and kernel variants cannot change a byte.

pub mod cast;
pub mod code4;
pub mod drop;
pub mod dynamic_map;
pub mod int;
pub mod keep;
pub mod layout;
pub mod percentile;

use crate::DType;
pub use cast::Cast;
pub use code4::{Code4, Code4Kind};
pub use int::{Activations, Clip, Int, IntBits, Pack, Per, ScaleDType};
pub use layout::{Layout, LayoutError, Part, Role};
pub use percentile::Percentile;
use std::fmt;

/// A storage format with all its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The stored bytes, unchanged, of any element type.
    Keep,
    /// No bytes: the tensor is left out.
    Drop,
    /// Another float type.
    Cast(Cast),
    /// 8- or 4-bit integers with scales.
    Int(Int),
    /// 4-bit codebooks of bitsandbytes: nf4 and fp4.
    Code4(Code4),
}

impl Format {
    /// The exact parts that a tensor of `shape` and element type `source` becomes.
    ///
    /// # Errors
    /// A [`LayoutError`] when the format cannot hold the tensor; no other format is ever taken instead.
    pub fn layout(&self, shape: &[u64], source: DType) -> Result<Layout, LayoutError> {
        match self {
            Format::Keep => keep::layout(shape, source),
            Format::Drop => drop::layout(shape, source),
            Format::Cast(cast) => cast.layout(shape, source),
            Format::Int(int) => int.layout(shape, source),
            Format::Code4(code4) => code4.layout(shape, source),
        }
    }

    /// The name that the language uses: `int8`, `nf4`, `fp16`, ...
    pub const fn name(&self) -> &'static str {
        match self {
            Format::Keep => "keep",
            Format::Drop => "drop",
            Format::Cast(cast) => cast.name(),
            Format::Int(int) => int.name(),
            Format::Code4(code4) => code4.name(),
        }
    }
}

impl fmt::Display for Format {
    /// The format as a recipe spells it, arguments that are not the default included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Keep | Format::Drop => f.pad(self.name()),
            Format::Cast(cast) => cast.fmt(f),
            Format::Int(int) => int.fmt(f),
            Format::Code4(code4) => code4.fmt(f),
        }
    }
}
