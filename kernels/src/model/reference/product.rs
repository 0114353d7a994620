//! Products with matrices, tables, and products of integers.

use super::super::ActivationScale;
use super::rows_of;
use crate::KernelError;
use crate::error::expect_length;

const LANES: usize = 8;

/// `Σ a b`: product i goes to partial sum i mod 8.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let ((whole_a, rest_a), (whole_b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter_mut().zip(rest_a.iter().zip(rest_b)).for_each(|(sum, (a, b))| *sum += a * b);
    sums.iter().sum()
}

/// `y[t, o] = Σ x[t, i] w[o, i] + bias[o]`, of rows with `inputs` numbers: `x` is `[tokens, inputs]`, `w` is `[outputs, inputs]`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows, or a bias of another length; no inputs.
pub fn linear(inputs: usize, x: &[f64], w: &[f64], bias: Option<&[f64]>) -> Result<Vec<f64>, KernelError> {
    let tokens = rows_of("input of a linear layer", inputs, x)?;
    let outputs = rows_of("weight of a linear layer", inputs, w)?;
    if let Some(bias) = bias {
        expect_length("bias", outputs, bias.len())?;
    }
    let mut y = vec![0.0; tokens * outputs];
    if y.is_empty() {
        return Ok(y);
    }
    // a few rows of w stay in the cache while x goes by
    for (block, w) in w.chunks(8 * inputs).enumerate() {
        for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
            for (y, w) in y[8 * block..].iter_mut().zip(w.chunks_exact(inputs)) {
                *y = dot(x, w);
            }
        }
    }
    if let Some(bias) = bias {
        y.chunks_exact_mut(outputs).for_each(|y| y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias));
    }
    Ok(y)
}

/// Row `id` of `w`, `[rows, columns]`, for each id.
///
/// # Errors
/// [`KernelError::OutOfRange`] at the first id that has no row; [`KernelError::Length`].
pub fn embed(ids: &[u32], columns: usize, w: &[f64]) -> Result<Vec<f64>, KernelError> {
    let rows = rows_of("table of an embedding", columns, w)?;
    if let Some(position) = ids.iter().position(|&id| id as usize >= rows) {
        let (index, limit) = (u64::from(ids[position]), rows as u64);
        return Err(KernelError::OutOfRange { what: "token id", position: position as u64, index, limit });
    }
    Ok(ids.iter().flat_map(|&id| &w[id as usize * columns..][..columns]).copied().collect())
}

/// Activations as codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// `[tokens, inputs]`, whole numbers: the code less its zero point.
    pub codes: Vec<f64>,
    /// What a code of each token stands for.
    pub steps: Vec<f64>,
}

impl Rounded {
    /// What the codes stand for.
    pub fn values(&self) -> Vec<f64> {
        let inputs = self.codes.len().checked_div(self.steps.len()).unwrap_or(0);
        let tokens = self.codes.chunks_exact(inputs.max(1)).zip(&self.steps);
        tokens.flat_map(|(codes, step)| codes.iter().map(move |code| code * step)).collect()
    }
}

/// Rounds as [`ActivationScale`] says. Scales of formats of ours are f32, as is what is rounded to a whole number: so numbers
/// of f32 have the codes of [`super::super::linear_int8`]. With [`ActivationScale::Whole`] everything is in f64.
///
/// # Errors
/// [`KernelError::NonFinite`] at the first activation that is NaN or infinite; [`KernelError::Malformed`]: a scale that is no
/// positive number; [`KernelError::Length`].
pub fn rounded(inputs: usize, x: &[f64], scale: ActivationScale) -> Result<Rounded, KernelError> {
    let tokens = rows_of("input of a linear layer", inputs, x)?;
    if let Some(index) = x.iter().position(|x| !x.is_finite()) {
        return Err(KernelError::NonFinite { index: index as u64, value: x[index] });
    }
    let most = |x: &[f64]| x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let step = match scale {
        ActivationScale::Whole => return Ok(rounded_whole(tokens, x)),
        ActivationScale::Static(step) if step.is_finite() && step > 0.0 => Some(step),
        ActivationScale::Static(_) => {
            return Err(KernelError::Malformed { what: "the scale of activations is a positive number" });
        }
        ActivationScale::Dynamic => None,
    };
    let (mut codes, mut steps) = (Vec::with_capacity(x.len()), Vec::with_capacity(tokens));
    for x in x.chunks_exact(inputs.max(1)) {
        let step = f64::from(step.unwrap_or(most(x) as f32 / 127.0));
        let code = |x: &f64| match step {
            0.0 => 0.0,
            step => f64::from((x / step) as f32).round_ties_even().clamp(-127.0, 127.0),
        };
        codes.extend(x.iter().map(code));
        steps.push(step);
    }
    Ok(Rounded { codes, steps })
}

fn rounded_whole(tokens: usize, x: &[f64]) -> Rounded {
    let (low, high) = x.iter().fold((0.0f64, 0.0f64), |(low, high), x| (low.min(*x), high.max(*x)));
    let step = if low == high { 1.0 } else { (high - low) / 127.0 };
    let zero = (-low / step).round_ties_even().clamp(0.0, 127.0);
    let code = |x: &f64| ((x / step).round_ties_even() + zero).clamp(0.0, 127.0) - zero;
    Rounded { codes: x.iter().map(code).collect(), steps: vec![step; tokens] }
}

/// `y = Σ q c × (step of the token × scale of the row) + bias`, where q are the [`rounded`] activations and c the codes of the
/// weight, `[outputs, inputs]`, whole numbers of at most 8 bits. The sums are exact: f64 holds whole numbers up to 2⁵³.
///
/// # Errors
/// As [`rounded`] and [`linear`].
pub fn linear_int8(
    inputs: usize,
    x: &[f64],
    codes: &[f64],
    scales: &[f64],
    scale: ActivationScale,
    bias: Option<&[f64]>,
) -> Result<Vec<f64>, KernelError> {
    let outputs = scales.len();
    expect_length("weight of a linear layer", outputs * inputs, codes.len())?;
    if let Some(bias) = bias {
        expect_length("bias", outputs, bias.len())?;
    }
    let rounded = rounded(inputs, x, scale)?;
    let mut y = linear(inputs, &rounded.codes, codes, None)?;
    for (y, step) in y.chunks_exact_mut(outputs.max(1)).zip(rounded.steps) {
        for (output, (y, scale)) in y.iter_mut().zip(scales).enumerate() {
            *y = *y * (step * scale) + bias.map_or(0.0, |bias| bias[output]);
        }
    }
    Ok(y)
}
