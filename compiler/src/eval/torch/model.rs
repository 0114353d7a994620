//! A model on a device, for whoever computes with its values there: training, and the runs of [`Model`].

use std::sync::Arc;

use icpc_kernels::model::ActivationScale;
use icpc_kernels::torch::TorchDevice;
use icpc_kernels::torch::model::{InputSteps, TorchRuntime, TorchValue, TorchWeight, untraced};

use super::Torch;
use crate::eval::error::EvalError;
use crate::eval::integer::Rounding;
use crate::eval::interpret::{Batch, Machine, interpret};
use crate::eval::model::{Logits, Model, Tap, last_use};
use crate::eval::native::Native;
use crate::eval::state::State;
use crate::eval::weights::Loaded;
use crate::graph::Graph;

/// A forward on a device of libtorch.
///
/// [`TorchModel::forward`] takes a batch of sequences of one length and computes logits with a trace for gradients, which come
/// to weights that are leaves ([`TorchValue::leaf`]), or to what weights were computed from:
///
/// ```no_run
/// # use icpc::eval::{Model, TorchModel};
/// # use icpc_kernels::torch::{TorchDevice, model::{TorchRuntime, TorchValue, TorchWeight, cross_entropy}};
/// # fn train(model: &Model) -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = TorchRuntime::open(TorchDevice::Cpu, 2)?;
/// let model = TorchModel::of(model, runtime)?;
/// let leaves: Vec<TorchValue> = model.weights().iter().map(|w| w.dense(&runtime)?.leaf()).collect::<Result<_, _>>()?;
/// // Tied weights are one leaf.
/// let weights: Vec<TorchWeight> =
///     (0..leaves.len()).map(|n| TorchWeight::values(leaves[model.first_of(n)].clone())).collect();
/// let logits = model.forward_with(&weights, &[1, 2, 3, 4, 5, 6], 2)?; // [2, 3, vocabulary]
/// let targets = TorchValue::ids(&runtime, &[2, 3], &[2, 3, 4, 5, 6, 7])?;
/// cross_entropy(&logits, &targets)?.average()?.backward()?;
/// let gradient = leaves[0].gradient()?;
/// # Ok(())
/// # }
/// ```
pub struct TorchModel {
    path: String,
    graph: Graph,
    last_use: Vec<usize>,
    engine: Torch,
    /// For each weight the first one of the same storage.
    first_of: Vec<usize>,
}

impl TorchModel {
    /// The weights of `model` on a device, as they are stored; tied ones once.
    ///
    /// # Errors
    /// A device without memory for them.
    pub fn of(model: &Model, runtime: TorchRuntime) -> Result<TorchModel, EvalError> {
        TorchModel::with(model, runtime, |_| None)
    }

    /// The same on the processor or on a GPU, with as many threads as the pool at hand has.
    ///
    /// # Errors
    /// There is no such device, or it has no memory for the weights.
    pub(in crate::eval) fn at(model: &Model, gpu: Option<usize>) -> Result<TorchModel, EvalError> {
        let device = gpu.map_or(TorchDevice::Cpu, TorchDevice::Cuda);
        let runtime = TorchRuntime::open(device, rayon::current_num_threads());
        let runtime =
            runtime.map_err(|e| EvalError::new(model.path(), "opening", e.what).remedy(e.remedy))?;
        TorchModel::of(model, runtime)
    }

    /// The same on the device of `known`, which shares those weights that it was made of, too.
    ///
    /// # Errors
    /// A device without memory for the others.
    pub(in crate::eval) fn like(
        model: &Model,
        known: &TorchModel,
        known_from: &Native,
    ) -> Result<TorchModel, EvalError> {
        TorchModel::with(model, known.engine.runtime, |weight| {
            let number = known_from.weights.iter().position(|other| Arc::ptr_eq(other, weight))?;
            known.engine.weights.get(number).cloned()
        })
    }

    fn with(
        model: &Model,
        runtime: TorchRuntime,
        known: impl Fn(&Arc<Loaded>) -> Option<TorchWeight>,
    ) -> Result<TorchModel, EvalError> {
        let loaded = &model.native.weights;
        let first_of = loaded.iter().enumerate().map(|(number, weight)| {
            loaded.iter().position(|other| Arc::ptr_eq(other, weight)).unwrap_or(number)
        });
        let first_of: Vec<usize> = first_of.collect();
        runtime.enter();
        let mut weights: Vec<TorchWeight> = Vec::with_capacity(loaded.len());
        for (number, (weight, first)) in loaded.iter().zip(&first_of).enumerate() {
            let known = if *first < number { weights.get(*first).cloned() } else { known(weight) };
            let weight_at = known.map_or_else(|| stored(model.path(), weight, &runtime), Ok)?;
            weights.push(weight_at.with_inputs(inputs(weight, model.rounding())));
        }
        Ok(TorchModel {
            path: model.path().to_owned(),
            last_use: last_use(model.graph()),
            graph: model.graph().clone(),
            engine: Torch {
                looks_later: runtime.is_remote(),
                runtime,
                weights,
                names: loaded.iter().map(|w| w.name.clone()).collect(),
            },
            first_of,
        })
    }

    /// The device.
    pub fn runtime(&self) -> &TorchRuntime {
        &self.engine.runtime
    }

    /// What is computed.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The weights of the graph, in its order.
    pub fn weights(&self) -> &[TorchWeight] {
        &self.engine.weights
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.engine.names
    }

    /// The first weight that has the storage of weight `number`: another number where weights are tied.
    pub fn first_of(&self, number: usize) -> usize {
        self.first_of.get(number).copied().unwrap_or(number)
    }

    /// Exchanges weights for others of the same shapes.
    pub fn set_weights(&mut self, weights: Vec<TorchWeight>) {
        self.engine.weights = weights;
    }

    /// Logits of `sequences` sequences of one length, which stand one behind the other in `ids`: `[sequences, length, vocabulary]`. NaN and
    /// infinity are not looked for.
    ///
    /// # Errors
    /// Ids that are no such sequences; an operation that fails, with layer and tensor.
    pub fn forward(&self, ids: &[u32], sequences: usize) -> Result<TorchValue, EvalError> {
        self.compute(&self.engine, Batch { ids, sequences }, false, None, None)
    }

    /// The same with these weights in the place of its own.
    ///
    /// # Errors
    /// As [`TorchModel::forward`].
    pub fn forward_with(
        &self,
        weights: &[TorchWeight],
        ids: &[u32],
        sequences: usize,
    ) -> Result<TorchValue, EvalError> {
        let engine =
            Torch { weights: weights.to_vec(), names: Arc::clone(&self.engine.names), ..self.engine };
        self.compute(&engine, Batch { ids, sequences }, false, None, None)
    }

    /// Scores on the host, without a trace; one for each sequence.
    pub(in crate::eval) fn logits(
        &self,
        batch: Batch<'_>,
        state: Option<&mut State>,
        tap: Option<Tap<'_>>,
    ) -> Result<Vec<Logits>, EvalError> {
        untraced(|| {
            let result = self.compute(&self.engine, batch, true, state, tap)?;
            let vocabulary = result.width();
            let values = result.to_floats();
            let values = values.map_err(|e| EvalError::new(&self.path, "running", e.to_string()))?;
            let each = values.len().checked_div(batch.sequences).unwrap_or(0).max(1);
            Ok(values.chunks(each).map(|v| Logits { vocabulary, values: v.to_vec() }).collect())
        })
    }

    fn compute(
        &self,
        engine: &Torch,
        batch: Batch<'_>,
        is_watched: bool,
        state: Option<&mut State>,
        tap: Option<Tap<'_>>,
    ) -> Result<TorchValue, EvalError> {
        engine.runtime.enter();
        let machine =
            Machine { path: &self.path, graph: &self.graph, engine, last_use: &self.last_use, is_watched };
        // A shorter lifetime for the closure.
        let tap = tap.map(|tap| tap as Tap<'_>);
        interpret(&machine, batch, state, tap)
    }
}

fn stored(path: &str, weight: &Loaded, runtime: &TorchRuntime) -> Result<TorchWeight, EvalError> {
    let made = TorchWeight::stored(runtime, weight.format(), weight.extents(), weight.dtype(), |role| {
        weight.part(role)
    });
    made.map_err(|e| EvalError::new(path, "loading", e.to_string()).tensor(&weight.name))
}

/// How `rounding` rounds what is multiplied with a weight.
fn inputs(weight: &Loaded, rounding: Rounding) -> Option<InputSteps> {
    match rounding.of(weight)? {
        ActivationScale::Static(step) => Some(InputSteps::Static(step)),
        ActivationScale::Dynamic => Some(InputSteps::Dynamic),
        // a model that asks for it is refused before
        ActivationScale::Whole => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::place::Place;

    const QUICKSTART: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/itera_quickstart.pt");

    #[test]
    fn a_device_that_is_not_waited_for_says_what_it_found() {
        let model = Model::open(QUICKSTART).unwrap();
        let runtime = TorchRuntime::open(TorchDevice::Cpu, 1).unwrap();
        let mut torch = TorchModel::of(&model, runtime).unwrap();
        torch.engine.looks_later = true;
        let batch = Batch { ids: &[1, 2, 3], sequences: 1 };
        let found = torch.logits(batch, None, None).unwrap().remove(0).values;
        assert_eq!(found, model.on(Place::Torch(None)).unwrap().logits(&[1, 2, 3]).unwrap().values);
        let number = torch.names().iter().position(|name| name == "layers.1.ssm.in_proj.weight").unwrap();
        let mut weights = torch.weights().to_vec();
        let shape = weights[number].shape();
        let infinite = vec![f32::INFINITY; shape.iter().product()];
        weights[number] = TorchWeight::values(TorchValue::floats(&runtime, &shape, &infinite).unwrap());
        torch.set_weights(weights);
        let error = torch.logits(batch, None, None).unwrap_err().to_string();
        assert!(error.contains("linear in `layers.1`, tensor `layers.1.ssm.in_proj.weight`"), "{error}");
        assert!(error.contains("its result holds NaN or infinity"), "{error}");
    }
}
