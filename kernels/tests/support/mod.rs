//! Drive an encoder and a decoder over a whole tensor.

use icpc_kernels::{Backend, DType, Decoder, Encoder, ErrorStats, Format, KernelError, Role};
use std::collections::BTreeMap;

pub type Parts = BTreeMap<Role, Vec<u8>>;

/// Encode in chunks of about `limit` elements, in forward or backward order.
pub fn encode(
    backend: &dyn Backend,
    format: &Format,
    shape: &[u64],
    dtype: DType,
    input: &[u8],
    limit: u64,
    backward: bool,
) -> Result<(Parts, ErrorStats), KernelError> {
    let mut encoder = Encoder::new(format, shape, dtype, limit).unwrap();
    let width = dtype.width();
    let piece =
        |start: u64, elements: u64| &input[(start * width) as usize..((start + elements) * width) as usize];
    let mut chunks: Vec<(u64, u64)> = encoder.chunks().collect();
    if backward {
        chunks.reverse();
    }
    while encoder.needs_scan() {
        let mut whole = encoder.new_scan();
        for &(start, elements) in &chunks {
            let mut scan = encoder.new_scan();
            encoder.scan(backend, start, piece(start, elements), &mut scan)?;
            whole.merge(&scan);
        }
        encoder.absorb(whole)?;
    }
    let mut parts: Parts =
        encoder.layout().parts.iter().map(|part| (part.role, vec![0xaa; part.bytes as usize])).collect();
    let main_role = encoder.layout().parts.first().map(|part| part.role);
    let (mut stats, mut pieces, mut deferred) = (ErrorStats::default(), Vec::new(), Vec::new());
    for &(start, elements) in &chunks {
        let range = encoder.main_range(start, elements);
        let mut main = vec![0x55; (range.end - range.start) as usize];
        let encoded = encoder.encode(backend, start, piece(start, elements), &mut main, true)?;
        if let Some(role) = main_role {
            parts.get_mut(&role).unwrap()[range.start as usize..range.end as usize].copy_from_slice(&main);
        }
        stats.merge(&encoded.stats);
        pieces.extend(encoded.pieces);
        deferred.extend(encoded.deferred);
    }
    pieces.extend(encoder.finish(backend, &deferred)?);
    for piece in pieces {
        let at = piece.offset as usize;
        parts.get_mut(&piece.role).unwrap()[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    Ok((parts, stats))
}

/// Decode a whole tensor, `step` elements at a time.
pub fn decode(
    backend: &dyn Backend,
    format: &Format,
    shape: &[u64],
    dtype: DType,
    parts: &Parts,
    to: DType,
    step: u64,
) -> Vec<u8> {
    let side = |role: Role| parts.get(&role).map(Vec::as_slice);
    let decoder = Decoder::new(format, shape, dtype, side).unwrap();
    let elements = decoder.layout().elements;
    let main = &parts[&decoder.layout().parts[0].role];
    let mut decoded = vec![0; (elements * to.width()) as usize];
    let mut start = 0;
    while start < elements {
        let count = step.min(elements - start);
        let range = decoder.main_range(start, count);
        let target = (start * to.width()) as usize..((start + count) * to.width()) as usize;
        let main = &main[range.start as usize..range.end as usize];
        decoder.decode(backend, start, count as usize, main, to, &mut decoded[target]).unwrap();
        start += count;
    }
    decoded
}
