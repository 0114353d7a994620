//! Products of 8-bit integers: inputs are rounded on the device, whatever their scale depends on, so that nothing waits for it.

use super::super::sources::INTEGER;
use super::linear::{FEW, THREADS, TILE, TILE_THREADS, WARPS};
use super::memory::{Bytes, Floats, Ids};
use super::weight::rounding;
use super::{Call, Device, DeviceWeight};
use crate::KernelError;
use crate::error::expect_length;
use crate::model::{ActivationScale, MOST, NO_INTEGERS, TOO_MANY, check_scale, product_of};

/// Rows of inputs as codes on a device.
#[derive(Clone)]
pub struct RoundedInputs {
    rows: usize,
    columns: usize,
    /// Bytes from a row to the next.
    pitch: usize,
    codes: Bytes,
    scales: Floats,
}

impl std::fmt::Debug for RoundedInputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoundedInputs")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl RoundedInputs {
    /// The words that tell kernels where they lie: codes, their pitch, scales.
    pub(super) fn words(&self) -> [u64; 3] {
        [self.codes.address(), self.pitch as u64, self.scales.address()]
    }
}

/// How rows are rounded that experts multiply, each as its own matrix says: the words of the table, and which experts rows have.
pub(super) struct OfExperts<'a> {
    pub table: &'a Bytes,
    pub each: usize,
    pub member: u64,
    pub count: usize,
    pub experts: &'a Ids,
    /// So many rows are one of `x`.
    pub share: usize,
    /// Whether some matrix rounds all its rows together.
    pub together: bool,
}

impl Device {
    /// Round the inputs of products, as [`crate::model::round_inputs`] does, whose codes these are less their zero point. A row with
    /// NaN or infinity has a scale that is NaN; with [`ActivationScale::Whole`] all rows have, then.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`]; [`KernelError::Malformed`]: a scale that is no positive number.
    pub fn round_inputs(
        &self,
        columns: usize,
        x: &Floats,
        scale: ActivationScale,
    ) -> Result<RoundedInputs, KernelError> {
        check_scale(scale)?;
        let rows = x.len().checked_div(columns).unwrap_or(0);
        expect_length("inputs to round", product_of("inputs to round", rows, columns)?, x.len())?;
        let together = scale == ActivationScale::Whole;
        let [kind, step] = rounding(Some(scale));
        self.round(rows, columns, x, together.then_some(1), &[kind, step, 0, 0, 0, 0, 1])
    }

    /// The same for what experts multiply: rows are pairs of a token and a slot.
    pub(super) fn round_for_experts(
        &self,
        columns: usize,
        x: &Floats,
        of: &OfExperts<'_>,
    ) -> Result<RoundedInputs, KernelError> {
        let (table, each, experts) = (of.table.address(), of.each as u64, of.experts.address());
        let words = [0, 0, table, each, of.member, experts, of.share as u64];
        self.round(of.experts.len(), columns, x, of.together.then_some(of.count), &words)
    }

    /// With `ranges` of rows that are rounded together.
    fn round(
        &self,
        rows: usize,
        columns: usize,
        x: &Floats,
        ranges: Option<usize>,
        how: &[u64; 7],
    ) -> Result<RoundedInputs, KernelError> {
        let pitch = columns.next_multiple_of(16);
        let codes = self.byte_room(product_of("codes of inputs", rows, pitch)?)?;
        let scales = self.room(rows)?;
        let kept = ranges.map(|count| self.zero_ids(2 * count)).transpose()?;
        let ranges = kept.as_ref().map_or(0, Ids::address);
        let mut words = vec![x.address(), columns as u64, pitch as u64, codes.address(), scales.address()];
        words.push(ranges);
        words.extend(how);
        let (family, blocks, threads) = (INTEGER, rows as u64, THREADS);
        if kept.is_some() {
            let kernel = "range_of_inputs";
            self.launch(&Call { family, kernel, blocks, threads, words: &words })?;
        }
        self.launch(&Call { family, kernel: "round_inputs", blocks, threads, words: &words })?;
        Ok(RoundedInputs { rows, columns, pitch, codes, scales })
    }

    /// Wait for codes and scales of inputs.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    pub fn download_rounded(&self, inputs: &RoundedInputs) -> Result<(Vec<i8>, Vec<f32>), KernelError> {
        let (mut padded, mut scales) = (vec![0; inputs.rows * inputs.pitch], vec![0.0; inputs.rows]);
        self.read(&mut [
            (inputs.codes.address(), &mut padded),
            (inputs.scales.address(), crate::model::bytes_of_mut(&mut scales)),
        ])?;
        let rows = padded.chunks_exact(inputs.pitch.max(1));
        let codes = rows.flat_map(|row| row.iter().take(inputs.columns).map(|code| code.cast_signed()));
        Ok((codes.collect(), scales))
    }

    /// [`Device::linear`] with inputs that are rounded; lengths were compared.
    pub(super) fn linear_rounded(
        &self,
        tokens: usize,
        x: &Floats,
        w: &DeviceWeight,
        scale: ActivationScale,
        bias: Option<&Floats>,
    ) -> Result<Floats, KernelError> {
        check(w)?;
        check_scale(scale)?;
        let y = self.matrix(tokens, w.rows())?;
        if y.is_empty() {
            return Ok(y);
        }
        if w.columns() == 0 {
            return self.linear(tokens, x, &w.clone().with_inputs(None), bias);
        }
        let inputs = self.round_inputs(w.columns(), x, scale)?;
        let mut words = w.words().to_vec();
        words.extend(inputs.words());
        words.extend([bias.map_or(0, Floats::address), y.address(), tokens as u64]);
        let rows = w.rows() as u64;
        let (kernel, blocks, threads) = match tokens {
            _ if tokens > FEW => {
                let tiles = (tokens as u64).div_ceil(TILE) * rows.div_ceil(TILE);
                ("integer_product", tiles, TILE_THREADS)
            }
            _ if !w.columns().is_multiple_of(16) => ("integer_any", rows.div_ceil(WARPS), THREADS),
            1 => ("integer_1", rows.div_ceil(4 * WARPS), THREADS),
            2..=4 => ("integer_4", rows.div_ceil(4 * WARPS), THREADS),
            _ => ("integer_8", rows.div_ceil(2 * WARPS), THREADS),
        };
        self.launch(&Call { family: INTEGER, kernel, blocks, threads, words: &words })?;
        Ok(y)
    }
}

/// Whether integers are multiplied with this weight, as [`crate::model::linear_int8`] has it.
pub(super) fn check(w: &DeviceWeight) -> Result<(), KernelError> {
    let wrong = match w.columns() {
        _ if !w.is_integer() => NO_INTEGERS,
        columns if columns > MOST => TOO_MANY,
        _ => return Ok(()),
    };
    Err(KernelError::Malformed { what: wrong })
}
