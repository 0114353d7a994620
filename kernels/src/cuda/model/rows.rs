//! What looks at a whole row: norms, softmax, mean, losses.

use super::super::sources::ROWS;
use super::memory::{Floats, Ids};
use super::{Call, Device};
use crate::KernelError;
use crate::error::expect_length;
use crate::model::{TokenLoss, product_of};

/// Threads of a block, which has a row.
const THREADS: u32 = 256;

/// Rows of so many values, whole ones.
fn rows(width: usize, x: &Floats) -> Result<usize, KernelError> {
    let count = x.len().checked_div(width).unwrap_or(0);
    expect_length("rows", count * width, x.len())?;
    Ok(count)
}

/// What predictions cost, on the device.
#[derive(Clone, Debug)]
pub struct Losses {
    /// In nats, each rounded to f32.
    pub rounded: Floats,
    losses: Floats,
    hits: Floats,
}

impl Device {
    fn of_rows(&self, kernel: &str, rows: usize, words: &[u64]) -> Result<(), KernelError> {
        self.launch(&Call { family: ROWS, kernel, blocks: rows as u64, threads: THREADS, words })
    }

    fn norm(
        &self,
        x: &Floats,
        weight: &Floats,
        bias: Option<&Floats>,
        eps: f64,
        centred: bool,
    ) -> Result<Floats, KernelError> {
        let (width, rows) = (weight.len(), rows(weight.len(), x)?);
        if let Some(bias) = bias {
            expect_length("bias", width, bias.len())?;
        }
        let y = self.room(x.len())?;
        let bias = bias.map_or(0, Floats::address);
        let (x, weight, to) = (x.address(), weight.address(), y.address());
        let words = [x, weight, bias, to, width as u64, eps.to_bits(), u64::from(centred)];
        self.of_rows("normalise", rows, &words)?;
        Ok(y)
    }

    /// As [`crate::model::layer_norm`].
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn layer_norm(
        &self,
        x: &Floats,
        weight: &Floats,
        bias: Option<&Floats>,
        eps: f64,
    ) -> Result<Floats, KernelError> {
        self.norm(x, weight, bias, eps, true)
    }

    /// As [`crate::model::rms_norm`].
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn rms_norm(&self, x: &Floats, weight: &Floats, eps: f64) -> Result<Floats, KernelError> {
        self.norm(x, weight, None, eps, false)
    }

    /// As [`crate::model::softmax`].
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn softmax(&self, width: usize, x: &Floats) -> Result<Floats, KernelError> {
        let (rows, y) = (rows(width, x)?, self.room(x.len())?);
        self.of_rows("softmax", rows, &[x.address(), y.address(), width as u64])?;
        Ok(y)
    }

    /// As [`crate::model::mean`].
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn mean(&self, width: usize, x: &Floats) -> Result<Floats, KernelError> {
        let rows = rows(width, x)?;
        let y = self.room(rows)?;
        self.of_rows("mean", rows, &[x.address(), y.address(), width as u64])?;
        Ok(y)
    }

    /// As [`crate::model::cross_entropy`]. A target beyond the vocabulary gives NaN.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn cross_entropy(&self, vocab: usize, logits: &Floats, targets: &Ids) -> Result<Losses, KernelError> {
        let count = targets.len();
        expect_length("logits", product_of("logits", count, vocab)?, logits.len())?;
        let (losses, hits, rounded) = (self.room(2 * count)?, self.room(2 * count)?, self.room(count)?);
        let to = [losses.address(), hits.address(), rounded.address()];
        let words = [logits.address(), targets.address(), to[0], to[1], to[2], vocab as u64];
        self.of_rows("cross_entropy", if vocab == 0 { 0 } else { count }, &words)?;
        Ok(Losses { rounded, losses, hits })
    }

    /// Wait for all that was asked for, and get losses.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn download_losses(&self, losses: &Losses) -> Result<Vec<TokenLoss>, KernelError> {
        let count = losses.rounded.len();
        let (mut nats, mut hits) = (vec![0; 8 * count], vec![0; 8 * count]);
        self.read(&mut [(losses.losses.address(), &mut nats), (losses.hits.address(), &mut hits)])?;
        let eights = nats.as_chunks::<8>().0.iter().zip(hits.as_chunks::<8>().0);
        let loss = |(loss, hit): (&[u8; 8], &[u8; 8])| TokenLoss {
            loss: f64::from_le_bytes(*loss),
            hit: u64::from_le_bytes(*hit) != 0,
        };
        Ok(eights.map(loss).collect())
    }
}
