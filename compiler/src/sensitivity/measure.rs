//! Sensitivities on a text.

use icpc_kernels::format::Format;

use super::data::{By, SENSITIVITY_SCHEMA, Sensitivity};
use super::groups::groups;
use super::trials::{Quality, trials};
use crate::eval::{Baseline, EvalError, Model, Protocol, Tokens, evaluate};
use crate::exec::{Progress, Silent, Stop};

/// What models are measured on, and how.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// Token ids.
    pub tokens: &'a Tokens,
    /// Windows.
    pub protocol: &'a Protocol,
    /// Asked between windows.
    pub stop: &'a Stop,
}

impl Text<'_> {
    /// Loss of a model, and its divergence from `baseline`.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn measure(&self, model: &Model, baseline: &Baseline<'_>) -> Result<Quality, EvalError> {
        let found = evaluate(model, Some(baseline), self.tokens, self.protocol, &Silent, self.stop)?;
        let divergence = found.metric.against.and_then(|a| a.divergence).unwrap_or(f64::NAN);
        Ok(Quality { loss: found.metric.loss, divergence })
    }
}

/// Measures every group of the model in every format.
///
/// # Errors
/// As [`evaluate`] for the model as it is; a model that is compressed already; [`Stop`].
pub fn sensitivity(
    baseline: &Baseline<'_>,
    text: Text<'_>,
    by: By,
    formats: &[Format],
    progress: &dyn Progress,
) -> Result<Sensitivity, EvalError> {
    let model = baseline.model();
    if let Some(tensor) = model.tensors().iter().find(|t| t.dtype.is_float() && !t.is_plain) {
        let error = EvalError::new(model.path(), "encoding", "it is in a compressed format already");
        return Err(error.tensor(&tensor.name).remedy("give the checkpoint that it was made of"));
    }
    let base = evaluate(model, None, text.tokens, text.protocol, &Silent, text.stop)?.metric;
    let groups = groups(model, by);
    progress.begin_counting("sensitivity", (groups.len() * formats.len()) as u64, "trials");
    let measure = |other: &Model| text.measure(other, baseline);
    let trials = trials(model, base.loss, &groups, formats, &measure, &|| progress.advance(1));
    progress.end();
    if text.stop.is_asked() {
        return Err(EvalError::new(model.path(), "evaluating", "it was asked to end"));
    }
    Ok(Sensitivity {
        schema: SENSITIVITY_SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        checkpoint: model.path().to_owned(),
        architecture: model.graph().name.clone(),
        header_hash: model.header_hash().to_owned(),
        by,
        data: base.data,
        tokenizer: base.tokenizer,
        window: base.window,
        stride: base.stride,
        shift: base.shift,
        samples: base.samples,
        backend: base.backend,
        windows: base.windows,
        scored: base.scored,
        loss: base.loss,
        perplexity: base.perplexity,
        bytes: model.source_bytes(),
        groups,
        trials,
    })
}
