//! Linear layers and embeddings.

use super::fused::{Inputs, Prepare, Rows, Way, way};
use super::gemm::{Matrix, product};
use super::parallel::{self, Shared, try_pieces};
use super::weight::Weight;
use super::{expect_matrix, scalar};
use crate::error::expect_length;
use crate::{Cpu, KernelError};
use std::ops::Range;

/// Tokens up to which a product reads a weight as it is stored; with more, tiles of it are decoded to f32.
pub const FEW: usize = 8;

/// Bytes of a weight, about, that one thread takes at a time.
const PIECE: usize = 1 << 17;

/// `y[t, o] = Σ x[t, i] w[o, i] + bias[o]`: `x` is `[tokens, columns of w]`, `y` is `[tokens, rows of w]`.
///
/// Each sum is taken over i as [`super`] says, and the bias added at its end. So a token's outputs do not depend on the
/// others, but for whether there are more than [`FEW`].
///
/// # Errors
/// [`KernelError::Length`]: `x`, `bias` or `y` do not fit.
pub fn linear(
    cpu: &Cpu,
    tokens: usize,
    x: &[f32],
    w: &Weight<'_>,
    bias: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    expect_matrix("input of a linear layer", tokens, w.columns(), x)?;
    expect_matrix("output of a linear layer", tokens, w.rows(), y)?;
    if let Some(bias) = bias {
        expect_length("bias", w.rows(), bias.len())?;
    }
    if y.is_empty() {
        return Ok(());
    }
    if w.columns() == 0 {
        y.chunks_exact_mut(w.rows()).for_each(|y| match bias {
            Some(bias) => y.copy_from_slice(bias),
            None => y.fill(0.0),
        });
        return Ok(());
    }
    let shared = Shared::new(y);
    if tokens > FEW {
        return many(cpu, tokens, x, w, bias, &shared);
    }
    few(cpu, tokens, x, w, bias, &shared)
}

fn few(
    cpu: &Cpu,
    tokens: usize,
    x: &[f32],
    w: &Weight<'_>,
    bias: Option<&[f32]>,
    y: &Shared<'_>,
) -> Result<(), KernelError> {
    let stride = w.rows();
    let decoded = way(w) == Way::Decoded;
    // what is decoded is multiplied as the f32 that it is then
    let sample = if decoded { Weight::dense(&[], 0, w.columns())? } else { *w };
    let inputs: Option<Inputs<'_>> = cpu.vector(Prepare { x, weight: sample, tokens });
    let take = |rows: Range<usize>| -> Result<(), KernelError> {
        let bias = bias.map(|bias| &bias[rows.clone()]);
        let at = rows.start;
        match &inputs {
            Some(inputs) if !decoded => {
                cpu.vector(Rows { weight: w, rows, x: inputs, bias, y, at, stride });
            }
            Some(inputs) => {
                let mut values = vec![0.0; rows.len() * w.columns()];
                w.decode(cpu, rows.clone(), &mut values)?;
                let weight = Weight::dense(&values, rows.len(), w.columns())?;
                cpu.vector(Rows { weight: &weight, rows: 0..rows.len(), x: inputs, bias, y, at, stride });
            }
            None => {
                let mut values = vec![0.0; w.columns()];
                for (number, row) in rows.enumerate() {
                    w.decode(cpu, row..row + 1, &mut values)?;
                    for (token, x) in x.chunks_exact(w.columns()).enumerate() {
                        let sum = scalar::dot(&values, x);
                        let sum = bias.map_or(sum, |bias| sum + bias[number]);
                        // SAFETY: the elements of these rows are this piece's alone.
                        unsafe { y.set(token * stride + row, sum) };
                    }
                }
            }
        }
        Ok(())
    };
    let rows = (PIECE / w.row_bytes().max(1)).max(1);
    let count = w.rows().div_ceil(rows);
    let work = tokens.saturating_mul(w.columns()).saturating_mul(w.rows());
    try_pieces(count, work, |piece| take(piece * rows..w.rows().min((piece + 1) * rows)))
}

/// Rows of a tile, of which each output is one, and the tile of the last ones.
fn tile_rows(w: &Weight<'_>) -> usize {
    ((1 << 18) / w.columns().max(1)).clamp(64, 128)
}

fn many(
    cpu: &Cpu,
    tokens: usize,
    x: &[f32],
    w: &Weight<'_>,
    bias: Option<&[f32]>,
    y: &Shared<'_>,
) -> Result<(), KernelError> {
    let (columns, stride, tile) = (w.columns(), w.rows(), tile_rows(w));
    let by_column = transpose(x, columns);
    let x = Matrix::rows(&by_column, columns, tokens).transposed();
    let take = |piece: usize| -> Result<(), KernelError> {
        let rows = piece * tile..w.rows().min((piece + 1) * tile);
        // rows a power of two apart would take each other's places in the cache
        let padded = columns + 16;
        let mut decoded = vec![0.0; rows.len() * padded];
        for (row, values) in rows.clone().zip(decoded.chunks_exact_mut(padded)) {
            w.decode(cpu, row..row + 1, &mut values[..columns])?;
        }
        let weight =
            Matrix { row_stride: padded, ..Matrix::rows(&decoded, rows.len(), columns) }.transposed();
        let mut outputs = vec![0.0; tokens * rows.len()];
        // SAFETY: nobody else has the outputs of this piece.
        unsafe { product(x, weight, &Shared::new(&mut outputs), 0, rows.len()) };
        for (token, outputs) in outputs.chunks_exact(rows.len()).enumerate() {
            // SAFETY: the columns of these rows are this piece's alone.
            let y = unsafe { y.part(token * stride + rows.start, rows.len()) };
            match bias {
                Some(bias) => {
                    let sums = outputs.iter().zip(&bias[rows.clone()]);
                    y.iter_mut().zip(sums).for_each(|(y, (output, bias))| *y = output + bias);
                }
                None => y.copy_from_slice(outputs),
            }
        }
        Ok(())
    };
    try_pieces(w.rows().div_ceil(tile), tokens.saturating_mul(columns).saturating_mul(w.rows()), take)
}

/// `[rows, columns]` as `[columns, rows]`.
fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    let mut turned = vec![0.0; values.len()];
    parallel::runs(&mut turned, 16 * rows, 1, |block, turned| {
        for (row, values) in values.chunks_exact(columns).enumerate() {
            for (values, place) in values[16 * block..].iter().zip(turned.chunks_exact_mut(rows)) {
                place[row] = *values;
            }
        }
    });
    turned
}

/// Rows of `w`: `y` is `[ids, columns of w]`. No other row is read.
///
/// # Errors
/// [`KernelError::Length`], and [`KernelError::OutOfRange`] at the first id that has no row.
pub fn embed(cpu: &Cpu, ids: &[u32], w: &Weight<'_>, y: &mut [f32]) -> Result<(), KernelError> {
    expect_matrix("output of an embedding", ids.len(), w.columns(), y)?;
    if let Some(position) = ids.iter().position(|&id| id as usize >= w.rows()) {
        let (index, limit) = (u64::from(ids[position]), w.rows() as u64);
        return Err(KernelError::OutOfRange { what: "token id", position: position as u64, index, limit });
    }
    if y.is_empty() {
        return Ok(());
    }
    let (columns, shared) = (w.columns(), Shared::new(y));
    let piece = (PIECE / 4 / columns).max(1);
    try_pieces(ids.len().div_ceil(piece), ids.len() * columns, |number| {
        ids.iter().enumerate().skip(number * piece).take(piece).try_for_each(|(token, &id)| {
            // SAFETY: each token's row is written once.
            let row = unsafe { shared.part(token * columns, columns) };
            w.decode(cpu, id as usize..id as usize + 1, row)
        })
    })
}
