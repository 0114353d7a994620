//! One digit of a radix selection.

use super::lanes::{Kernel, Lanes};
use super::tile::{INFINITY_BITS, MAGNITUDE};
use crate::KernelError;
use crate::backend::CountDigitsOp;

/// Elements widened at a time.
const PIECE: usize = 1024;

/// Bits of a magnitude.
const BITS: u32 = 31;

/// [`CountDigitsOp`], its lengths checked.
pub(super) struct CountDigits<'a>(pub(super) CountDigitsOp<'a>);

impl Kernel for CountDigits<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, _v: V) -> Self::Output {
        let mut op = self.0;
        let mut weights = [0.0f32; PIECE];
        for from in (0..op.source.len()).step_by(PIECE) {
            let piece = op.source.slice(from, from + PIECE);
            let weights = &mut weights[..piece.len()];
            piece.copy_weights(weights);
            let start = op.start + from as u64;
            // no early end, so that this becomes vector instructions
            if weights.iter().fold(0, |largest, w| largest.max(magnitude(*w))) >= INFINITY_BITS {
                piece.check(start)?;
            }
            for run in op.groups.runs(start, weights.len()) {
                count(&mut op, run.group, &weights[run.offset..run.offset + run.length]);
            }
        }
        Ok(())
    }
}

/// Bits of |w|: signed, which vectors compare.
#[inline(always)]
fn magnitude(w: f32) -> i32 {
    w.to_bits() as i32 & MAGNITUDE
}

#[inline(always)]
fn count(op: &mut CountDigitsOp<'_>, group: usize, weights: &[f32]) {
    let (shift, width) = (op.shift, op.width);
    let bins = &mut op.histogram[group << width..(group + 1) << width];
    let mask = (1u32 << width) - 1;
    let digit = |bits: i32| (bits as u32 >> shift & mask) as usize;
    if shift + width == BITS {
        // the common case, without a check of every index
        match <&mut [u64; 1 << 16]>::try_from(&mut *bins) {
            Ok(bins) => weights.iter().for_each(|w| bins[usize::from((magnitude(*w) >> 15) as u16)] += 1),
            Err(_) => weights.iter().for_each(|w| bins[digit(magnitude(*w))] += 1),
        }
        return;
    }
    // later passes look for few values among many
    let low = (op.prefixes[group] << shift << width) as i32;
    let end = low.saturating_add(1 << shift << width);
    let above = &mut op.above[group];
    for weights in weights.chunks(16) {
        if !weights.iter().fold(false, |any, w| any | (magnitude(*w) >= low)) {
            continue;
        }
        let shared = |bits: i32| bits >= low && bits < end;
        if weights.iter().fold(false, |any, w| any | shared(magnitude(*w))) {
            weights
                .iter()
                .map(|w| magnitude(*w))
                .filter(|bits| shared(*bits))
                .for_each(|bits| bins[digit(bits)] += 1);
        }
        if shift == 0 {
            let beyond = weights.iter().map(|w| magnitude(*w)).filter(|bits| *bits >= end);
            *above = beyond.fold(*above, |least, bits| least.min(bits as u32));
        }
    }
}
