//! Perplexity of a student on a text that it is not trained on.

use icpc_kernels::torch::model::{TorchValue, cross_entropy, untraced};

use super::student::Student;
use crate::eval::{EvalError, Protocol, Tokens, Window, windows};

/// Sequences that are run together.
const TOGETHER: usize = 16;

/// A text, and how it is cut.
pub(super) struct HeldOut {
    tokens: Tokens,
    lengths: (usize, usize, usize),
    samples: usize,
}

impl HeldOut {
    /// The text of `evaluate`, for a model whose sequences have `longest` tokens at most.
    pub(super) fn read(protocol: &Protocol, longest: Option<u64>) -> Result<Option<HeldOut>, EvalError> {
        let Some(data) = &protocol.data else { return Ok(None) };
        let tokens = Tokens::read(data, protocol.tokenizer.as_deref())?;
        let samples = protocol.samples.unwrap_or(usize::MAX);
        Ok(Some(HeldOut { tokens, lengths: protocol.lengths(longest), samples }))
    }

    /// SHA-256 of the text.
    pub(super) fn sha256(&self) -> &str {
        &self.tokens.data.sha256
    }

    /// `exp` of the mean loss of all targets; sums are f64 in the order of the text.
    pub(super) fn perplexity(&self, student: &Student) -> Result<f64, EvalError> {
        let (window, stride, shift) = self.lengths;
        let cut = windows(&self.tokens, window, stride, shift)?;
        let images =
            student.images().map_err(|f| EvalError::new("", "encoding", f.message).tensor(&f.tensor))?;
        let (mut sum, mut count) = (0.0f64, 0u64);
        let mut rest: &[Window<'_>] = cut.get(..self.samples.min(cut.len())).unwrap_or(&cut);
        while let Some(first) = rest.first() {
            let alike = rest.iter().take(TOGETHER).take_while(|w| w.ids.len() == first.ids.len()).count();
            let (batch, later) = rest.split_at(alike);
            rest = later;
            let ids: Vec<u32> = batch.iter().flat_map(|w| w.inputs(shift)).copied().collect();
            let targets: Vec<u32> = batch.iter().flat_map(|w| w.targets(shift)).copied().collect();
            let losses = untraced(|| {
                let logits = student.forward(&images, &ids, alike)?;
                let failed = |e: icpc_kernels::KernelError| EvalError::new("", "evaluating", e.to_string());
                let shape = [alike, targets.len() / alike.max(1)];
                let targets = TorchValue::ids(student.runtime(), &shape, &targets).map_err(failed)?;
                cross_entropy(&logits, &targets).and_then(|l| l.to_floats()).map_err(failed)
            })?;
            sum += losses.iter().map(|l| f64::from(*l)).sum::<f64>();
            count += losses.len() as u64;
        }
        Ok((sum / count.max(1) as f64).exp())
    }
}
