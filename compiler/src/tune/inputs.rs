//! Inputs of products that are rounded when the output runs: they are rounded in training, too, to the same codes.
//!
//! A dynamic step is that of each row. A static one is measured on the student itself, on the samples of `calibrate`, again and
//! again while it is trained and once more behind the last step: the output stores the last one.

use std::collections::BTreeMap;

use icpc_kernels::format::{Activations, Format, Percentile};
use icpc_kernels::torch::model::{InputSteps, untraced};

use super::faults::Fault;
use super::student::Student;
use crate::eval::{EvalError, Protocol, Statistics, Tokens, samples_of};
use crate::exec::{Stop, static_step};
use crate::plan::ir::TensorPlan;

/// Samples that are run together at most.
const TOGETHER: u64 = 16;

/// Steps from one measurement to the next at least.
const STEPS: u64 = 10;

/// Whether static scales are measured behind `step` of `steps`. The bytes of an output depend on it.
pub(super) fn is_due(step: u64, steps: u64) -> bool {
    step == steps || step.is_multiple_of((steps / 10).max(STEPS))
}

/// How inputs of products are rounded.
#[derive(Default)]
pub(super) struct Inputs {
    /// By weight of the graph: the tensor that it is stored as, and what its format asks for.
    asked: Vec<(String, Activations)>,
    /// Weights by name.
    numbers: BTreeMap<String, usize>,
    /// By tensor of the output, what the step was made of.
    magnitudes: BTreeMap<String, f32>,
}

impl Inputs {
    /// As the tensors that the weights of a graph are stored as ask for.
    pub(super) fn of(weights: &[String], planned: &BTreeMap<&str, &TensorPlan>) -> Inputs {
        let asked = weights.iter().map(|weight| match planned.get(weight.as_str()) {
            Some(TensorPlan { name, format: Format::Int(int), .. }) => (name.clone(), int.activations),
            _ => (weight.clone(), Activations::Float),
        });
        let numbers = weights.iter().enumerate().map(|(number, name)| (name.clone(), number));
        Inputs { asked: asked.collect(), numbers: numbers.collect(), magnitudes: BTreeMap::new() }
    }

    /// Of products with weight `number`.
    pub(super) fn steps(&self, number: usize) -> Option<InputSteps> {
        let (tensor, asked) = self.asked.get(number)?;
        match asked {
            Activations::Float => None,
            Activations::Dynamic => Some(InputSteps::Dynamic),
            Activations::Static(_) => Some(InputSteps::Static(static_step(*self.magnitudes.get(tensor)?)?)),
        }
    }

    /// Tensors with static steps.
    fn wanted(&self) -> BTreeMap<&str, Percentile> {
        let wanted = self.asked.iter().filter_map(|(name, asked)| match asked {
            Activations::Static(percentile) => Some((name.as_str(), *percentile)),
            _ => None,
        });
        wanted.collect()
    }

    /// The tensor that a weight is stored as.
    fn tensor(&self, weight: &str) -> Option<&str> {
        Some(self.asked.get(*self.numbers.get(weight)?)?.0.as_str())
    }

    /// By tensor of the output.
    pub(super) fn magnitudes(&self) -> &BTreeMap<String, f32> {
        &self.magnitudes
    }

    /// Takes what was measured. A matrix to which nothing came this time, such as that of an expert, keeps what it had.
    ///
    /// # Errors
    /// The first matrix that has nothing at all.
    pub(super) fn take(&mut self, found: BTreeMap<String, f32>) -> Result<(), String> {
        let usable = found.into_iter().filter(|(_, magnitude)| static_step(*magnitude).is_some());
        self.magnitudes.extend(usable);
        let without = self.wanted().into_keys().find(|name| !self.magnitudes.contains_key(*name));
        without.map_or(Ok(()), |name| Err(name.to_owned()))
    }
}

/// The text of `calibrate`.
pub(super) struct Samples {
    tokens: Tokens,
    protocol: Protocol,
    max_length: usize,
    together: usize,
}

impl Samples {
    /// For a model whose sequences have `longest` tokens at most, and that is trained on `batch` windows at once.
    pub(super) fn read(protocol: &Protocol, longest: Option<u64>, batch: u64) -> Result<Samples, EvalError> {
        let data = protocol.data.as_deref().unwrap_or_default();
        let (max_length, ..) = protocol.lengths(longest);
        Ok(Samples {
            tokens: Tokens::read(data, protocol.tokenizer.as_deref())?,
            protocol: protocol.clone(),
            max_length,
            together: usize::try_from(batch.clamp(1, TOGETHER)).unwrap_or(1),
        })
    }

    /// Refuses ids that have no row in a table of `vocabulary` rows.
    pub(super) fn fit(&self, vocabulary: Option<u64>) -> Result<(), EvalError> {
        vocabulary.map_or(Ok(()), |vocabulary| self.tokens.fit(vocabulary))
    }

    /// The magnitude for each matrix with a static step: its percentile of all that comes to it, where weights are in their formats
    /// and nothing else is rounded.
    pub(super) fn measure(&self, student: &Student, stop: &Stop) -> Result<BTreeMap<String, f32>, EvalError> {
        let inputs = &student.inputs;
        let wanted = inputs.wanted();
        let encoding = |f: Fault| EvalError::new("", "encoding", f.message).tensor(&f.tensor);
        let images = student.images().map_err(encoding)?;
        let cut = samples_of(&self.tokens, &self.protocol, self.max_length)?;
        let mut seen: BTreeMap<&str, Statistics> = BTreeMap::new();
        for alike in cut.chunk_by(|a, b| a.len() == b.len()) {
            for batch in alike.chunks(self.together) {
                if stop.is_asked() {
                    return Err(EvalError::new("", "calibrating", "it was asked to end"));
                }
                let mut see = |weight: &str, width: usize, values: &[f32]| {
                    let name = inputs.tensor(weight).filter(|name| wanted.contains_key(name));
                    if let Some(name) = name {
                        seen.entry(name).or_default().add(width, values);
                    }
                };
                untraced(|| student.see(&images, &batch.concat(), batch.len(), &mut see))?;
            }
        }
        let share = |percentile: &Percentile| f64::from(percentile.billionths()) / 1e9;
        let figures = wanted.iter().filter_map(|(name, percentile)| {
            Some(((*name).to_owned(), seen.get(name)?.percentile(share(percentile))))
        });
        Ok(figures.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::is_due;

    #[test]
    fn scales_are_measured_now_and_then_and_last() {
        let due = |steps: u64| (0..=steps).filter(|step| is_due(*step, steps)).collect::<Vec<_>>();
        assert_eq!(due(1), [0, 1]);
        assert_eq!(due(25), [0, 10, 20, 25]);
        assert_eq!(due(400).len(), 11);
    }
}
