//! Turn one tensor into its stored parts, in chunks, on any number of threads.
//!
//! ```text
//!  let mut encoder = Encoder::new(&format, &shape, dtype, limit)?;
//!  while encoder.needs_scan() {                      // only groups longer than a chunk, or scattered
//!      let mut scan = encoder.new_scan();            // one per thread, merged in any order
//!      for (start, elements) in encoder.chunks() { encoder.scan(backend, start, bytes, &mut scan)?; }
//!      encoder.absorb(scan)?;
//!  }
//!  for (start, elements) in encoder.chunks() {       // in any order
//!      let encoded = encoder.encode(backend, start, bytes, main_part, measure)?;
//!      // main_part lies at encoder.main_range(start, elements); write encoded.pieces at their offsets
//!  }
//!  let pieces = encoder.finish(backend, &deferred)?; // the rest of the parts
//! ```
//!
//! Chunks start at multiples of [`Encoder::chunk`] and are that long, the last one excepted. The chunk length
//! depends on `limit` only, and the bytes do not depend on it.

mod code4;
mod scales;

use crate::backend::{Backend, CastOp, Op, QuantizeIntOp};
use crate::error::expect_length;
use crate::format::{Format, Int, IntBits, Layout, LayoutError, Role, ScaleDType};
use crate::groups::{CHUNK_MULTIPLE, Groups};
use crate::narrow::NARROW_F16;
use crate::reference::check::code_bytes;
use crate::scale::GroupCode;
use crate::{DType, ErrorStats, KernelError, Source};
use scales::{ScalePlan, ScaleScan, whole_groups};
use std::ops::Range;

/// Elements that one batch of whole groups aims at: source and codes stay in the second-level cache.
const BATCH: u64 = 1 << 16;

/// Encodes one tensor.
#[derive(Clone, Debug)]
pub struct Encoder {
    layout: Layout,
    source: DType,
    chunk: u64,
    work: Work,
    /// What no weight tells.
    activation_scale: Option<f32>,
}

#[derive(Clone, Debug)]
enum Work {
    Keep,
    Drop,
    Cast {
        to: DType,
        saturate: bool,
    },
    /// Every chunk holds whole contiguous groups.
    IntGroups {
        int: Int,
        groups: Groups,
    },
    /// The whole tensor is one chunk.
    IntWhole {
        int: Int,
        groups: Groups,
    },
    /// Scales come from passes.
    IntPasses {
        int: Int,
        groups: Groups,
        plan: ScalePlan,
    },
    Code4(code4::Blocks),
}

/// Bytes of a part, to be written at `offset` of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The part.
    pub role: Role,
    /// Byte offset in the part.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Absmax that [`Encoder::finish`] needs, 4 bytes per block and at most 32 MiB a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Deferred {
    pub(crate) first: u64,
    pub(crate) absmax: Vec<f32>,
    /// Of the runs in `absmax`.
    pub(crate) sum: Box<crate::exact_sum::ExactSum>,
}

/// What one chunk became, beside its elements.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// Error statistics, empty unless asked for.
    pub stats: ErrorStats,
    /// Bytes of other parts.
    pub pieces: Vec<Piece>,
    /// To be handed to [`Encoder::finish`], in any order.
    pub deferred: Option<Deferred>,
}

/// What one pass over chunks gathers.
#[derive(Clone, Debug)]
pub struct Scan(Gathered);

#[derive(Clone, Debug)]
enum Gathered {
    Scales(ScaleScan),
    Absmax(Box<crate::exact_sum::ExactSum>),
    Nothing,
}

impl Scan {
    /// Add the scan of other chunks of the same pass. Merging commutes.
    pub fn merge(&mut self, other: &Scan) {
        match (&mut self.0, &other.0) {
            (Gathered::Scales(scales), Gathered::Scales(more)) => scales.merge(more),
            (Gathered::Absmax(sum), Gathered::Absmax(more)) => sum.merge(more),
            _ => {}
        }
    }
}

impl Encoder {
    /// An encoder of a tensor of `shape` and element type `source` in chunks of about `limit` elements (at
    /// least 4096; with double quantised absmax 256 blocks).
    ///
    /// # Errors
    /// As [`Format::layout`].
    pub fn new(format: &Format, shape: &[u64], source: DType, limit: u64) -> Result<Encoder, LayoutError> {
        let layout = format.layout(shape, source)?;
        let elements = layout.elements;
        let mut unit = CHUNK_MULTIPLE;
        let work = match *format {
            Format::Keep => Work::Keep,
            Format::Drop => Work::Drop,
            Format::Cast(cast) => Work::Cast { to: cast.to(), saturate: cast.saturate() },
            Format::Int(int) => {
                let groups = int.groups(shape)?;
                match groups.chunk(limit) {
                    Some(chunk) => {
                        unit = chunk;
                        Work::IntGroups { int, groups }
                    }
                    None if elements <= limit.max(CHUNK_MULTIPLE) && groups.is_contiguous() => {
                        Work::IntGroups { int, groups }
                    }
                    None if elements <= limit.max(CHUNK_MULTIPLE) => Work::IntWhole { int, groups },
                    None => Work::IntPasses { int, groups, plan: ScalePlan::new(int, groups) },
                }
            }
            Format::Code4(code4) => {
                let blocks = code4::Blocks::new(code4, elements);
                unit = blocks.unit();
                Work::Code4(blocks)
            }
        };
        let limit = limit.max(CHUNK_MULTIPLE);
        let chunk = if elements <= limit { elements } else { (limit / unit).max(1) * unit };
        Ok(Encoder { layout, source, chunk, work, activation_scale: None })
    }

    /// Gives the scale of activations, which a static format stores beside the weight.
    ///
    /// # Errors
    /// [`KernelError::Malformed`] when it is no positive number.
    pub fn set_activation_scale(&mut self, scale: f32) -> Result<(), KernelError> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(KernelError::Malformed { what: "the scale of activations is a positive number" });
        }
        self.activation_scale = Some(scale);
        Ok(())
    }

    /// The exact parts.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Elements of a chunk; the last one of a tensor may be shorter.
    pub const fn chunk(&self) -> u64 {
        self.chunk
    }

    /// Start and length of each chunk in elements.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let (chunk, elements) = (self.chunk.max(1), self.layout.elements);
        (0..elements.div_ceil(chunk)).map(move |index| (index * chunk, chunk.min(elements - index * chunk)))
    }

    /// Byte range in the first part of `elements` elements from `start`.
    pub fn main_range(&self, start: u64, elements: u64) -> Range<u64> {
        let end = start + elements;
        match self.work {
            Work::Drop => 0..0,
            Work::Keep => start * self.source.width()..end * self.source.width(),
            Work::Cast { to, .. } => start * to.width()..end * to.width(),
            Work::IntGroups { int, .. } | Work::IntWhole { int, .. } | Work::IntPasses { int, .. }
                if int.bits == IntBits::Eight =>
            {
                start..end
            }
            _ => start / 2..end.div_ceil(2),
        }
    }

    /// Whether another pass over all chunks is needed before [`Encoder::encode`].
    pub fn needs_scan(&self) -> bool {
        match &self.work {
            Work::IntPasses { plan, .. } => !plan.is_done(),
            Work::Code4(blocks) => blocks.needs_scan(),
            _ => false,
        }
    }

    /// An empty scan of the next pass.
    pub fn new_scan(&self) -> Scan {
        Scan(match &self.work {
            Work::IntPasses { plan, .. } if !plan.is_done() => Gathered::Scales(plan.new_scan()),
            Work::Code4(blocks) if blocks.needs_scan() => Gathered::Absmax(Default::default()),
            _ => Gathered::Nothing,
        })
    }

    /// Look at the chunk that begins at flat index `start`.
    ///
    /// # Errors
    /// [`KernelError`] of the source's values or the chunk's bounds.
    pub fn scan(
        &self,
        backend: &dyn Backend,
        start: u64,
        bytes: &[u8],
        scan: &mut Scan,
    ) -> Result<(), KernelError> {
        let source = self.chunk_source(start, bytes)?;
        match (&self.work, &mut scan.0) {
            (Work::IntPasses { plan, .. }, Gathered::Scales(scales)) => {
                plan.scan(backend, source, start, scales)
            }
            (Work::Code4(blocks), Gathered::Absmax(sum)) => blocks.scan(backend, source, start, sum),
            _ => Err(KernelError::Malformed { what: "a scan of another pass" }),
        }
    }

    /// Take in the merged scan of all chunks.
    ///
    /// # Errors
    /// [`KernelError::ScaleOverflow`] and [`KernelError::ScaleUnderflow`].
    pub fn absorb(&mut self, scan: Scan) -> Result<(), KernelError> {
        match (&mut self.work, scan.0) {
            (Work::IntPasses { plan, .. }, Gathered::Scales(scales)) => plan.absorb(scales),
            (Work::Code4(blocks), Gathered::Absmax(sum)) => blocks.absorb(&sum),
            _ => Err(KernelError::Malformed { what: "a scan of another pass" }),
        }
    }

    /// Encode the chunk that begins at flat index `start`: its elements into `main`, which is as long as
    /// [`Encoder::main_range`]; the rest into the result. `measure` asks for error statistics.
    ///
    /// # Errors
    /// [`KernelError`]; indices are flat indices of the tensor.
    pub fn encode(
        &self,
        backend: &dyn Backend,
        start: u64,
        bytes: &[u8],
        main: &mut [u8],
        measure: bool,
    ) -> Result<Encoded, KernelError> {
        let mut encoded = Encoded::default();
        match &self.work {
            Work::Drop => {}
            Work::Keep => {
                expect_length("destination", bytes.len(), main.len())?;
                main.copy_from_slice(bytes);
            }
            Work::Cast { to, saturate } => {
                let source = self.chunk_source(start, bytes)?;
                let stats = measure.then_some(&mut encoded.stats);
                backend.run(Op::Cast(CastOp {
                    source,
                    start,
                    to: *to,
                    saturate: *saturate,
                    destination: main,
                    stats,
                }))?;
            }
            Work::IntGroups { int, groups } => {
                let source = self.chunk_source(start, bytes)?;
                let stats = measure.then_some(&mut encoded.stats);
                encoded.pieces = encode_groups(backend, int, *groups, source, start, main, stats)?;
            }
            Work::IntWhole { int, groups } => {
                let source = self.chunk_source(start, bytes)?;
                let mut plan = ScalePlan::new(*int, *groups);
                while !plan.is_done() {
                    let mut scan = plan.new_scan();
                    plan.scan(backend, source, start, &mut scan)?;
                    plan.absorb(scan)?;
                }
                let stats = measure.then_some(&mut encoded.stats);
                let codes = plan.codes();
                let op = QuantizeIntOp {
                    source,
                    start,
                    groups: *groups,
                    int: *int,
                    codes,
                    destination: main,
                    stats,
                };
                backend.run(Op::QuantizeInt(op))?;
                encoded.pieces = scale_pieces(int, codes, 0);
            }
            Work::IntPasses { int, groups, plan } => {
                let source = self.chunk_source(start, bytes)?;
                let stats = measure.then_some(&mut encoded.stats);
                let codes = plan.codes();
                let op = QuantizeIntOp {
                    source,
                    start,
                    groups: *groups,
                    int: *int,
                    codes,
                    destination: main,
                    stats,
                };
                backend.run(Op::QuantizeInt(op))?;
            }
            Work::Code4(blocks) => {
                let source = self.chunk_source(start, bytes)?;
                blocks.encode(backend, source, start, main, measure, &mut encoded)?;
            }
        }
        Ok(encoded)
    }

    /// The bytes of parts that no chunk gave: call it once, after all chunks.
    ///
    /// # Errors
    /// [`KernelError::NestedOverflow`]; [`KernelError::Malformed`] where a scale of activations is missing.
    pub fn finish(&self, backend: &dyn Backend, deferred: &[Deferred]) -> Result<Vec<Piece>, KernelError> {
        let mut pieces = match &self.work {
            Work::IntPasses { int, plan, .. } => scale_pieces(int, plan.codes(), 0),
            // a tensor without elements has no chunk, and still its scales
            Work::IntGroups { int, groups } | Work::IntWhole { int, groups } if self.layout.elements == 0 => {
                scale_pieces(int, &vec![GroupCode::default(); groups.axis as usize], 0)
            }
            Work::Code4(blocks) => blocks.finish(backend, deferred)?,
            _ => Vec::new(),
        };
        if self.layout.part(Role::ActivationScale).is_some() {
            let scale = self.activation_scale.ok_or(KernelError::Malformed {
                what: "a static format needs the scale of activations that calibration gives",
            })?;
            let bytes = scale.to_le_bytes().to_vec();
            pieces.push(Piece { role: Role::ActivationScale, offset: 0, bytes });
        }
        Ok(pieces)
    }

    fn chunk_source<'a>(&self, start: u64, bytes: &'a [u8]) -> Result<Source<'a>, KernelError> {
        let source = Source::new(self.source, bytes)?;
        let (elements, length) = (self.layout.elements, source.len() as u64);
        if self.chunk != 0 && !start.is_multiple_of(self.chunk) {
            return Err(KernelError::Misaligned { index: start, multiple: self.chunk });
        }
        let expected = self.chunk.min(elements.saturating_sub(start));
        expect_length("chunk", expected as usize, length as usize)?;
        Ok(source)
    }
}

/// Whole contiguous groups, a batch at a time so that the second look at a value finds it in a cache.
fn encode_groups(
    backend: &dyn Backend,
    int: &Int,
    groups: Groups,
    source: Source<'_>,
    start: u64,
    main: &mut [u8],
    mut stats: Option<&mut ErrorStats>,
) -> Result<Vec<Piece>, KernelError> {
    let length = groups.inner.max(1);
    let batch = match groups.chunk(source.len() as u64) {
        Some(unit) => (BATCH / unit).max(1) * unit,
        None => source.len() as u64,
    };
    let first = start / length;
    let mut codes = Vec::with_capacity(source.len() / length as usize);
    for from in (0..source.len()).step_by((batch as usize).max(1)) {
        let part = source.slice(from, from + batch as usize);
        let (at, group) = (start + from as u64, first + from as u64 / length);
        let found =
            whole_groups(backend, int, part, length as usize).map_err(|error| error.shift(at, group))?;
        let (low, high) = (code_bytes(int, from), code_bytes(int, from + part.len()));
        let op = QuantizeIntOp {
            source: part,
            start: 0,
            groups: Groups::contiguous(found.len() as u64, length),
            int: *int,
            codes: &found,
            destination: &mut main[low..high],
            stats: stats.as_deref_mut(),
        };
        backend.run(Op::QuantizeInt(op)).map_err(|error| error.shift(at, group))?;
        codes.extend(found);
    }
    Ok(scale_pieces(int, &codes, first))
}

/// Scales and zero points of the groups from `first`.
fn scale_pieces(int: &Int, codes: &[GroupCode], first: u64) -> Vec<Piece> {
    let (width, bytes): (u64, Vec<u8>) = match int.scale {
        ScaleDType::F32 => (4, codes.iter().flat_map(|code| code.scale.to_le_bytes()).collect()),
        ScaleDType::F16 => {
            let half = |code: &GroupCode| (NARROW_F16.narrow(code.scale) as u16).to_le_bytes();
            (2, codes.iter().flat_map(half).collect())
        }
    };
    let mut pieces = vec![Piece { role: Role::Scales, offset: first * width, bytes }];
    if !int.symmetric {
        let bytes = codes.iter().map(|code| code.zero as u8).collect();
        pieces.push(Piece { role: Role::ZeroPoints, offset: first, bytes });
    }
    pieces
}
