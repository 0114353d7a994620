//! What a student learns from a teacher.

use crate::KernelError;
use crate::torch::model::TorchValue;
use tch::{Kind, Tensor};

/// `T^2 sum p ln(p / q)` in nats, the mean over all rows, where p is the softmax of `teacher / T` and q that of `student / T`
/// (Hinton, Vinyals and Dean 2015). Both are `[.., vocabulary]`.
///
/// # Errors
/// [`KernelError::Device`]: shapes that differ, too.
pub fn distillation(
    student: &TorchValue,
    teacher: &TorchValue,
    temperature: f64,
) -> Result<TorchValue, KernelError> {
    let scores = |logits: &Tensor| -> Result<Tensor, KernelError> {
        let cooled = if temperature == 1.0 { logits.shallow_clone() } else { divided(logits, temperature)? };
        Ok(cooled.f_log_softmax(-1, None)?)
    };
    let (own, other) = (scores(&student.0)?, scores(&teacher.0.f_detach()?)?);
    let apart = other.f_exp()?.f_mul(&other.f_sub(&own)?)?;
    let rows = apart.f_sum_dim_intlist([-1i64].as_slice(), false, Kind::Float)?;
    Ok(TorchValue(rows.f_mean(Kind::Float)?.f_mul_scalar(temperature * temperature)?))
}

fn divided(values: &Tensor, divisor: f64) -> Result<Tensor, KernelError> {
    Ok(values.f_div_scalar(divisor)?)
}

/// The sum of single numbers, each times its weight.
///
/// # Errors
/// [`KernelError::Device`]; [`KernelError::Malformed`]: of nothing.
pub fn weighted(terms: &[(f64, &TorchValue)]) -> Result<TorchValue, KernelError> {
    let mut sum: Option<Tensor> = None;
    for (weight, value) in terms {
        let term = value.0.f_mul_scalar(*weight)?;
        sum = Some(match sum {
            Some(sum) => sum.f_add(&term)?,
            None => term,
        });
    }
    sum.map(TorchValue).ok_or(KernelError::Malformed { what: "a loss of no terms" })
}
