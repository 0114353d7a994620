//! Linear layers and embeddings.

use super::fused::{Inputs, Prepare, Rows, Way, way};
use super::gemm::{Matrix, product};
use super::parallel::{Shared, try_pieces};
use super::weight::{Stored, Weight};
use super::{expect_matrix, scalar};
use crate::error::expect_length;
use crate::{Cpu, DType, KernelError};
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
    let work = tokens * w.columns() * w.rows();
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
    let x = Matrix::rows(x, tokens, columns);
    let take = |piece: usize| -> Result<(), KernelError> {
        let rows = piece * tile..w.rows().min((piece + 1) * tile);
        let mut decoded = Vec::new();
        let values = match floats(w, rows.clone()) {
            Some(values) => values,
            None => {
                decoded.resize(rows.len() * columns, 0.0);
                w.decode(cpu, rows.clone(), &mut decoded)?;
                &decoded
            }
        };
        let weight = Matrix::rows(values, rows.len(), columns).transposed();
        // SAFETY: the columns of these rows are this piece's alone.
        unsafe { product(x, weight, y, rows.start, stride) };
        if let Some(bias) = bias {
            for token in 0..tokens {
                // SAFETY: as above, and the product is done.
                let y = unsafe { y.part(token * stride + rows.start, rows.len()) };
                y.iter_mut().zip(&bias[rows.clone()]).for_each(|(y, bias)| *y += bias);
            }
        }
        Ok(())
    };
    try_pieces(w.rows().div_ceil(tile), tokens * columns * w.rows(), take)
}

/// The rows as they lie in memory, where they are f32 and aligned.
fn floats<'a>(w: &Weight<'a>, rows: Range<usize>) -> Option<&'a [f32]> {
    let Stored::Floats(source) = &w.stored else { return None };
    if source.dtype() != DType::F32 || cfg!(target_endian = "big") {
        return None;
    }
    let bytes = source.slice(w.start(rows.start), w.start(rows.end)).bytes();
    // SAFETY: any 4 bytes are an f32; `align_to` cuts where they are aligned.
    let (before, values, after) = unsafe { bytes.align_to::<f32>() };
    (before.is_empty() && after.is_empty()).then_some(values)
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
