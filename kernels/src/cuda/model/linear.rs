//! Linear layers and embeddings.

use super::super::sources::{LINEAR, PRODUCT};
use super::memory::{Floats, Ids};
use super::{Call, Device, DeviceWeight};
use crate::KernelError;
use crate::error::expect_length;
use crate::model::product_of;

/// Tokens up to which a product reads a weight's bytes once for all of them; more go to tensor cores.
pub const FEW: usize = 8;

/// Threads of a block of `linear.cu`, and its warps.
pub(super) const THREADS: u32 = 256;
pub(super) const WARPS: u64 = 8;
/// Tokens, and rows of a weight, of a block of `product.cu`.
pub(super) const TILE: u64 = 64;
/// Threads of a block of `product.cu`.
pub(super) const TILE_THREADS: u32 = 128;

impl Device {
    /// `y[t, o] = Σ x[t, i] w[o, i] + bias[o]`: `x` is `[tokens, columns of w]`, the result is `[tokens, rows of w]`.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`]; where inputs are rounded [`KernelError::Malformed`], as
    /// [`crate::model::linear_int8`].
    pub fn linear(
        &self,
        tokens: usize,
        x: &Floats,
        w: &DeviceWeight,
        bias: Option<&Floats>,
    ) -> Result<Floats, KernelError> {
        let inputs = product_of("input of a linear layer", tokens, w.columns())?;
        expect_length("input of a linear layer", inputs, x.len())?;
        if let Some(bias) = bias {
            expect_length("bias", w.rows(), bias.len())?;
        }
        if let Some(scale) = w.inputs() {
            return self.linear_rounded(tokens, x, w, scale, bias);
        }
        if tokens > FEW
            && let Some(y) = self.linear_by_library(tokens, x, w, bias)?
        {
            return Ok(y);
        }
        let y = self.matrix(tokens, w.rows())?;
        if y.is_empty() {
            return Ok(y);
        }
        let mut words = w.words().to_vec();
        words.extend([x.address(), bias.map_or(0, Floats::address), y.address(), tokens as u64]);
        if tokens > FEW {
            let (tiles, rows) = ((tokens as u64).div_ceil(TILE), (w.rows() as u64).div_ceil(TILE));
            let blocks = tiles * rows;
            let call =
                Call { family: PRODUCT, kernel: "product", blocks, threads: TILE_THREADS, words: &words };
            self.launch(&call)?;
            return Ok(y);
        }
        let of = w.few();
        let (kernel, rows_of_warp) = match (of, tokens) {
            ("any", _) => ("linear_any".to_owned(), 1),
            (_, 1) => (format!("linear_{of}_1"), 4),
            (_, 2..=4) => (format!("linear_{of}_4"), 4),
            _ => (format!("linear_{of}_8"), 2),
        };
        let blocks = (w.rows() as u64).div_ceil(WARPS * rows_of_warp);
        self.launch(&Call { family: LINEAR, kernel: &kernel, blocks, threads: THREADS, words: &words })?;
        Ok(y)
    }

    /// Rows of `w`: `[ids, columns of w]`. An id that has no row gives NaN, since nobody here sees it.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn embed(&self, ids: &Ids, w: &DeviceWeight) -> Result<Floats, KernelError> {
        let y = self.matrix(ids.len(), w.columns())?;
        let mut words = w.words().to_vec();
        words.extend([ids.address(), y.address(), ids.len() as u64]);
        let blocks = if y.is_empty() { 0 } else { (ids.len() as u64).div_ceil(WARPS) };
        self.launch(&Call { family: LINEAR, kernel: "embed", blocks, threads: THREADS, words: &words })?;
        Ok(y)
    }
}
