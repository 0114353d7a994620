//! Tiles of f32 values in the first-level cache, whatever the source's element type.

use super::lanes::Lanes;
use crate::{DType, Source};

/// Bits of f32 infinity: magnitudes from here on are not finite.
pub(super) const INFINITY_BITS: i32 = 0x7f80_0000;

/// Bits of a magnitude.
pub(super) const MAGNITUDE: i32 = 0x7fff_ffff;

/// Elements that [`Buffer`] holds: the longest block of a 4-bit codebook.
pub(super) const LONGEST: usize = 4096;

/// Room for f32 values as bytes.
#[repr(align(64))]
pub(super) struct Buffer([u8; 4 * LONGEST]);

impl Buffer {
    pub(super) const fn new() -> Buffer {
        Buffer([0; 4 * LONGEST])
    }

    /// Room for `elements` values.
    pub(super) fn values(&mut self, elements: usize) -> &mut [u8] {
        &mut self.0[..4 * elements]
    }
}

/// How the elements of a tile lie in memory, for kernels that read them as they are.
pub(super) trait Stored {
    /// Bytes of an element.
    const WIDTH: usize;
    /// The first [`Lanes::N`] elements.
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F;
    /// Element `index`.
    fn value(bytes: &[u8], index: usize) -> f32;
}

/// f32, the source's own or widened.
pub(super) struct F32;

/// bf16 as stored.
pub(super) struct Bf16;

impl Stored for F32 {
    const WIDTH: usize = 4;
    #[inline(always)]
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F {
        v.load(bytes)
    }
    #[inline(always)]
    fn value(bytes: &[u8], index: usize) -> f32 {
        value(bytes, index)
    }
}

impl Stored for Bf16 {
    const WIDTH: usize = 2;
    #[inline(always)]
    fn load<V: Lanes>(v: V, bytes: &[u8]) -> V::F {
        v.load_bf16(bytes)
    }
    #[inline(always)]
    fn value(bytes: &[u8], index: usize) -> f32 {
        let b = &bytes[2 * index..2 * index + 2];
        f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16)
    }
}

/// The f32 bytes of at most [`LONGEST`] elements: the source's own, or rounded into `buffer`.
#[inline(always)]
pub(super) fn widen<'a, V: Lanes>(v: V, source: Source<'a>, buffer: &'a mut Buffer) -> &'a [u8] {
    if source.dtype() == DType::F32 {
        return source.bytes();
    }
    let wide = buffer.values(source.len());
    widen_into(v, source, wide);
    wide
}

/// Write the f32 bytes of a source.
#[inline(always)]
pub(super) fn widen_into<V: Lanes>(v: V, source: Source<'_>, wide: &mut [u8]) {
    let bf16 = source.dtype() == DType::Bf16;
    let done = match source.dtype() {
        DType::F32 => {
            wide.copy_from_slice(source.bytes());
            source.len()
        }
        DType::Bf16 | DType::F16 => {
            let pairs = source.bytes().chunks_exact(2 * V::N).zip(wide.chunks_exact_mut(4 * V::N));
            for (from, to) in pairs {
                v.store(if bf16 { v.load_bf16(from) } else { v.load_f16(from) }, to);
            }
            source.len() / V::N * V::N
        }
        _ => 0,
    };
    let mut weights = [0.0f32; 64];
    for from in (done..source.len()).step_by(64) {
        let piece = source.slice(from, from + 64);
        let weights = &mut weights[..piece.len()];
        piece.copy_weights(weights);
        for (weight, to) in weights.iter().zip(wide[4 * from..].chunks_exact_mut(4)) {
            to.copy_from_slice(&weight.to_le_bytes());
        }
    }
}

/// Value `index` of f32 bytes.
#[inline(always)]
pub(super) fn value(data: &[u8], index: usize) -> f32 {
    let b = &data[4 * index..4 * index + 4];
    f32::from_le_bytes([b[0], b[1], b[2], b[3]])
}

/// Set value `index` of f32 bytes.
#[inline(always)]
pub(super) fn set_value(data: &mut [u8], index: usize, value: f32) {
    data[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes());
}

/// The largest magnitude's bits.
#[inline(always)]
pub(super) fn largest_bits<V: Lanes>(v: V, data: &[u8]) -> i32 {
    let whole = data.len() / (4 * V::N) * 4 * V::N;
    let largest = v.largest(largest_lanes::<V, F32>(v, &data[..whole]));
    let rest = &data[whole..];
    (0..rest.len() / 4).fold(largest, |largest, index| largest.max(value(rest, index).abs().to_bits() as i32))
}

/// The largest magnitude's bits in each lane of whole vectors. Two accumulators, so that one load does not wait for the
/// last.
#[inline(always)]
pub(super) fn largest_lanes<V: Lanes, S: Stored>(v: V, data: &[u8]) -> V::I {
    let magnitude = v.isplat(MAGNITUDE);
    let (mut first, mut second) = (v.isplat(0), v.isplat(0));
    let width = S::WIDTH * V::N;
    let pairs = data.chunks_exact(2 * width);
    let rest = pairs.remainder();
    for pair in pairs {
        first = v.imax(first, v.iand(v.bits(S::load(v, &pair[..width])), magnitude));
        second = v.imax(second, v.iand(v.bits(S::load(v, &pair[width..])), magnitude));
    }
    for vector in rest.chunks_exact(width) {
        first = v.imax(first, v.iand(v.bits(S::load(v, vector)), magnitude));
    }
    v.imax(first, second)
}

/// Ask for bytes that a later tile will read. A tile is read in one sweep and then worked on in the cache: without this,
/// memory rests meanwhile, and a tile of f32 is a page, at whose end hardware stops.
#[inline(always)]
pub(super) fn prefetch<V: Lanes>(v: V, later: &[u8]) {
    (0..later.len()).step_by(64).for_each(|at| v.prefetch(later, at));
}
