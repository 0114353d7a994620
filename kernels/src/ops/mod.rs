//! The data of each operation: what it borrows, and what it writes.

mod dequantize;
mod prune;
mod quantize;
mod select;

pub use dequantize::{CompareOp, DequantizeCode4Op, DequantizeIntOp, NestedDecodeOp};
pub use prune::{GatherOp, KeepNOfMOp, NormsOp, ZeroBelowOp};
pub use quantize::{
    CastOp, ExtentsOp, GridErrorsOp, NestedEncodeOp, PercentilesOp, QuantizeCode4Op, QuantizeIntOp,
};
pub use select::{CountDigitsOp, CountTiesOp};
