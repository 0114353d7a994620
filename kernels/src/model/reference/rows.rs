//! What looks at a whole row.

use super::rows_of;
use crate::KernelError;
use crate::error::expect_length;

fn average(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn each(width: usize, x: &[f64], row: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    x.chunks_exact(width.max(1)).flat_map(row).collect()
}

/// `(x - mean) / √(variance + eps) × weight + bias` of each row, which is as long as `weight`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows, or a bias of another length.
pub fn layer_norm(
    x: &[f64],
    weight: &[f64],
    bias: Option<&[f64]>,
    eps: f64,
) -> Result<Vec<f64>, KernelError> {
    rows_of("input of a norm", weight.len(), x)?;
    if let Some(bias) = bias {
        expect_length("bias", weight.len(), bias.len())?;
    }
    Ok(each(weight.len(), x, |x| {
        let centre = average(x);
        let variance = average(&x.iter().map(|x| (x - centre).powi(2)).collect::<Vec<_>>());
        let bias = |index: usize| bias.map_or(0.0, |bias| bias[index]);
        let value =
            |(index, x): (usize, &f64)| (x - centre) / (variance + eps).sqrt() * weight[index] + bias(index);
        x.iter().enumerate().map(value).collect()
    }))
}

/// `x / √(mean of squares + eps) × weight` of each row, which is as long as `weight`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows.
pub fn rms_norm(x: &[f64], weight: &[f64], eps: f64) -> Result<Vec<f64>, KernelError> {
    rows_of("input of a norm", weight.len(), x)?;
    Ok(each(weight.len(), x, |x| {
        let squares = average(&x.iter().map(|x| x * x).collect::<Vec<_>>());
        x.iter().zip(weight).map(|(x, weight)| x / (squares + eps).sqrt() * weight).collect()
    }))
}

/// Of each row of `width`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows.
pub fn softmax(width: usize, x: &[f64]) -> Result<Vec<f64>, KernelError> {
    Ok(log_softmax(width, x)?.into_iter().map(f64::exp).collect())
}

/// Of each row of `width`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows.
pub fn log_softmax(width: usize, x: &[f64]) -> Result<Vec<f64>, KernelError> {
    rows_of("input of a softmax", width, x)?;
    Ok(each(width, x, |x| {
        let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log = x.iter().map(|x| (x - most).exp()).sum::<f64>().ln();
        x.iter().map(|x| x - most - log).collect()
    }))
}

/// Of each row of `width`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows.
pub fn mean(width: usize, x: &[f64]) -> Result<Vec<f64>, KernelError> {
    rows_of("input of a mean", width, x)?;
    Ok(each(width, x, |x| vec![average(x)]))
}

/// `-ln softmax(logits)[target]` of each row of `vocab`.
///
/// # Errors
/// [`KernelError::Length`]: not a row for each target; [`KernelError::OutOfRange`] at the first target that is not below `vocab`.
pub fn cross_entropy(vocab: usize, logits: &[f64], targets: &[u32]) -> Result<Vec<f64>, KernelError> {
    expect_length("logits", vocab.saturating_mul(targets.len()), logits.len())?;
    if let Some(position) = targets.iter().position(|&target| target as usize >= vocab) {
        let (index, limit) = (u64::from(targets[position]), vocab as u64);
        return Err(KernelError::OutOfRange { what: "target", position: position as u64, index, limit });
    }
    let logs = log_softmax(vocab, logits)?;
    let rows = logs.chunks_exact(vocab.max(1)).zip(targets);
    Ok(rows.map(|(row, &target)| -row[target as usize]).collect())
}

/// `Σ p (ln p - ln q)` of each row of `vocab`.
///
/// # Errors
/// [`KernelError::Length`]: no whole rows, or not equally many.
pub fn divergence(vocab: usize, baseline: &[f64], logits: &[f64]) -> Result<Vec<f64>, KernelError> {
    expect_length("logits", baseline.len(), logits.len())?;
    let (p, q) = (log_softmax(vocab, baseline)?, log_softmax(vocab, logits)?);
    let rows = p.chunks_exact(vocab.max(1)).zip(q.chunks_exact(vocab.max(1)));
    Ok(rows.map(|(p, q)| p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum()).collect())
}
