//! What looks at a whole row: norms, softmax, mean. Sums are in f64, element i in partial sum i mod 8, so that every variant
//! gives the same bits.

use super::elementwise::exp_of;
use super::parallel::{self, Plain};
use crate::error::expect_length;
use crate::{Cpu, KernelError};

const LANES: usize = 8;

/// Lanes added in pairs.
#[inline(always)]
pub(super) fn total(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Σ x.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            lanes[lane] += f64::from(values[lane]);
        }
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &value)| *lane += f64::from(value));
    total(lanes)
}

/// Σ (x - centre)².
#[inline(always)]
fn squares(values: &[f32], centre: f64) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            let distance = f64::from(values[lane]) - centre;
            lanes[lane] += distance * distance;
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        let distance = f64::from(value) - centre;
        *lane += distance * distance;
    }
    total(lanes)
}

/// The largest value; NaN is passed over. -∞ of none.
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f32 {
    const WIDE: usize = 16;
    let mut lanes = [f32::NEG_INFINITY; WIDE];
    let (whole, rest) = values.as_chunks::<WIDE>();
    for values in whole {
        for lane in 0..WIDE {
            lanes[lane] = if values[lane] > lanes[lane] { values[lane] } else { lanes[lane] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &value| if value > most { value } else { most })
}

struct Norm<'a> {
    values: &'a mut [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f64,
    centred: bool,
}

impl Plain for Norm<'_> {
    #[inline(always)]
    fn run(self) {
        let Norm { values, weight, bias, eps, centred } = self;
        let length = values.len() as f64;
        let centre = if centred { sum(values) / length } else { 0.0 };
        let inverse = 1.0 / (squares(values, centre) / length + eps).sqrt();
        for (value, weight) in values.iter_mut().zip(weight) {
            *value = ((f64::from(*value) - centre) * inverse) as f32 * weight;
        }
        if let Some(bias) = bias {
            values.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }
    }
}

fn rows(width: usize, values: &[f32]) -> Result<(), KernelError> {
    let whole = values.len().checked_div(width).unwrap_or(0) * width;
    expect_length("rows", whole, values.len())
}

/// `(x - mean) / √(variance + eps) × weight + bias` of each row of `weight.len()` values, in place; the variance is that of
/// the row itself (not of a sample).
///
/// # Errors
/// [`KernelError::Length`]: the values are no whole rows, or the bias has another length.
pub fn layer_norm(
    cpu: &Cpu,
    values: &mut [f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    eps: f64,
) -> Result<(), KernelError> {
    rows(weight.len(), values)?;
    if let Some(bias) = bias {
        expect_length("bias", weight.len(), bias.len())?;
    }
    parallel::runs(values, weight.len(), 4, |_, values| {
        parallel::run(cpu, Norm { values, weight, bias, eps, centred: true });
    });
    Ok(())
}

/// `x / √(mean of squares + eps) × weight` of each row of `weight.len()` values, in place.
///
/// # Errors
/// [`KernelError::Length`]: the values are no whole rows.
pub fn rms_norm(cpu: &Cpu, values: &mut [f32], weight: &[f32], eps: f64) -> Result<(), KernelError> {
    rows(weight.len(), values)?;
    parallel::runs(values, weight.len(), 4, |_, values| {
        parallel::run(cpu, Norm { values, weight, bias: None, eps, centred: false });
    });
    Ok(())
}

struct Softmax<'a> {
    values: &'a mut [f32],
    logarithm: bool,
}

impl Plain for Softmax<'_> {
    #[inline(always)]
    fn run(self) {
        let Softmax { values, logarithm } = self;
        let most = largest(values);
        if logarithm {
            // the exponentials have no place of their own: a piece at a time
            let mut piece = [0.0f32; 256];
            let mut sums = 0.0;
            for values in values.chunks(piece.len()) {
                let piece = &mut piece[..values.len()];
                piece.iter_mut().zip(values).for_each(|(place, value)| *place = exp_of(value - most));
                sums += sum(piece);
            }
            let log = f64::from(most) + sums.ln();
            values.iter_mut().for_each(|value| *value = (f64::from(*value) - log) as f32);
            return;
        }
        values.iter_mut().for_each(|value| *value = exp_of(*value - most));
        let inverse = 1.0 / sum(values);
        values.iter_mut().for_each(|value| *value = (f64::from(*value) * inverse) as f32);
    }
}

/// `exp(x) / Σ exp(x)` of each row of `width` values, in place. A row with NaN or +∞ becomes NaN.
///
/// # Errors
/// [`KernelError::Length`]: the values are no whole rows.
pub fn softmax(cpu: &Cpu, width: usize, values: &mut [f32]) -> Result<(), KernelError> {
    rows(width, values)?;
    parallel::runs(values, width, 16, |_, values| parallel::run(cpu, Softmax { values, logarithm: false }));
    Ok(())
}

/// The logarithm of [`softmax`].
///
/// # Errors
/// [`KernelError::Length`]: the values are no whole rows.
pub fn log_softmax(cpu: &Cpu, width: usize, values: &mut [f32]) -> Result<(), KernelError> {
    rows(width, values)?;
    parallel::runs(values, width, 16, |_, values| parallel::run(cpu, Softmax { values, logarithm: true }));
    Ok(())
}

struct Mean<'a> {
    x: &'a [f32],
    width: usize,
    means: &'a mut [f32],
}

impl Plain for Mean<'_> {
    #[inline(always)]
    fn run(self) {
        let rows = self.x.chunks_exact(self.width);
        self.means.iter_mut().zip(rows).for_each(|(mean, row)| *mean = (sum(row) / self.width as f64) as f32);
    }
}

/// The mean of each row of `width` values of `x`, one for each row.
///
/// # Errors
/// [`KernelError::Length`]: the values are no whole rows, or not as many as there are means.
pub fn mean(cpu: &Cpu, width: usize, x: &[f32], means: &mut [f32]) -> Result<(), KernelError> {
    rows(width, x)?;
    let count = x.len().checked_div(width).unwrap_or(0);
    expect_length("means", count, means.len())?;
    if count > 0 {
        parallel::run(cpu, Mean { x, width, means });
    }
    Ok(())
}
