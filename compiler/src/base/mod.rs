//! What every other module stands on: spans, checked shape arithmetic, sizes as people read them.

mod number_set;
mod prefix;
mod shape;
mod size;
mod span;

pub use icpc_kernels::DType;
pub use number_set::number_set;
pub use prefix::common_prefix;
pub use shape::{Shape, checked_bytes, checked_len};
pub use size::{count, human_bytes, human_change, list, plural, with_thousands};
pub use span::{LineIndex, Span};
