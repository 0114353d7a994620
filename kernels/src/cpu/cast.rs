//! Casts of f32 tiles. Values that overflow go to the reference, tile by tile.

use super::compare::add_tiles;
use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, MAGNITUDE, largest_bits, prefetch, value, widen, widen_into};
use crate::backend::CastOp;
use crate::narrow::Narrow;
use crate::reference::cast_element;
use crate::stats::TILE;
use crate::{DType, KernelError, Source};

/// Bits of the least f32 magnitude that `to` cannot hold after rounding.
const fn first_overflow(to: DType) -> i32 {
    match to {
        DType::F16 => 65520.0f32.to_bits() as i32,
        DType::Bf16 => 0x7f7f_8000,
        // 464 is the tie between 448 and what would be 480, and goes to 448
        DType::F8E4M3 => 464.0f32.to_bits() as i32 + 1,
        DType::F8E5M2 => 61440.0f32.to_bits() as i32,
        _ => 0x7f80_0000,
    }
}

/// Round f32 bytes to `f32 f16 bf16 f8_e4m3 f8_e5m2`; false, with nothing useful written, when a value is not
/// finite or overflows.
#[inline(always)]
pub(super) fn narrow_tile<V: Lanes>(v: V, to: DType, data: &[u8], destination: &mut [u8]) -> bool {
    if largest_bits(v, data) >= first_overflow(to) {
        return false;
    }
    let step = 4 * V::N;
    let width = to.width() as usize;
    let groups = data.chunks_exact(4 * step).zip(destination.chunks_exact_mut(4 * V::N * width));
    for (data, destination) in groups {
        // no closures in here: one that is not inlined would lose the instructions
        let mut x = [v.splat(0.0); 4];
        for (x, data) in x.iter_mut().zip(data.chunks_exact(step)) {
            *x = v.load(data);
        }
        match to {
            DType::F16 => {
                for (x, to) in x.into_iter().zip(destination.chunks_exact_mut(2 * V::N)) {
                    v.store_f16(x, to);
                }
            }
            DType::Bf16 => {
                let halves =
                    [round_bf16(v, x[0]), round_bf16(v, x[1]), round_bf16(v, x[2]), round_bf16(v, x[3])];
                v.store_u16([halves[0], halves[1]], &mut destination[..4 * V::N]);
                v.store_u16([halves[2], halves[3]], &mut destination[4 * V::N..]);
            }
            DType::F8E4M3 => v.store_bytes(v.narrow::<false>(round_fp8::<V, 3>(v, x)), destination),
            DType::F8E5M2 => v.store_bytes(v.narrow::<false>(round_fp8::<V, 2>(v, x)), destination),
            _ => destination.copy_from_slice(data),
        }
    }
    let elements = data.len() / 4;
    for index in elements / (4 * V::N) * (4 * V::N)..elements {
        let to_bytes = &mut destination[index * width..(index + 1) * width];
        match Narrow::of(to) {
            Some(narrow) => {
                to_bytes.copy_from_slice(&narrow.narrow(value(data, index)).to_le_bytes()[..width])
            }
            None => to_bytes.copy_from_slice(&data[4 * index..4 * index + 4]),
        }
    }
    true
}

#[inline(always)]
fn round_bf16<V: Lanes>(v: V, x: V::F) -> V::I {
    let bits = v.bits(x);
    let odd = v.iand(v.shr(bits, 16), v.isplat(1));
    v.shr(v.iadd(bits, v.iadd(odd, v.isplat(0x7fff))), 16)
}

/// fp8 with `MANTISSA` bits (3: e4m3, 2: e5m2), in range.
#[inline(always)]
fn round_fp8<V: Lanes, const MANTISSA: u32>(v: V, x: [V::F; 4]) -> [V::I; 4] {
    let exponent = 7 - MANTISSA;
    let smallest_normal = 128 - ((1i32 << (exponent - 1)) - 1); // biased f32 exponent
    let dropped = 23 - MANTISSA;
    // adding a power of two whose last place is the subnormals' unit rounds to that unit
    let magic = ((smallest_normal as u32 + dropped) << 23) as i32;
    let mut codes = [v.isplat(0); 4];
    for (code, x) in codes.iter_mut().zip(x) {
        let bits = v.bits(x);
        let magnitude = v.iand(bits, v.isplat(MAGNITUDE));
        let odd = v.iand(v.shr(magnitude, dropped), v.isplat(1));
        let half = v.isplat((1 << (dropped - 1)) - 1);
        let normal = v.shr(v.iadd(magnitude, v.iadd(odd, half)), dropped);
        let normal = v.isub(normal, v.isplat((smallest_normal - 1) << MANTISSA));
        let sum = v.add(v.of_bits(magnitude), v.of_bits(v.isplat(magic)));
        let subnormal = v.isub(v.bits(sum), v.isplat(magic));
        let rounded = v.pick_gt(v.isplat(smallest_normal << 23), magnitude, subnormal, normal);
        *code = v.ior(rounded, v.iand(v.sign(bits), v.isplat(0x80)));
    }
    codes
}

/// [`CastOp`] on sources that f32 holds exactly, its lengths checked.
pub(super) struct Cast<'a>(pub(super) CastOp<'a>);

impl Kernel for Cast<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let CastOp { source, start, to, saturate, destination, mut stats } = self.0;
        let width = to.width() as usize;
        let (mut wide, mut decoded) = (Buffer::new(), Buffer::new());
        for from in (0..source.len()).step_by(TILE) {
            let piece = source.slice(from, from + TILE);
            prefetch(v, source.slice(from + TILE, from + 2 * TILE).bytes());
            let data = widen(v, piece, &mut wide);
            let written = &mut destination[from * width..(from + piece.len()) * width];
            let mut clipped = 0;
            if !narrow_tile(v, to, data, written) {
                clipped = by_element(piece, start + from as u64, to, saturate, written)?;
            }
            if let Some(stats) = stats.as_deref_mut() {
                stats.clipped += clipped;
                let decoded = decoded.values(piece.len());
                widen_into(v, Source::new(to, written)?, decoded);
                add_tiles(v, data, decoded, stats);
            }
        }
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn by_element(
    source: Source<'_>,
    start: u64,
    to: DType,
    saturate: bool,
    destination: &mut [u8],
) -> Result<u64, KernelError> {
    let mut clipped = 0;
    for (index, element) in destination.chunks_exact_mut(to.width() as usize).enumerate() {
        clipped += u64::from(cast_element(source, index, start, to, saturate, element)?);
    }
    Ok(clipped)
}
