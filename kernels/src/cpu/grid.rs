//! Squared errors of the candidates of `clip: mse`.

use super::lanes::{Kernel, Lanes};
use super::tile::{Buffer, INFINITY_BITS, MAGNITUDE, largest_bits, value, widen};
use crate::KernelError;
use crate::backend::GridErrorsOp;
use crate::format::Int;
use crate::reference::{candidates, squared_error};
use crate::scale::GroupCode;
use crate::stats::TILE;

/// [`GridErrorsOp`], its lengths checked.
pub(super) struct GridErrors<'a>(pub(super) GridErrorsOp<'a>);

impl Kernel for GridErrors<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn with<V: Lanes>(self, v: V) -> Self::Output {
        let GridErrorsOp { source, start, groups, int, extents, sums } = self.0;
        let mut wide = Buffer::new();
        for from in (0..source.len()).step_by(TILE) {
            let piece = source.slice(from, from + TILE);
            let data = widen(v, piece, &mut wide);
            if largest_bits(v, data) >= INFINITY_BITS {
                piece.check(start + from as u64)?;
            }
            for run in groups.runs(start + from as u64, piece.len()) {
                let absmax = extents[run.group].absmax();
                if absmax == 0.0 {
                    continue;
                }
                let data = &data[4 * run.offset..4 * (run.offset + run.length)];
                let sums = sums[run.group].iter_mut();
                for (sum, code) in sums.zip(candidates(&int, extents[run.group])) {
                    *sum = match code {
                        Some(code) => sum.saturating_add(errors(v, &int, &code, data, absmax)),
                        None => u64::MAX,
                    };
                }
            }
        }
        Ok(())
    }
}

/// The sum over at most a tile. Units are below 2^17 and their squares below 2^34, so that sums of doubles are exact.
#[inline(always)]
fn errors<V: Lanes>(v: V, int: &Int, code: &GroupCode, data: &[u8], absmax: f32) -> u64 {
    let top = int.top();
    let (least, most) = (v.isplat(if int.symmetric { -top } else { 0 }), v.isplat(top));
    let (divisor, scale, zero) = (v.splat(code.divisor()), v.splat(code.scale), v.isplat(code.zero));
    let (unit, absmax_lanes) = (v.splat(65536.0), v.splat(absmax));
    let mut total = [v.dzero(); 2];
    let vectors = data.chunks_exact(4 * V::N);
    let rest = vectors.remainder();
    for vector in vectors {
        let x = v.load(vector);
        let quotient = v.max(v.min(v.div(x, divisor), v.splat(512.0)), v.splat(-512.0));
        let encoded = v.imin(v.imax(v.iadd(v.round(quotient), zero), least), most);
        let decoded = v.mul(v.float(v.isub(encoded, zero)), scale);
        let error = v.of_bits(v.iand(v.bits(v.sub(x, decoded)), v.isplat(MAGNITUDE)));
        let units = v.doubles(v.float(v.round(v.mul(v.div(error, absmax_lanes), unit))));
        for (total, units) in total.iter_mut().zip(units) {
            *total = v.dadd(*total, v.dmul(units, units));
        }
    }
    let mut lanes = [0.0; 16];
    v.dstore(total[0], &mut lanes);
    v.dstore(total[1], &mut lanes[V::N / 2..]);
    let whole = lanes.iter().sum::<f64>() as u64;
    (0..rest.len() / 4).fold(whole, |sum, index| sum + squared_error(int, code, value(rest, index), absmax))
}
