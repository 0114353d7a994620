//! `clip: mse`: the squared errors of every candidate, as integers, whose sums no order can change.

use super::Torch;
use super::int::{Grid, encode};
use super::pieces::pieces;
use super::tensors::largest;
use crate::backend::{Backend, GridErrorsOp, Op};
use crate::reference::{candidates, check};
use crate::scale::{GRID, GroupCode};
use crate::{KernelError, Reference};
use tch::{Kind, Tensor};

/// Units of 2⁻¹⁶ in the largest error that a whole extent allows.
const UNITS: f64 = 65536.0;

pub(super) fn grid_errors(torch: &Torch, op: GridErrorsOp<'_>) -> Result<(), KernelError> {
    check::grid_errors(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    if !largest(&weights)?.is_finite() {
        op.source.check(op.start)?;
    }
    let mut found = Vec::new();
    for piece in pieces(op.groups, op.start, op.source.len()) {
        let extents = &op.extents[piece.groups()];
        let grids: Vec<[Option<GroupCode>; GRID]> =
            extents.iter().map(|extent| candidates(&op.int, *extent)).collect();
        let absmax: Vec<f32> = extents.iter().map(|extent| extent.absmax()).collect();
        let values = piece.of(&weights)?;
        let unit = torch.tensors.copy(&absmax)?.f_reshape([-1, 1])?;
        // extents that do not hold their values: sums could pass 64 bits, which end there in the reference only
        if values.f_abs()?.f_gt_tensor(&unit)?.f_any()?.f_int64_value(&[])? != 0 {
            return Reference.run(Op::GridErrors(op));
        }
        let mut sums = Vec::with_capacity(GRID);
        for candidate in 0..GRID {
            let codes: Vec<GroupCode> =
                grids.iter().map(|grid| grid[candidate].unwrap_or_default()).collect();
            sums.push(squared_errors(&values, &Grid::new(torch, &codes)?, &op, &unit)?);
        }
        let sums = Tensor::f_stack(&sums, 0)?;
        let mut flat = vec![0i64; sums.numel()];
        sums.f_copy_data(&mut flat, sums.numel())?;
        found.push((piece, grids, absmax, flat));
    }
    for (piece, grids, absmax, flat) in found {
        for (row, group) in piece.groups().enumerate().filter(|(row, _)| absmax[*row] != 0.0) {
            for (candidate, sum) in op.sums[group].iter_mut().enumerate() {
                *sum = match grids[row][candidate] {
                    Some(_) => sum.saturating_add(flat[candidate * piece.rows + row] as u64),
                    None => u64::MAX,
                };
            }
        }
    }
    Ok(())
}

/// Per row of `values`: the sum of the squared errors in units of the row's absmax.
fn squared_errors(
    values: &Tensor,
    grid: &Grid,
    op: &GridErrorsOp<'_>,
    absmax: &Tensor,
) -> Result<Tensor, KernelError> {
    let decoded = grid.decode(&encode(&op.int, values, grid)?)?;
    let error = values.f_sub(&decoded)?.f_abs()?;
    let units = error.f_div(absmax)?.f_mul_scalar(UNITS)?.f_round()?.f_to_kind(Kind::Int64)?;
    Ok(units.f_mul(&units)?.f_sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Int64)?)
}
