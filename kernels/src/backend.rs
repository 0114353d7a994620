//! Operations on contiguous elements, and who can run them.
//!
//! An operation borrows its input and outputs and works on a flat range of a tensor that starts at `start`. It says
//! nothing of files or threads; [`crate::encode`] and [`crate::decode`] put operations together.

use crate::format::{Code4, Code4Kind, Int, Percentile};
use crate::groups::Groups;
use crate::scale::{Extent, GRID, GroupCode};
use crate::{DType, ErrorStats, KernelError, Source};

/// Round elements to another float type ([`crate::format::cast`]).
#[derive(Debug)]
pub struct CastOp<'a> {
    /// Elements to round.
    pub source: Source<'a>,
    /// Flat index of the first; a multiple of [`crate::stats::TILE`] when `stats` is there.
    pub start: u64,
    /// `f32 f16 bf16 f8_e4m3 f8_e5m2`.
    pub to: DType,
    /// Take the largest finite value on overflow.
    pub saturate: bool,
    /// Elements × width of `to` bytes.
    pub destination: &'a mut [u8],
    /// Takes the error statistics and the saturated count.
    pub stats: Option<&'a mut ErrorStats>,
}

/// Widen the extents of the groups that a range touches.
#[derive(Debug)]
pub struct ExtentsOp<'a> {
    /// Elements to look at.
    pub source: Source<'a>,
    /// Flat index of the first.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// One per group.
    pub extents: &'a mut [Extent],
}

/// The percentile of |w| in each of several whole groups that lie side by side.
#[derive(Debug)]
pub struct PercentilesOp<'a> {
    /// Whole groups.
    pub source: Source<'a>,
    /// Flat index of the first element, for errors.
    pub start: u64,
    /// Elements of a group, at least 1.
    pub length: usize,
    /// Which percentile.
    pub percentile: Percentile,
    /// One per group.
    pub limits: &'a mut [f32],
}

/// Add the squared errors of each candidate of `clip: mse` ([`crate::format::int`]).
#[derive(Debug)]
pub struct GridErrorsOp<'a> {
    /// Elements to look at.
    pub source: Source<'a>,
    /// Flat index of the first.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// The integer format.
    pub int: Int,
    /// Whole extents of the groups.
    pub extents: &'a [Extent],
    /// Sums per group and candidate.
    pub sums: &'a mut [[u64; GRID]],
}

/// Quantise to integers with given scales.
#[derive(Debug)]
pub struct QuantizeIntOp<'a> {
    /// Elements to quantise.
    pub source: Source<'a>,
    /// Flat index of the first: even for int4, a multiple of [`crate::stats::TILE`] when `stats` is there.
    pub start: u64,
    /// Groups of the tensor.
    pub groups: Groups,
    /// The integer format.
    pub int: Int,
    /// One per group.
    pub codes: &'a [GroupCode],
    /// One byte per element, or one per two.
    pub destination: &'a mut [u8],
    /// Takes the error statistics and the clipped count.
    pub stats: Option<&'a mut ErrorStats>,
}

/// Quantise blocks to a 4-bit codebook.
#[derive(Debug)]
pub struct QuantizeCode4Op<'a> {
    /// Whole blocks; the tensor's last one may be shorter.
    pub source: Source<'a>,
    /// Flat index of the first: a multiple of the block, and of [`crate::stats::TILE`] when `stats` is there.
    pub start: u64,
    /// The format; `double` is not looked at.
    pub code4: Code4,
    /// One byte per two elements.
    pub destination: &'a mut [u8],
    /// One per block.
    pub absmax: &'a mut [f32],
    /// Takes the error statistics, against the f32 absmax.
    pub stats: Option<&'a mut ErrorStats>,
}

/// Read integer codes back.
#[derive(Debug)]
pub struct DequantizeIntOp<'a> {
    /// Codes as stored.
    pub codes: &'a [u8],
    /// Flat index of the first element; even for int4.
    pub start: u64,
    /// Elements to write.
    pub elements: usize,
    /// Groups of the tensor.
    pub groups: Groups,
    /// The integer format.
    pub int: Int,
    /// One per group; only scale and zero point are looked at.
    pub group_codes: &'a [GroupCode],
    /// `f32 f16 bf16`.
    pub to: DType,
    /// Elements × width of `to` bytes.
    pub destination: &'a mut [u8],
}

/// Read 4-bit codebook codes back.
#[derive(Debug)]
pub struct DequantizeCode4Op<'a> {
    /// Codes as stored.
    pub codes: &'a [u8],
    /// Flat index of the first element; a multiple of the block.
    pub start: u64,
    /// Elements to write.
    pub elements: usize,
    /// Which codebook.
    pub kind: Code4Kind,
    /// Elements of a block.
    pub block: usize,
    /// One per block, already without nesting.
    pub absmax: &'a [f32],
    /// `f32 f16 bf16`.
    pub to: DType,
    /// Elements × width of `to` bytes.
    pub destination: &'a mut [u8],
}

/// Add the error statistics of decoded elements against their source.
#[derive(Debug)]
pub struct CompareOp<'a> {
    /// The source.
    pub source: Source<'a>,
    /// As many decoded elements.
    pub decoded: Source<'a>,
    /// Flat index of the first; a multiple of [`crate::stats::TILE`].
    pub start: u64,
    /// Takes the statistics.
    pub stats: &'a mut ErrorStats,
}

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
}

impl Op<'_> {
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
}

/// Whether any CPU backend can run it.
pub(crate) fn readable(op: OpKind, source: DType) -> bool {
    let writes = match op {
        OpKind::Cast { to } => crate::format::Cast::new(to, false).is_some(),
        _ => true,
    };
    source.is_float() && writes
}
