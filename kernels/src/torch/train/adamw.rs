//! AdamW (Loshchilov and Hutter 2019): Adam with a decay of the weights that is apart from the gradient.

use crate::KernelError;
use crate::torch::model::{TorchValue, untraced};
use tch::Kind;

/// Its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Share of the mean gradient that stays in a step.
    pub first: f64,
    /// Share of the mean square that stays in a step.
    pub second: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// Share of a weight that a step with a rate of 1 takes away.
    pub decay: f64,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0 }
    }
}

/// Running means of a weight's gradients and of their squares.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Of the gradients.
    pub first: TorchValue,
    /// Of their squares.
    pub second: TorchValue,
}

impl Moments {
    /// Before the first step.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn new(weight: &TorchValue) -> Result<Moments, KernelError> {
        untraced(|| Ok(Moments { first: weight.zeros_like()?, second: weight.zeros_like()? }))
    }
}

impl AdamW {
    /// Step `number`, counted from 1, at this rate: the weight behind it. `decays` says whether the weight decays.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn step(
        &self,
        number: u64,
        rate: f64,
        weight: &TorchValue,
        gradient: &TorchValue,
        moments: &mut Moments,
        decays: bool,
    ) -> Result<TorchValue, KernelError> {
        untraced(|| {
            let mean = |old: &TorchValue, share: f64, new: &tch::Tensor| {
                old.0.f_mul_scalar(share)?.f_add(&new.f_mul_scalar(1.0 - share)?)
            };
            moments.first = TorchValue(mean(&moments.first, self.first, &gradient.0)?);
            moments.second = TorchValue(mean(&moments.second, self.second, &gradient.0.f_square()?)?);
            // zeros that the means began with are taken out
            let exponent = i32::try_from(number).unwrap_or(i32::MAX);
            let (first, second) = (1.0 - self.first.powi(exponent), 1.0 - self.second.powi(exponent));
            let root = moments.second.0.f_div_scalar(second)?.f_sqrt()?.f_add_scalar(self.epsilon)?;
            let move_by = moments.first.0.f_mul_scalar(rate / first)?.f_div(&root)?;
            let kept = if decays { 1.0 - rate * self.decay } else { 1.0 };
            Ok(TorchValue(weight.0.f_detach()?.f_mul_scalar(kept)?.f_sub(&move_by)?))
        })
    }
}

/// The norm of all gradients as one vector, from squares in f64.
///
/// # Errors
/// [`KernelError::Device`].
pub fn norm(gradients: &[TorchValue]) -> Result<f64, KernelError> {
    let mut squares = 0.0;
    for gradient in gradients {
        squares += gradient.0.f_to_kind(Kind::Double)?.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
    }
    Ok(squares.sqrt())
}

/// A gradient times a number.
///
/// # Errors
/// [`KernelError::Device`].
pub fn scaled(gradient: &TorchValue, by: f64) -> Result<TorchValue, KernelError> {
    untraced(|| Ok(TorchValue(gradient.0.f_mul_scalar(by)?)))
}

#[cfg(test)]
mod tests {
    use super::{AdamW, Moments, norm, scaled};
    use crate::torch::TorchDevice;
    use crate::torch::model::{TorchRuntime, TorchValue};
    use crate::torch::train::{distillation, straight_through, weighted};

    fn value(shape: &[usize], values: &[f32]) -> TorchValue {
        let runtime = TorchRuntime::open(TorchDevice::Cpu, 1).unwrap();
        TorchValue::floats(&runtime, shape, values).unwrap()
    }

    #[test]
    fn a_step_is_that_of_the_paper() {
        let optimiser = AdamW { decay: 0.1, ..AdamW::default() };
        let (mut weight, gradients) = (value(&[2], &[1.0, -2.0]), [[0.5f32, -1.0], [0.25, 2.0]]);
        let mut moments = Moments::new(&weight).unwrap();
        let (mut expected, mut m, mut v) = ([1.0f64, -2.0], [0.0f64; 2], [0.0f64; 2]);
        for (number, gradient) in (1..).zip(&gradients) {
            weight =
                optimiser.step(number, 0.01, &weight, &value(&[2], gradient), &mut moments, true).unwrap();
            for i in 0..2 {
                let g = f64::from(gradient[i]);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (mean, square) =
                    (m[i] / (1.0 - 0.9f64.powi(number as i32)), v[i] / (1.0 - 0.999f64.powi(number as i32)));
                expected[i] = expected[i] * (1.0 - 0.01 * 0.1) - 0.01 * mean / (square.sqrt() + 1e-8);
            }
        }
        for (found, expected) in weight.to_floats().unwrap().iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn a_rounded_weight_is_its_image_and_moves_as_if_it_were_not() {
        let leaf = value(&[3], &[0.3, -1.7, 1e-30]).leaf().unwrap();
        let image = value(&[3], &[0.25, -2.0, 0.0]);
        let rounded = straight_through(&leaf, &image).unwrap();
        assert_eq!(rounded.to_floats().unwrap(), [0.25, -2.0, 0.0]);
        rounded.average().unwrap().backward().unwrap();
        let gradient = leaf.gradient().unwrap().unwrap().to_floats().unwrap();
        assert!(gradient.iter().all(|g| (g - 1.0 / 3.0).abs() < 1e-7), "{gradient:?}");
    }

    #[test]
    fn norms_are_of_all_gradients_together() {
        let gradients = [value(&[2], &[3.0, 0.0]), value(&[1, 1], &[4.0])];
        assert_eq!(norm(&gradients).unwrap(), 5.0);
        assert_eq!(scaled(&gradients[0], 0.5).unwrap().to_floats().unwrap(), [1.5, 0.0]);
        assert!(norm(&[value(&[1], &[f32::NAN])]).unwrap().is_nan());
    }

    #[test]
    fn a_student_that_agrees_loses_nothing() {
        let teacher = value(&[2, 3], &[1.0, 2.0, 3.0, 0.0, 0.0, 1.0]);
        assert!(distillation(&teacher, &teacher, 2.0).unwrap().number().unwrap().abs() < 1e-7);
        let student = value(&[2, 3], &[0.0; 6]);
        for temperature in [1.0, 2.0] {
            let expected: f64 = [[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]
                .iter()
                .map(|row: &[f64; 3]| {
                    let powers: Vec<f64> = row.iter().map(|x| (x / temperature).exp()).collect();
                    let sum: f64 = powers.iter().sum();
                    powers.iter().map(|p| p / sum * (p / sum * 3.0).ln()).sum::<f64>()
                })
                .sum::<f64>()
                / 2.0
                * temperature
                * temperature;
            let found = distillation(&student, &teacher, temperature).unwrap();
            assert!((found.number().unwrap() - expected).abs() < 1e-6);
            let both = weighted(&[(0.5, &found), (2.0, &found)]).unwrap().number().unwrap();
            assert!((both - 2.5 * expected).abs() < 1e-5);
        }
    }
}
