//! Sums of |w| and w² over pieces of slices.
//!
//! A piece's terms are added in the order of their indices. Pieces do not depend on each other, so they become the columns
//! of a matrix whose rows are added one after the other. Squares of f32 are exact in f64, so that an addition rounds once
//! however it is compiled. What is shorter than the longest piece is filled up with 0, which changes no sum of terms
//! without sign.

use super::Torch;
use super::tensors::largest;
use crate::KernelError;
use crate::backend::NormsOp;
use crate::reference::check;
use crate::stats::TILE;
use tch::{Kind, Tensor};

/// Elements of one piece, counted from the start of the range, and where its sums go.
struct Run {
    at: usize,
    length: usize,
    slot: usize,
}

pub(super) fn norms(torch: &Torch, op: NormsOp<'_>) -> Result<(), KernelError> {
    check::norms(&op)?;
    // SAFETY: `op` borrows its source for longer than the tensors of this function live
    let weights = unsafe { torch.tensors.weights(op.source) }?;
    if !largest(&weights)?.is_finite() {
        op.source.check(op.start)?;
    }
    op.sums.fill([0.0; 2]);
    let (slots, mut runs) = (NormsOp::slots(op.groups), Vec::new());
    for (tile, from) in (0..op.source.len()).step_by(TILE).enumerate() {
        let found = op.groups.runs(op.start + from as u64, TILE.min(op.source.len() - from)).enumerate();
        runs.extend(found.map(|(slot, run)| Run {
            at: from + run.offset,
            length: run.length,
            slot: tile * slots + slot,
        }));
    }
    let terms = columns(torch, &weights.f_abs()?, &runs)?;
    let options = (Kind::Double, torch.tensors.device);
    let (mut l1, mut squares) =
        (Tensor::f_zeros([runs.len() as i64], options)?, Tensor::f_zeros([runs.len() as i64], options)?);
    for row in terms {
        let _ = l1.f_add_(&row)?;
        let _ = squares.f_addcmul_(&row, &row)?;
    }
    let sums = |tensor: &Tensor| -> Result<Vec<f64>, KernelError> {
        let mut values = vec![0.0; runs.len()];
        tensor.f_copy_data(&mut values, runs.len())?;
        Ok(values)
    };
    for (run, pair) in runs.iter().zip(sums(&l1)?.into_iter().zip(sums(&squares)?)) {
        op.sums[run.slot] = pair.into();
    }
    Ok(())
}

/// The rows of a matrix in f64 with a run in each column.
fn columns(torch: &Torch, flat: &Tensor, runs: &[Run]) -> Result<Vec<Tensor>, KernelError> {
    let length = runs.iter().map(|run| run.length).max().unwrap_or(0);
    let even = |(number, run): (usize, &Run)| run.at == number * length;
    let matrix = if runs.iter().enumerate().all(even) {
        let missing = runs.len() * length - flat.numel();
        flat.f_constant_pad_nd([0, missing as i64])?
    } else {
        // each column's places; those beyond its run are of one more element, which is 0
        let column = |values: Vec<i64>| -> Result<Tensor, KernelError> {
            Ok(torch.tensors.copy(&values)?.f_reshape([-1, 1])?)
        };
        let begins = column(runs.iter().map(|run| run.at as i64).collect())?;
        let lengths = column(runs.iter().map(|run| run.length as i64).collect())?;
        let steps = Tensor::f_arange(length as i64, (Kind::Int64, torch.tensors.device))?;
        let within = steps.f_lt_tensor(&lengths)?;
        let places = begins.f_add(&steps)?.f_where_scalarother(&within, flat.numel() as i64)?;
        flat.f_constant_pad_nd([0i64, 1])?.f_index_select(0, &places.f_flatten(0, -1)?)?
    };
    let matrix =
        matrix.f_reshape([runs.len() as i64, length as i64])?.f_transpose(0, 1)?.f_to_kind(Kind::Double)?;
    Ok(matrix.f_contiguous()?.f_unbind(0)?)
}
