//! Inputs of products that are rounded to 8 bits.

use crate::KernelError;
use tch::{Device, Kind, Tensor};

/// How the inputs of products with a weight are rounded: to the nearest of ±127 steps, ties to even.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InputSteps {
    /// Of this size.
    Static(f32),
    /// Of the largest magnitude of each row, over 127.
    Dynamic,
}

impl InputSteps {
    /// The rounded inputs as they are: a code times its step. The product sums them in f32, where the processor's integers are
    /// exact; the codes are the same.
    pub(super) fn round(self, x: &Tensor) -> Result<Tensor, KernelError> {
        let step = match self {
            InputSteps::Static(step) => number(step, x.device())?,
            // a divisor that is a tensor divides; a scalar one may multiply with its inverse
            InputSteps::Dynamic => {
                x.f_abs()?.f_amax([-1i64].as_slice(), true)?.f_div(&number(127.0, x.device())?)?
            }
        };
        // a row of zeros has no step, and stays zeros
        let divisor = step.f_add(&step.f_eq(0.0)?.f_to_kind(Kind::Float)?)?;
        Ok(x.f_div(&divisor)?.f_clamp(-127.0, 127.0)?.f_round()?.f_mul(&step)?)
    }
}

fn number(value: f32, device: Device) -> Result<Tensor, KernelError> {
    Ok(Tensor::f_from_slice(&[value])?.f_to_device(device)?)
}
