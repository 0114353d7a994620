//! The plan on libtorch, through the crate `tch`: the feature `torch`.
//!
//! Every output is the reference's, bit for bit, on the CPU and on CUDA. What makes it so:
//!
//! | danger | way around it |
//! | --- | --- |
//! | float sums have no fixed order | sums are of integers; those of `Norms` add one row of a matrix after the other |
//! | a multiplication and an addition could be fused | they are operations of their own, each rounded and stored |
//! | CUDA divides by a scalar by multiplying with its inverse | divisors are tensors |
//! | f64 is rounded to f32 on the way to a narrower type | that first rounding is made odd (`cast.rs`) |
//! | casts beyond the range differ from type to type | the largest magnitude is compared with the range first |
//! | NaN and infinity | minima and maxima keep them; the host then looks for the first one |
//! | subnormals | libtorch flushes none unless told to; the tests hold this |
//! | groups that a range cuts | at most five rectangles (`pieces.rs`) |
//!
//! An error is told by the reference, run on the same input: it knows which element to name.
//!
//! Not done by libtorch, and why ([`Support::Reference`]):
//!
//! | operation | why |
//! | --- | --- |
//! | `Compare`, and the `stats` of other operations | sums of fused f32 multiply-adds in a fixed order, which no tensor operation has. [`Cpu`] takes them from what libtorch decoded |
//!
//! Callers are parallel already, so libtorch gets one thread for each of theirs; this holds for the whole process.

mod cast;
mod code4;
mod device;
mod extents;
mod grid;
mod int;
pub mod model;
mod nested;
mod norms;
mod pack;
mod pieces;
mod prune;
mod select;
mod tensors;
pub mod train;

use crate::backend::{Backend, BackendKind, CompareOp, Op, OpKind, Support};
use crate::{Cpu, DType, ErrorStats, KernelError, Reference, Source, Unavailable};
pub use device::{TorchDevice, UnknownDevice, gpus, version};
use tensors::Tensors;

/// The backend on libtorch.
#[derive(Clone, Copy, Debug)]
pub struct Torch {
    device: TorchDevice,
    tensors: Tensors,
    /// Takes the error statistics.
    host: Cpu,
}

impl Torch {
    /// On a device. Sets libtorch's threads to one for each caller's.
    ///
    /// # Errors
    /// [`Unavailable`]: the libtorch that was loaded is of another version than the one built with, has no CUDA, or finds no
    /// such device; or the processor lacks what [`crate::cpu::OVERRIDE`] asks for.
    pub fn new(device: TorchDevice) -> Result<Torch, Unavailable> {
        let host = Cpu::detect().map_err(|error| {
            Unavailable::new(error.to_string(), format!("unset {}", crate::cpu::OVERRIDE))
        })?;
        let tensors = Tensors { device: device.open()? };
        tch::set_num_threads(1);
        Ok(Torch { device, tensors, host: *host })
    }

    /// On the CPU.
    ///
    /// # Errors
    /// As [`Torch::new`].
    pub fn cpu() -> Result<Torch, Unavailable> {
        Torch::new(TorchDevice::Cpu)
    }

    /// The device.
    pub const fn device(&self) -> TorchDevice {
        self.device
    }

    /// Add the statistics of f32 values, as bytes, decoded from quantised `source`, whose f32 values are `weights`.
    fn compare(
        &self,
        source: Source<'_>,
        weights: &tch::Tensor,
        decoded: &[u8],
        start: u64,
        stats: &mut ErrorStats,
    ) -> Result<(), KernelError> {
        let mut rounded = Vec::new();
        // of an f64, statistics see the f32 that was quantised
        let source = if source.dtype() == DType::F64 {
            rounded.resize(source.len() * 4, 0);
            tensors::store(weights, &mut rounded)?;
            Source::f32(&rounded)
        } else {
            source
        };
        let decoded = Source::f32(decoded);
        self.host.run(Op::Compare(CompareOp { source, decoded, start, stats }))
    }
}

impl Backend for Torch {
    fn name(&self) -> &'static str {
        match self.device {
            TorchDevice::Cpu => "torch-cpu",
            TorchDevice::Cuda(_) => "torch-cuda",
        }
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        BackendKind::Torch.supports(op, source)
    }

    fn run(&self, op: Op<'_>) -> Result<(), KernelError> {
        if is_empty(&op) {
            return Reference.run(op);
        }
        match op {
            Op::Cast(op) => cast::cast(self, op),
            Op::Extents(op) => extents::extents(self, op),
            Op::Percentiles(op) => extents::percentiles(self, op),
            Op::GridErrors(op) => grid::grid_errors(self, op),
            Op::QuantizeInt(op) => int::quantize(self, op),
            Op::QuantizeCode4(op) => code4::quantize(self, op),
            Op::DequantizeInt(op) => int::dequantize(self, op),
            Op::DequantizeCode4(op) => code4::dequantize(self, op),
            Op::NestedEncode(op) => nested::encode(self, op),
            Op::NestedDecode(op) => nested::decode(self, op),
            Op::CountDigits(op) => select::count_digits(self, op),
            Op::CountTies(op) => select::count_ties(self, op),
            Op::ZeroBelow(op) => prune::zero_below(self, op),
            Op::KeepNOfM(op) => prune::keep_n_of_m(self, op),
            Op::Norms(op) => norms::norms(self, op),
            Op::Gather(op) => prune::gather(self, op),
            Op::Compare(op) => self.host.run(Op::Compare(op)),
        }
    }
}

/// Whether there is nothing to work on: libtorch has no largest of nothing.
fn is_empty(op: &Op<'_>) -> bool {
    match op {
        Op::Cast(op) => op.source.is_empty(),
        Op::Extents(op) => op.source.is_empty(),
        Op::Percentiles(op) => op.source.is_empty(),
        Op::GridErrors(op) => op.source.is_empty(),
        Op::QuantizeInt(op) => op.source.is_empty(),
        Op::QuantizeCode4(op) => op.source.is_empty(),
        Op::DequantizeInt(op) => op.elements == 0,
        Op::DequantizeCode4(op) => op.elements == 0,
        Op::Compare(op) => op.source.is_empty(),
        Op::NestedEncode(op) => op.absmax.is_empty(),
        Op::NestedDecode(op) => op.codes.is_empty(),
        Op::CountDigits(op) => op.source.is_empty(),
        Op::CountTies(op) => op.source.is_empty(),
        Op::ZeroBelow(op) => op.bytes.is_empty(),
        Op::KeepNOfM(op) => op.bytes.is_empty(),
        Op::Norms(op) => op.source.is_empty(),
        Op::Gather(op) => op.destination.is_empty(),
    }
}
