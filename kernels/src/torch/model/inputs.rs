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
    /// exact; the codes are the same. Gradients pass through as if nothing were rounded or cut off.
    pub(super) fn apply(self, x: &Tensor) -> Result<Tensor, KernelError> {
        if !x.requires_grad() {
            return self.round(x);
        }
        straight(x, &self.round(&x.f_detach()?)?)
    }

    fn round(self, x: &Tensor) -> Result<Tensor, KernelError> {
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

/// `image`, with the gradient of `values`. Every element is that of `image`, bit for bit: `values - values` is 0.
pub(crate) fn straight(values: &Tensor, image: &Tensor) -> Result<Tensor, KernelError> {
    let nothing = values.f_sub(&values.f_detach()?)?;
    Ok(nothing.f_add(&image.f_detach()?)?)
}

#[cfg(test)]
mod tests {
    use super::InputSteps;
    use crate::torch::TorchDevice;
    use crate::torch::model::{TorchRuntime, TorchValue, TorchWeight, linear};

    #[test]
    fn inputs_are_rounded_and_move_as_if_they_were_not() {
        let runtime = TorchRuntime::open(TorchDevice::Cpu, 1).unwrap();
        let floats = |shape: &[usize], values: &[f32]| TorchValue::floats(&runtime, shape, values).unwrap();
        // A row whose largest magnitude is 127, and one that has no step.
        let x = [127.0f32, -0.6, 2.5, 0.0, 0.0, 0.0];
        let w = [1.0f32, 10.0, 100.0, -1.0, 0.5, 3.0];
        let cut = 100.0 / 127.0;
        for (steps, step, codes) in [
            (InputSteps::Dynamic, 1.0, [127.0f32, -1.0, 2.0, 0.0, 0.0, 0.0]),
            (InputSteps::Static(cut), cut, [127.0, -1.0, 3.0, 0.0, 0.0, 0.0]),
        ] {
            let seen: Vec<f32> = codes.iter().map(|code| code * step).collect();
            let (x, leaf) = (floats(&[2, 3], &x).leaf().unwrap(), floats(&[2, 3], &w).leaf().unwrap());
            let weight = TorchWeight::values(leaf.clone()).with_inputs(Some(steps));
            let y = linear(&runtime, &x, &weight, None, false).unwrap();
            let product = |row: usize, out: usize| {
                (0..3).map(|i| f64::from(seen[row * 3 + i]) * f64::from(w[out * 3 + i])).sum::<f64>()
            };
            for (number, found) in y.to_floats().unwrap().iter().enumerate() {
                let expected = product(number / 2, number % 2);
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-3,
                    "{steps:?} {number}: {found} {expected}"
                );
            }
            // the mean of four results
            y.average().unwrap().backward().unwrap();
            let of_x = x.gradient().unwrap().unwrap().to_floats().unwrap();
            for (number, found) in of_x.iter().enumerate() {
                let expected = (w[number % 3] + w[3 + number % 3]) / 4.0;
                assert!((found - expected).abs() < 1e-5, "{steps:?} {number}: {found} {expected}");
            }
            // a weight is moved by what it was multiplied with
            let of_w = leaf.gradient().unwrap().unwrap().to_floats().unwrap();
            for (number, found) in of_w.iter().enumerate() {
                let expected = (seen[number % 3] + seen[3 + number % 3]) / 4.0;
                assert!((found - expected).abs() < 1e-5, "{steps:?} {number}: {found} {expected}");
            }
        }
    }
}
