//! What a prediction costs.

use super::TorchValue;
use crate::KernelError;

/// `-ln softmax(logits)[id]` of each token, in nats: logits `[.., vocabulary]`, ids `[..]`.
///
/// # Errors
/// [`KernelError::Device`]: an id beyond the vocabulary, too.
pub fn cross_entropy(logits: &TorchValue, ids: &TorchValue) -> Result<TorchValue, KernelError> {
    let scores = logits.0.f_log_softmax(-1, None)?.f_gather(-1, &ids.0.f_unsqueeze(-1)?, false)?;
    Ok(TorchValue(scores.f_squeeze_dim(-1)?.f_neg()?))
}
