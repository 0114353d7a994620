//! Linear recurrences `h[t] = a[t] h[t-1] + u[t]`, all tokens at once.

use crate::KernelError;
use tch::Tensor;

/// Tokens that are worked on together: what is between decays and outputs is this long at most.
pub(super) const BLOCK: i64 = 64;

/// The states after each token, for decays and inputs of `[batch, seq, ..]` and the state before them, `[batch, ..]`.
///
/// By doubling (Hillis and Steele 1986): after step d an element has taken in the d tokens before it, with the product of their
/// decays as they are. Nothing is divided and no logarithm is taken, so decays that underflow are 0, as they should be.
pub(super) fn recur(decay: &Tensor, input: &Tensor, before: Option<&Tensor>) -> Result<Tensor, KernelError> {
    let tokens = decay.size().get(1).copied().unwrap_or(0);
    let (mut a, mut h) = (decay.shallow_clone(), input.shallow_clone());
    if let Some(before) = before
        && tokens > 0
    {
        let first = h.f_narrow(1, 0, 1)?.f_addcmul(&a.f_narrow(1, 0, 1)?, &before.f_unsqueeze(1)?)?;
        h = if tokens == 1 { first } else { Tensor::f_cat(&[first, h.f_narrow(1, 1, tokens - 1)?], 1)? };
    }
    let mut step = 1;
    while step < tokens {
        let rest = tokens - step;
        let (own, earlier) = (a.f_narrow(1, step, rest)?, h.f_narrow(1, 0, rest)?);
        let joined = h.f_narrow(1, step, rest)?.f_addcmul(&own, &earlier)?;
        h = Tensor::f_cat(&[h.f_narrow(1, 0, step)?, joined], 1)?;
        if 2 * step < tokens {
            let product = own.f_mul(&a.f_narrow(1, 0, rest)?)?;
            a = Tensor::f_cat(&[a.f_narrow(1, 0, step)?, product], 1)?;
        }
        step *= 2;
    }
    Ok(h)
}

/// The state after the last token.
pub(super) fn last(states: &Tensor) -> Result<Tensor, KernelError> {
    let tokens = states.size().get(1).copied().unwrap_or(0);
    Ok(states.f_select(1, tokens - 1)?)
}
