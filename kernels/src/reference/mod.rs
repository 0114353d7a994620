//! The scalar oracle: each operation as its format's page words it, one element after the other.
//!
//! Every other variant is compared with this one, bit by bit.

mod cast;
pub(crate) mod check;
mod code4;
mod compare;
mod int;
mod nested;
mod prune;

use crate::backend::{Backend, Op, OpKind, Support, readable};
use crate::{DType, KernelError};
pub(crate) use cast::cast_element;
pub(crate) use code4::{LEAST_ABSMAX, code as code4_code};
#[cfg(feature = "cuda")]
pub(crate) use int::get_code;
pub(crate) use int::{candidates, put_decoded, squared_error};
pub use nested::mean_of_absmax;
pub(crate) use nested::{add_runs, mean};
pub(crate) use prune::{keep_n_of_m, zero_below};

/// The scalar backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        if readable(op, source) { Support::Reference } else { Support::No }
    }

    fn run(&self, op: Op<'_>) -> Result<(), KernelError> {
        match op {
            Op::Cast(op) => cast::cast(op),
            Op::Extents(op) => int::extents(op),
            Op::Percentiles(op) => int::percentiles(op),
            Op::GridErrors(op) => int::grid_errors(op),
            Op::QuantizeInt(op) => int::quantize(op),
            Op::QuantizeCode4(op) => code4::quantize(op),
            Op::DequantizeInt(op) => int::dequantize(op),
            Op::DequantizeCode4(op) => code4::dequantize(op),
            Op::Compare(op) => compare::compare(op),
            Op::NestedEncode(op) => nested::encode(op),
            Op::NestedDecode(op) => nested::decode(op),
            Op::CountDigits(op) => prune::count_digits(op),
            Op::CountTies(op) => prune::count_ties(op),
            Op::ZeroBelow(op) => prune::zero_below(op),
            Op::KeepNOfM(op) => prune::keep_n_of_m(op),
            Op::Norms(op) => prune::norms(op),
            Op::Gather(op) => prune::gather(op),
        }
    }
}
