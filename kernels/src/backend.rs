//! Operations on contiguous elements, and who can run them.
//!
//! An operation borrows its input and outputs ([`crate::ops`]) and works on a flat range of a tensor that starts at
//! `start`. It says nothing of files or threads; [`crate::encode`], [`crate::decode`], [`crate::select`] and
//! [`crate::prune`] put operations together.

use crate::host::HostBuffer;
pub use crate::ops::*;
use crate::{DType, KernelError};

/// One operation.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Op<'a> {
    Cast(CastOp<'a>),
    Extents(ExtentsOp<'a>),
    Percentiles(PercentilesOp<'a>),
    GridErrors(GridErrorsOp<'a>),
    QuantizeInt(QuantizeIntOp<'a>),
    QuantizeCode4(QuantizeCode4Op<'a>),
    DequantizeInt(DequantizeIntOp<'a>),
    DequantizeCode4(DequantizeCode4Op<'a>),
    Compare(CompareOp<'a>),
    NestedEncode(NestedEncodeOp<'a>),
    NestedDecode(NestedDecodeOp<'a>),
    CountDigits(CountDigitsOp<'a>),
    CountTies(CountTiesOp<'a>),
    ZeroBelow(ZeroBelowOp<'a>),
    KeepNOfM(KeepNOfMOp<'a>),
    Norms(NormsOp<'a>),
    Gather(GatherOp<'a>),
}

/// An operation without its data, to ask a backend about before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OpKind {
    Cast { to: DType },
    Extents,
    Percentiles,
    GridErrors,
    QuantizeInt,
    QuantizeCode4,
    DequantizeInt,
    DequantizeCode4,
    Compare,
    NestedEncode,
    NestedDecode,
    CountDigits,
    CountTies,
    ZeroBelow,
    KeepNOfM,
    Norms,
    Gather,
}

impl OpKind {
    /// Name in tables, whatever the arguments.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Cast { .. } => "cast",
            OpKind::Extents => "extents of groups",
            OpKind::Percentiles => "percentiles of groups",
            OpKind::GridErrors => "errors of `clip: mse`",
            OpKind::QuantizeInt => "quantise to int8, int4",
            OpKind::QuantizeCode4 => "quantise to nf4, fp4",
            OpKind::DequantizeInt => "dequantise int8, int4",
            OpKind::DequantizeCode4 => "dequantise nf4, fp4",
            OpKind::Compare => "error statistics",
            OpKind::NestedEncode => "quantise absmax",
            OpKind::NestedDecode => "dequantise absmax",
            OpKind::CountDigits => "digits of a selection",
            OpKind::CountTies => "ties of a mask",
            OpKind::ZeroBelow => "mask by magnitude",
            OpKind::KeepNOfM => "mask N:M",
            OpKind::Norms => "norms of slices",
            OpKind::Gather => "gather kept slices",
        }
    }
}

impl Op<'_> {
    /// The element type that it reads as weights; f32 where there are none but codes and absmax.
    pub const fn source(&self) -> DType {
        match self {
            Op::Cast(op) => op.source.dtype(),
            Op::Extents(op) => op.source.dtype(),
            Op::Percentiles(op) => op.source.dtype(),
            Op::GridErrors(op) => op.source.dtype(),
            Op::QuantizeInt(op) => op.source.dtype(),
            Op::QuantizeCode4(op) => op.source.dtype(),
            Op::Compare(op) => op.source.dtype(),
            Op::CountDigits(op) => op.source.dtype(),
            Op::CountTies(op) => op.source.dtype(),
            Op::ZeroBelow(op) => op.dtype,
            Op::KeepNOfM(op) => op.dtype,
            Op::Norms(op) => op.source.dtype(),
            Op::DequantizeInt(_)
            | Op::DequantizeCode4(_)
            | Op::NestedEncode(_)
            | Op::NestedDecode(_)
            | Op::Gather(_) => DType::F32,
        }
    }

    /// The operation without its data.
    pub const fn kind(&self) -> OpKind {
        match self {
            Op::Cast(op) => OpKind::Cast { to: op.to },
            Op::Extents(_) => OpKind::Extents,
            Op::Percentiles(_) => OpKind::Percentiles,
            Op::GridErrors(_) => OpKind::GridErrors,
            Op::QuantizeInt(_) => OpKind::QuantizeInt,
            Op::QuantizeCode4(_) => OpKind::QuantizeCode4,
            Op::DequantizeInt(_) => OpKind::DequantizeInt,
            Op::DequantizeCode4(_) => OpKind::DequantizeCode4,
            Op::Compare(_) => OpKind::Compare,
            Op::NestedEncode(_) => OpKind::NestedEncode,
            Op::NestedDecode(_) => OpKind::NestedDecode,
            Op::CountDigits(_) => OpKind::CountDigits,
            Op::CountTies(_) => OpKind::CountTies,
            Op::ZeroBelow(_) => OpKind::ZeroBelow,
            Op::KeepNOfM(_) => OpKind::KeepNOfM,
            Op::Norms(_) => OpKind::Norms,
            Op::Gather(_) => OpKind::Gather,
        }
    }
}

/// What a backend says of an operation on a source type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// A kernel of its own.
    Native,
    /// Runs, by the scalar reference.
    Reference,
    /// Cannot run.
    No,
}

/// Kinds of backend, asked for what they can do without a device at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendKind {
    /// The processor ([`crate::Cpu`]).
    Native,
    /// libtorch.
    Torch,
    /// Kernels for CUDA.
    Cuda,
}

impl BackendKind {
    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            BackendKind::Native => "native",
            BackendKind::Torch => "torch",
            BackendKind::Cuda => "cuda",
        }
    }

    /// Whether the backend can run an operation on elements of this type, on any device that it supports.
    pub fn supports(self, op: OpKind, source: DType) -> Support {
        match (readable(op, source), self, op) {
            (false, ..) => Support::No,
            (true, BackendKind::Native, _) => Support::Reference,
            // sums of fused multiply-adds in a fixed order, which no tensor operation has
            (true, BackendKind::Torch, OpKind::Compare) => Support::Reference,
            _ => Support::Native,
        }
    }

    /// The least compute capability of a GPU, times ten: `80` is sm_80. Nothing where it needs none.
    pub const fn least_capability(self) -> Option<u32> {
        match self {
            BackendKind::Cuda => Some(80),
            BackendKind::Native | BackendKind::Torch => None,
        }
    }
}

/// Something that runs operations. Every backend gives the reference's bytes and numbers.
pub trait Backend: Send + Sync {
    /// Name for reports: `reference`, `cpu-avx2`, ...
    fn name(&self) -> &'static str;

    /// Whether it can run an operation on elements of this type.
    fn supports(&self, op: OpKind, source: DType) -> Support;

    /// Run one.
    ///
    /// # Errors
    /// [`KernelError`]; outputs are then unspecified.
    fn run(&self, op: Op<'_>) -> Result<(), KernelError>;

    /// `bytes` bytes of zeros that operations read or write: memory that a device reaches fast, where there is one.
    fn buffer(&self, bytes: usize) -> HostBuffer {
        HostBuffer::plain(bytes)
    }
}

/// Whether any CPU backend can run it.
pub(crate) fn readable(op: OpKind, source: DType) -> bool {
    match op {
        OpKind::Cast { to } => source.is_float() && crate::format::Cast::new(to, false).is_some(),
        // copies bytes
        OpKind::Gather => true,
        _ => source.is_float(),
    }
}
