//! Zeros by magnitude, written where the elements lie.

use super::lanes::{Kernel, Lanes};
use super::stored::{Bf16, F16, F32, Stored};
use super::tile::{INFINITY_BITS, MAGNITUDE};
use crate::backend::{CountTiesOp, KeepNOfMOp, ZeroBelowOp};
use crate::reference::{keep_n_of_m, zero_below};
use crate::{DType, KernelError, Source};

/// Elements that stay in the first-level cache between the look for what is not finite and the rewriting.
const PIECE: usize = 2048;

/// Whether the kernels here know the type.
pub(super) const fn has(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::Bf16 | DType::F16)
}

/// [`ZeroBelowOp`] of a type that [`has`] knows, its lengths checked.
pub(super) struct ZeroBelow<'a>(pub(super) ZeroBelowOp<'a>);

impl Kernel for ZeroBelow<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        match self.0.dtype {
            DType::Bf16 => zero::<V, Bf16>(v, self.0),
            DType::F16 => zero::<V, F16>(v, self.0),
            _ => zero::<V, F32>(v, self.0),
        }
    }
}

#[inline(always)]
fn zero<V: Lanes, S: Stored>(v: V, op: ZeroBelowOp<'_>) -> Result<(), KernelError> {
    let ZeroBelowOp { dtype, bytes, start, threshold, ties, zeroed } = op;
    let width = dtype.width() as usize;
    let magnitude = v.isplat(MAGNITUDE);
    // nothing is below 0 or a NaN, and only 0 equals -0
    let limit = if threshold >= 0.0 { threshold.abs().to_bits() as i32 } else { -1 };
    let (below, at) = (v.isplat(limit.max(0) - 1), v.isplat(limit));
    let nothing = v.isplat(0);
    let mut index = start;
    for piece in bytes.chunks_mut(PIECE * width) {
        check::<V, S>(v, piece, index)?;
        index += (piece.len() / width) as u64;
        if limit < 0 {
            continue;
        }
        let mut pairs = piece.chunks_exact_mut(2 * V::N * width);
        for pair in &mut pairs {
            let x = [S::load(v, &pair[..V::N * width]), S::load(v, &pair[V::N * width..])];
            let bits = [v.bits(x[0]), v.bits(x[1])];
            let m = [v.iand(bits[0], magnitude), v.iand(bits[1], magnitude)];
            let above = v.mask_gt(m[0], at) | v.mask_gt(m[1], at) << V::N;
            let from = v.mask_gt(m[0], below) | v.mask_gt(m[1], below) << V::N;
            let equal = u64::from((from ^ above).count_ones());
            let (bound, kept) = if equal <= *ties {
                *ties -= equal;
                (at, above)
            } else if *ties == 0 {
                (below, from)
            } else {
                // the ties end among these
                zero_below(ZeroBelowOp { dtype, bytes: pair, start, threshold, ties, zeroed })?;
                continue;
            };
            *zeroed += 2 * V::N as u64 - u64::from(kept.count_ones());
            let kept = [v.pick_gt(m[0], bound, bits[0], nothing), v.pick_gt(m[1], bound, bits[1], nothing)];
            S::store(v, [v.of_bits(kept[0]), v.of_bits(kept[1])], pair);
        }
        let rest = pairs.into_remainder();
        zero_below(ZeroBelowOp { dtype, bytes: rest, start, threshold, ties, zeroed })?;
    }
    Ok(())
}

/// An error for what is not finite.
#[inline(always)]
fn check<V: Lanes, S: Stored>(v: V, piece: &[u8], start: u64) -> Result<(), KernelError> {
    let width = S::DTYPE.width() as usize;
    let magnitude = v.isplat(MAGNITUDE);
    let mut largest = [v.isplat(0); 2];
    let pairs = piece.chunks_exact(2 * V::N * width);
    let rest = Source::new(S::DTYPE, pairs.remainder())?;
    for pair in pairs {
        largest[0] = v.imax(largest[0], v.iand(v.bits(S::load(v, &pair[..V::N * width])), magnitude));
        largest[1] = v.imax(largest[1], v.iand(v.bits(S::load(v, &pair[V::N * width..])), magnitude));
    }
    if v.largest(v.imax(largest[0], largest[1])) >= INFINITY_BITS || rest.weights().any(|w| !w.is_finite()) {
        Source::new(S::DTYPE, piece)?.check(start)?;
    }
    Ok(())
}

/// Whether the kernel knows the pattern: neighbours that one shuffle reaches.
pub(super) const fn has_pattern(m: usize) -> bool {
    matches!(m, 2 | 4)
}

/// [`KeepNOfMOp`] of a type that [`has`] knows and a pattern that [`has_pattern`] knows, its lengths checked.
///
/// An element stays when fewer than `n` of its neighbours are larger, or as large and before it.
pub(super) struct KeepNOfM<'a>(pub(super) KeepNOfMOp<'a>);

impl Kernel for KeepNOfM<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        match (self.0.dtype, self.0.m) {
            (DType::Bf16, 2) => keep::<V, Bf16, true>(v, self.0),
            (DType::Bf16, _) => keep::<V, Bf16, false>(v, self.0),
            (DType::F16, 2) => keep::<V, F16, true>(v, self.0),
            (DType::F16, _) => keep::<V, F16, false>(v, self.0),
            (_, 2) => keep::<V, F32, true>(v, self.0),
            _ => keep::<V, F32, false>(v, self.0),
        }
    }
}

#[inline(always)]
fn keep<V: Lanes, S: Stored, const PAIRS: bool>(v: V, op: KeepNOfMOp<'_>) -> Result<(), KernelError> {
    let KeepNOfMOp { dtype, bytes, start, n, m, zeroed } = op;
    let width = dtype.width() as usize;
    let wanted = v.isplat(n.min(m) as i32);
    // 1 where the neighbour that a shuffle brings comes before the element
    let before = [earlier(v, &[0, 0, 0, 1]), earlier(v, &[0, 0, 1, 1]), earlier(v, &[0, 1, 1, 1])];
    let second = earlier(v, &[0, 1, 0, 1]);
    let mut index = start;
    for piece in bytes.chunks_mut(PIECE * width) {
        check::<V, S>(v, piece, index)?;
        index += (piece.len() / width) as u64;
        let mut pairs = piece.chunks_exact_mut(2 * V::N * width);
        *zeroed += (pairs.len() * 2 * V::N / m * m.saturating_sub(n)) as u64;
        for pair in &mut pairs {
            let mut kept = [v.splat(0.0); 2];
            for (part, kept) in kept.iter_mut().enumerate() {
                let bits = v.bits(S::load(v, &pair[part * V::N * width..]));
                let a = v.iand(bits, v.isplat(MAGNITUDE));
                let (nothing, one) = (v.isplat(0), v.isplat(1));
                let larger = if PAIRS {
                    v.pick_gt(v.shuffle_fours::<0b10_11_00_01>(a), v.isub(a, second), one, nothing)
                } else {
                    // 1, 2 and 3 places on, around the end
                    let next = v.shuffle_fours::<0b00_11_10_01>(a);
                    let across = v.shuffle_fours::<0b01_00_11_10>(a);
                    let previous = v.shuffle_fours::<0b10_01_00_11>(a);
                    let first = v.pick_gt(next, v.isub(a, before[0]), one, nothing);
                    let second = v.pick_gt(across, v.isub(a, before[1]), one, nothing);
                    let third = v.pick_gt(previous, v.isub(a, before[2]), one, nothing);
                    v.iadd(v.iadd(first, second), third)
                };
                *kept = v.of_bits(v.pick_gt(wanted, larger, bits, nothing));
            }
            S::store(v, kept, pair);
        }
        let rest = pairs.into_remainder();
        keep_n_of_m(KeepNOfMOp { dtype, bytes: rest, start, n, m, zeroed })?;
    }
    Ok(())
}

/// Four lanes' numbers in all fours.
#[inline(always)]
fn earlier<V: Lanes>(v: V, four: &[u32; 4]) -> V::I {
    let mut bytes = [0; 64];
    for (lane, bytes) in bytes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *bytes = four[lane % 4].to_le_bytes();
    }
    v.bits(v.load(&bytes))
}

/// [`CountTiesOp`] of a type that [`has`] knows.
pub(super) struct CountTies<'a>(pub(super) CountTiesOp<'a>);

impl Kernel for CountTies<'_> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) {
        match self.0.source.dtype() {
            DType::Bf16 => ties::<V, Bf16>(v, self.0),
            DType::F16 => ties::<V, F16>(v, self.0),
            _ => ties::<V, F32>(v, self.0),
        }
    }
}

#[inline(always)]
fn ties<V: Lanes, S: Stored>(v: V, op: CountTiesOp<'_>) {
    // nothing equals them
    if op.magnitude.is_nan() || op.magnitude < 0.0 {
        return;
    }
    let bits = op.magnitude.abs().to_bits() as i32;
    let (below, at, magnitude) = (v.isplat(bits - 1), v.isplat(bits), v.isplat(MAGNITUDE));
    let vectors = op.source.bytes().chunks_exact(V::N * S::DTYPE.width() as usize);
    let done = vectors.len() * V::N;
    for vector in vectors {
        let m = v.iand(v.bits(S::load(v, vector)), magnitude);
        *op.count += u64::from((v.mask_gt(m, below) ^ v.mask_gt(m, at)).count_ones());
    }
    let rest = op.source.slice(done, op.source.len());
    *op.count += rest.weights().filter(|w| w.abs() == op.magnitude).count() as u64;
}
