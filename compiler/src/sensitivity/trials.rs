//! One group at a time in another format.

use icpc_kernels::format::{Format, Role};

use super::data::{Group, Trial};
use crate::eval::{EvalError, Model, Storage};

/// What a model gives on the data, beside the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Mean loss in nats.
    pub loss: f64,
    /// Mean divergence from the baseline in nats.
    pub divergence: f64,
}

impl Quality {
    /// `exp(loss)`.
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }
}

/// Measures a model on the data, beside the baseline.
pub type Measure<'a> = &'a dyn Fn(&Model) -> Result<Quality, EvalError>;

/// Bytes of a tensor in a format, as an output stores it; nothing where the format cannot hold it.
pub fn stored_bytes(tensor: &Storage, format: &Format) -> Option<u64> {
    let layout = format.layout(&tensor.shape, tensor.dtype).ok()?;
    let own = layout.parts.iter().filter(|p| !matches!(p.role, Role::QuantMap | Role::NestedQuantMap));
    Some(own.map(|p| p.bytes).sum())
}

/// The tensors of a group that a format can hold, with the group's bytes then: what it cannot hold stays as it is.
pub fn changes<'t>(tensors: &'t [Storage], group: &Group, format: &Format) -> (Vec<(&'t str, Format)>, u64) {
    let (mut changes, mut bytes) = (Vec::new(), 0);
    for tensor in tensors.iter().filter(|t| group.tensors.contains(&t.name)) {
        match stored_bytes(tensor, format) {
            Some(stored) => {
                changes.push((tensor.name.as_str(), *format));
                bytes += stored;
            }
            None => bytes += tensor.bytes,
        }
    }
    (changes, bytes)
}

/// Tries every group in every format that can hold one of its tensors. `loss` is the baseline's; `done` is called behind each.
pub fn trials(
    baseline: &Model,
    loss: f64,
    groups: &[Group],
    formats: &[Format],
    measure: Measure<'_>,
    done: &dyn Fn(),
) -> Vec<Trial> {
    let tensors = baseline.tensors();
    let mut out = Vec::new();
    for group in groups {
        for format in formats {
            let (changes, bytes) = changes(&tensors, group, format);
            if !changes.is_empty() {
                let found = baseline.with_formats(&changes).and_then(|model| measure(&model));
                out.push(trial(group, format, bytes, loss, found));
            }
            done();
        }
    }
    out.sort_by(|a, b| {
        order(a).total_cmp(&order(b)).then_with(|| (&a.group, &a.format).cmp(&(&b.group, &b.format)))
    });
    out
}

/// Trials without a rate come last: those that save nothing, then those without numbers.
fn order(trial: &Trial) -> f64 {
    match (trial.divergence, trial.divergence_per_megabyte) {
        (_, Some(rate)) => rate,
        (Some(_), None) => f64::MAX,
        (None, None) => f64::INFINITY,
    }
}

fn trial(group: &Group, format: &Format, bytes: u64, loss: f64, found: Result<Quality, EvalError>) -> Trial {
    let saved = i64::try_from(group.bytes).unwrap_or(i64::MAX) - i64::try_from(bytes).unwrap_or(i64::MAX);
    let (quality, problem) = match found {
        Ok(quality) => (Some(quality), None),
        Err(error) => (None, Some(error.message)),
    };
    let divergence = quality.map(|q| q.divergence);
    Trial {
        group: group.name.clone(),
        format: format.to_string(),
        elements: group.elements,
        bytes,
        saved,
        loss_change: quality.map(|q| q.loss - loss),
        divergence,
        perplexity: quality.map(|q| q.perplexity()),
        divergence_per_megabyte: divergence.filter(|_| saved > 0).map(|d| d / (saved as f64 / 1e6)),
        problem,
    }
}
