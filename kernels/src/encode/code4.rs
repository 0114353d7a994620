//! Chunks of nf4 and fp4, with double quantised absmax where asked for.

use super::{Deferred, Encoded, Piece};
use crate::backend::{Backend, ExtentsOp, NestedEncodeOp, Op, QuantizeCode4Op};
use crate::exact_sum::ExactSum;
use crate::format::code4::NESTED_BLOCK;
use crate::format::dynamic_map::DYNAMIC_MAP;
use crate::format::{Code4, Role};
use crate::groups::{CHUNK_MULTIPLE, Groups};
use crate::reference::{add_runs, mean};
use crate::scale::Extent;
use crate::{KernelError, Source};

/// Blocks whose absmax may wait in memory for their mean (32 MiB); beyond, a pass of its own finds the mean first.
const DEFERRED_BLOCKS: u64 = 1 << 23;

/// The blocks of a tensor.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    code4: Code4,
    count: u64,
    /// A first pass finds the mean.
    streams: bool,
    offset: Option<f32>,
}

impl Blocks {
    pub(super) fn new(code4: Code4, elements: u64) -> Blocks {
        let count = elements.div_ceil(u64::from(code4.block));
        Blocks { code4, count, streams: code4.double && count > DEFERRED_BLOCKS, offset: None }
    }

    /// Chunks are multiples of this many elements.
    pub(super) fn unit(&self) -> u64 {
        let block = u64::from(self.code4.block);
        // whole nested blocks, so that a chunk's runs of absmax are its own
        if self.code4.double { NESTED_BLOCK * block } else { CHUNK_MULTIPLE.max(block) }
    }

    pub(super) fn needs_scan(&self) -> bool {
        self.streams && self.offset.is_none()
    }

    pub(super) fn scan(
        &self,
        backend: &dyn Backend,
        source: Source<'_>,
        start: u64,
        sum: &mut ExactSum,
    ) -> Result<(), KernelError> {
        let block = u64::from(self.code4.block);
        let count = (source.len() as u64).div_ceil(block);
        let mut extents = vec![Extent::default(); count as usize];
        // the last block may be shorter: the groups reach beyond the range, which is allowed
        let groups = Groups::contiguous(count, block);
        let op = ExtentsOp { source, start: 0, groups, extents: &mut extents };
        backend.run(Op::Extents(op)).map_err(|error| error.shift(start, 0))?;
        let absmax: Vec<f32> = extents.into_iter().map(Extent::absmax).collect();
        add_runs(sum, &absmax);
        Ok(())
    }

    pub(super) fn absorb(&mut self, sum: &ExactSum) -> Result<(), KernelError> {
        let offset = mean(sum, self.count);
        if !offset.is_finite() {
            return Err(KernelError::NestedOverflow);
        }
        self.offset = Some(offset);
        Ok(())
    }

    pub(super) fn encode(
        &self,
        backend: &dyn Backend,
        source: Source<'_>,
        start: u64,
        main: &mut [u8],
        measure: bool,
        encoded: &mut Encoded,
    ) -> Result<(), KernelError> {
        let block = u64::from(self.code4.block);
        let mut absmax = vec![0.0; (source.len() as u64).div_ceil(block) as usize];
        backend.run(Op::QuantizeCode4(QuantizeCode4Op {
            source,
            start,
            code4: self.code4,
            destination: main,
            absmax: &mut absmax,
            stats: measure.then_some(&mut encoded.stats),
        }))?;
        let first = start / block;
        match (self.code4.double, self.offset) {
            (false, _) => encoded.pieces.push(floats(Role::Absmax, first, &absmax)),
            (true, Some(offset)) => encoded.pieces.extend(nested(backend, first, &absmax, offset)?),
            (true, None) => {
                let mut sum = Box::<ExactSum>::default();
                add_runs(&mut sum, &absmax);
                encoded.deferred = Some(Deferred { first, absmax, sum });
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        &self,
        backend: &dyn Backend,
        deferred: &[Deferred],
    ) -> Result<Vec<Piece>, KernelError> {
        let mut pieces = vec![floats(Role::QuantMap, 0, &self.code4.kind.codebook())];
        if !self.code4.double {
            return Ok(pieces);
        }
        let offset = match self.offset {
            Some(offset) => offset,
            None => {
                let (mut total, mut count) = (ExactSum::default(), 0);
                for part in deferred {
                    total.merge(&part.sum);
                    count += part.absmax.len();
                }
                crate::error::expect_length("deferred absmax", self.count as usize, count)?;
                let offset = mean(&total, self.count);
                for part in deferred {
                    pieces.extend(nested(backend, part.first, &part.absmax, offset)?);
                }
                offset
            }
        };
        pieces.push(floats(Role::NestedQuantMap, 0, &DYNAMIC_MAP));
        pieces.push(floats(Role::NestedOffset, 0, &[offset]));
        Ok(pieces)
    }
}

/// Codes and nested absmax of the blocks from `first`, a multiple of 256.
fn nested(backend: &dyn Backend, first: u64, absmax: &[f32], offset: f32) -> Result<[Piece; 2], KernelError> {
    let mut codes = vec![0; absmax.len()];
    let mut scales = vec![0.0; absmax.len().div_ceil(NESTED_BLOCK as usize)];
    let op = NestedEncodeOp { absmax, offset, codes: &mut codes, scales: &mut scales };
    backend.run(Op::NestedEncode(op))?;
    Ok([
        Piece { role: Role::Absmax, offset: first, bytes: codes },
        floats(Role::NestedAbsmax, first / NESTED_BLOCK, &scales),
    ])
}

fn floats(role: Role, first: u64, values: &[f32]) -> Piece {
    let mut bytes = vec![0; 4 * values.len()];
    for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
    Piece { role, offset: first * 4, bytes }
}

#[cfg(test)]
mod tests {
    use super::{Blocks, Deferred, Encoded, Piece};
    use crate::exact_sum::ExactSum;
    use crate::format::{Code4, Code4Kind};
    use crate::{DType, Reference, Source, conformance};

    fn encode(blocks: &Blocks, source: Source<'_>, chunk: usize) -> (Vec<u8>, Vec<Piece>, Vec<Deferred>) {
        let (mut codes, mut pieces, mut deferred) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..source.len()).step_by(chunk) {
            let part = source.slice(start, start + chunk);
            let (mut main, mut encoded) = (vec![0; part.len().div_ceil(2)], Encoded::default());
            blocks.encode(&Reference, part, start as u64, &mut main, false, &mut encoded).unwrap();
            codes.extend(main);
            pieces.extend(encoded.pieces);
            deferred.extend(encoded.deferred);
        }
        (codes, pieces, deferred)
    }

    /// Bytes of every part, in place.
    fn assemble(mut pieces: Vec<Piece>) -> Vec<(crate::Role, Vec<u8>)> {
        pieces.sort_by_key(|piece| (piece.role, piece.offset));
        let mut parts: Vec<(crate::Role, Vec<u8>)> = Vec::new();
        for piece in pieces {
            match parts.last_mut() {
                Some((role, bytes)) if *role == piece.role => {
                    assert_eq!(bytes.len() as u64, piece.offset);
                    bytes.extend(piece.bytes);
                }
                _ => parts.push((piece.role, piece.bytes)),
            }
        }
        parts
    }

    #[test]
    fn a_first_pass_for_the_mean_changes_nothing() {
        let input = conformance::elements(DType::Bf16, "normal", 40_000);
        let source = Source::new(DType::Bf16, &input).unwrap();
        let code4 = Code4 { double: true, ..Code4::new(Code4Kind::Nf4) };
        let waits = Blocks::new(code4, 40_000);
        let (codes, mut pieces, mut deferred) = encode(&waits, source, 16_384);
        deferred.reverse();
        pieces.extend(waits.finish(&Reference, &deferred).unwrap());

        let mut streams = Blocks { streams: true, ..waits };
        let mut total = ExactSum::default();
        for start in [32_768, 0, 16_384] {
            let mut sum = ExactSum::default();
            let part = source.slice(start, start + 16_384);
            streams.scan(&Reference, part, start as u64, &mut sum).unwrap();
            total.merge(&sum);
        }
        streams.absorb(&total).unwrap();
        let (same_codes, mut same, none) = encode(&streams, source, 16_384);
        same.extend(streams.finish(&Reference, &none).unwrap());
        assert!(codes == same_codes && assemble(pieces) == assemble(same));
    }
}
