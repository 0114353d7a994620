//! The weights that are trained, and what the formats make of them.

use std::collections::BTreeMap;

use icpc_kernels::format::{Activations, Format, Int};
use icpc_kernels::torch::model::{TorchRuntime, TorchValue, TorchWeight};
use icpc_kernels::torch::train::{AdamW, Moments, masked, scaled, straight_through};
use icpc_kernels::{Cpu, DType, KernelError};

use super::faults::Fault;
use super::inputs::Inputs;
use super::stages;
use super::state::Numbers;
use crate::eval::{EvalError, Tap, TorchModel, image};
use crate::plan::ir::{Plan, TensorPlan};

/// A model in training.
pub(super) struct Student {
    model: TorchModel,
    cpu: &'static Cpu,
    pub(super) trained: Vec<Trained>,
    /// For each weight of the graph: a trained one, or what the format makes of one that is not.
    weights: Vec<Slot>,
    /// How what is multiplied with each weight is rounded.
    pub(super) inputs: Inputs,
}

enum Slot {
    Trained(usize),
    Fixed(TorchWeight),
}

/// One trained tensor.
pub(super) struct Trained {
    pub(super) name: String,
    shape: Vec<u64>,
    /// What it is stored as; `None` where that loses nothing.
    format: Option<Format>,
    /// 1 where a value may be other than 0.
    mask: Option<TorchValue>,
    /// Matrices do.
    decays: bool,
    leaf: TorchValue,
    moments: Moments,
}

/// The format of a tensor that is f32 now, where it loses something.
fn lossy(tensor: &TensorPlan) -> Option<Format> {
    match stages::format(tensor, DType::F32) {
        Format::Keep => None,
        Format::Cast(cast) if matches!(cast.to(), DType::F32 | DType::F64) => None,
        // how inputs are rounded changes no code of the weight
        Format::Int(int) => Some(Format::Int(Int { activations: Activations::Float, ..int })),
        format => Some(format),
    }
}

impl Student {
    /// The weights of `model`, which are those of `plan` behind its cuts and masks.
    pub(super) fn new(model: TorchModel, plan: &Plan, cpu: &'static Cpu) -> Result<Student, Fault> {
        let names: Vec<&str> = plan.tune.iter().flat_map(|t| &t.tensors).map(String::as_str).collect();
        let planned: BTreeMap<&str, &TensorPlan> = plan
            .tensors
            .iter()
            .flat_map(|t| std::iter::once(&t.name).chain(&t.aliases).map(move |name| (name.as_str(), t)))
            .collect();
        let (mut found, mut slots): (Vec<Trained>, Vec<Slot>) = (Vec::new(), Vec::new());
        let inputs = Inputs::of(model.names(), &planned);
        let runtime = model.runtime();
        for (number, (weight, name)) in model.weights().iter().zip(model.names()).enumerate() {
            let first = model.first_of(number);
            if first < number {
                let slot = match slots.get(first) {
                    Some(Slot::Trained(n)) => Slot::Trained(*n),
                    Some(Slot::Fixed(weight)) => Slot::Fixed(weight.clone()),
                    None => continue,
                };
                slots.push(slot);
                continue;
            }
            let fault = Fault::at(name);
            let Some(tensor) = planned.get(name.as_str()) else {
                let message = "the plan has no such tensor".to_owned();
                return Err(Fault { tensor: name.clone(), message });
            };
            let values = weight.dense(runtime).map_err(&fault)?;
            let format = lossy(tensor);
            if !names.contains(&tensor.name.as_str()) {
                let values = match format {
                    Some(format) => rounded(runtime, &format, &tensor.shape, &values, cpu, name)?,
                    None => values,
                };
                slots.push(Slot::Fixed(TorchWeight::values(values)));
                continue;
            }
            let mask = match tensor.mask {
                Some(_) => {
                    let kept = values.to_floats().map_err(&fault)?;
                    let kept: Vec<f32> = kept.iter().map(|x| f32::from(*x != 0.0)).collect();
                    Some(TorchValue::floats(runtime, &values.shape(), &kept).map_err(&fault)?)
                }
                None => None,
            };
            slots.push(Slot::Trained(found.len()));
            found.push(Trained {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                format,
                mask,
                decays: tensor.shape.len() > 1,
                leaf: values.leaf().map_err(&fault)?,
                moments: Moments::new(&values).map_err(&fault)?,
            });
        }
        Ok(Student { cpu, trained: found, weights: slots, inputs, model })
    }

    /// The device.
    pub(super) fn runtime(&self) -> &TorchRuntime {
        self.model.runtime()
    }

    /// What the formats make of the weights as they are now.
    pub(super) fn images(&self) -> Result<Vec<Option<TorchValue>>, Fault> {
        let runtime = self.model.runtime();
        let one = |t: &Trained| match &t.format {
            Some(format) => rounded(runtime, format, &t.shape, &t.leaf, self.cpu, &t.name).map(Some),
            None => Ok(None),
        };
        self.trained.iter().map(one).collect()
    }

    /// Logits of `sequences` sequences, with a trace to the trained weights.
    pub(super) fn forward(
        &self,
        images: &[Option<TorchValue>],
        ids: &[u32],
        sequences: usize,
    ) -> Result<TorchValue, EvalError> {
        let weights = self.seen(images)?.into_iter().enumerate();
        let weights: Vec<TorchWeight> =
            weights.map(|(number, weight)| weight.with_inputs(self.inputs.steps(number))).collect();
        self.model.forward_with(&weights, ids, sequences)
    }

    /// Runs sequences for what goes into products, none of which is rounded. NaN and infinity end it.
    pub(super) fn see(
        &self,
        images: &[Option<TorchValue>],
        ids: &[u32],
        sequences: usize,
        tap: Tap<'_>,
    ) -> Result<(), EvalError> {
        self.model.see_with(&self.seen(images)?, ids, sequences, tap)
    }

    /// The weights of the graph as the formats make them, with a trace to the trained ones.
    fn seen(&self, images: &[Option<TorchValue>]) -> Result<Vec<TorchWeight>, EvalError> {
        let failed = |e: KernelError| EvalError::new("", "training", e.to_string());
        let mut seen = Vec::with_capacity(self.trained.len());
        for (number, trained) in self.trained.iter().enumerate() {
            let image = images.get(number).and_then(Option::as_ref);
            seen.push(match image {
                Some(image) => TorchWeight::values(straight_through(&trained.leaf, image).map_err(failed)?),
                None => TorchWeight::values(trained.leaf.clone()),
            });
        }
        let weight = |slot: &Slot| match slot {
            Slot::Trained(number) => seen.get(*number).cloned(),
            Slot::Fixed(weight) => Some(weight.clone()),
        };
        Ok(self.weights.iter().filter_map(weight).collect())
    }

    /// The gradients that were gathered; zeros where no token came by.
    pub(super) fn gradients(&self) -> Result<Vec<TorchValue>, Fault> {
        let one = |t: &Trained| match t.leaf.gradient() {
            Ok(Some(gradient)) => Ok(gradient),
            Ok(None) => t.leaf.zeros_like().map_err(Fault::at(&t.name)),
            Err(error) => Err(Fault::at(&t.name)(error)),
        };
        self.trained.iter().map(one).collect()
    }

    /// The first weight, or the first gradient, that is not finite.
    pub(super) fn first_not_finite(&self, gradients: &[TorchValue]) -> Option<(&str, &'static str)> {
        let bad = |value: &TorchValue| !matches!(value.first_not_finite(), Ok(None));
        let weight = self.trained.iter().find(|t| bad(&t.leaf)).map(|t| (t.name.as_str(), "weight"));
        weight.or_else(|| {
            let mut pairs = self.trained.iter().zip(gradients);
            pairs.find(|(_, g)| bad(g)).map(|(t, _)| (t.name.as_str(), "gradient"))
        })
    }

    /// Moves the weights by step `number`, from 1.
    pub(super) fn step(
        &mut self,
        optimiser: &AdamW,
        number: u64,
        rate: f64,
        gradients: &[TorchValue],
        scale: f64,
    ) -> Result<(), Fault> {
        for (trained, gradient) in self.trained.iter_mut().zip(gradients) {
            let name = trained.name.clone();
            let fault = Fault::at(&name);
            let gradient =
                if scale < 1.0 { scaled(gradient, scale).map_err(&fault)? } else { gradient.clone() };
            let moved =
                optimiser.step(number, rate, &trained.leaf, &gradient, &mut trained.moments, trained.decays);
            let mut moved = moved.map_err(&fault)?;
            if let Some(mask) = &trained.mask {
                moved = masked(&moved, mask).map_err(&fault)?;
            }
            trained.leaf = moved.leaf().map_err(&fault)?;
        }
        Ok(())
    }

    /// All numbers, to be written.
    pub(super) fn numbers(&self) -> Result<Vec<(String, Numbers)>, Fault> {
        let one = |t: &Trained| {
            let values = [&t.leaf, &t.moments.first, &t.moments.second].map(TorchValue::to_floats);
            let [weight, first, second] = values;
            let fault = Fault::at(&t.name);
            Ok((t.name.clone(), [weight.map_err(&fault)?, first.map_err(&fault)?, second.map_err(&fault)?]))
        };
        self.trained.iter().map(one).collect()
    }

    /// Names and lengths.
    pub(super) fn lengths(&self) -> Vec<(&str, usize)> {
        self.trained.iter().map(|t| (t.name.as_str(), t.leaf.shape().iter().product())).collect()
    }

    /// Takes numbers that were written.
    pub(super) fn restore(&mut self, numbers: Vec<Numbers>) -> Result<(), Fault> {
        let runtime = *self.model.runtime();
        for (trained, [weight, first, second]) in self.trained.iter_mut().zip(numbers) {
            let fault = Fault::at(&trained.name);
            let shape = trained.leaf.shape();
            let value = |values: &[f32]| TorchValue::floats(&runtime, &shape, values).map_err(&fault);
            let leaf = value(&weight)?.leaf().map_err(&fault)?;
            let moments = Moments { first: value(&first)?, second: value(&second)? };
            (trained.leaf, trained.moments) = (leaf, moments);
        }
        Ok(())
    }
}

fn rounded(
    runtime: &TorchRuntime,
    format: &Format,
    shape: &[u64],
    values: &TorchValue,
    cpu: &Cpu,
    name: &str,
) -> Result<TorchValue, Fault> {
    let fault = Fault::at(name);
    let floats = values.to_floats().map_err(&fault)?;
    let image = image(format, shape, &floats, cpu)
        .map_err(|e| Fault { tensor: name.to_owned(), message: e.message })?;
    TorchValue::floats(runtime, &values.shape(), &image).map_err(&fault)
}
