//! Runs a model's graph in the place that was chosen for it.

use icpc_kernels::model::{first_not_finite, reference};
use rayon::prelude::*;

use super::error::{EvalError, Failure};
use super::integer::Rounding;
use super::interpret::{Batch, Machine, interpret};
use super::model::{Logits, Model, Tap};
use super::reference::Reference;
use super::state::State;
use crate::backend::place::Place;

/// What a place keeps of a model beside its weights in memory.
#[derive(Default)]
pub(super) enum Runner {
    #[default]
    Native,
    Reference(Box<Reference>),
    /// One thread at a time computes: libtorch has threads of its own.
    #[cfg(feature = "torch")]
    Torch(Box<std::sync::Mutex<super::torch::TorchModel>>),
    /// One thread at a time asks for work, which the device does in that order.
    #[cfg(feature = "cuda")]
    Cuda(Box<std::sync::Mutex<super::cuda::CudaModel>>),
}

impl Model {
    /// The same model, computed in this place; the weights in memory are those of both.
    ///
    /// # Errors
    /// A place that this build or this machine does not have; a device without memory for the weights.
    pub fn on(&self, place: Place) -> Result<Model, EvalError> {
        let mut model = self.share();
        model.runner = self.runner_at(place, None)?;
        model.place = place;
        Ok(model)
    }

    /// The same model on this CUDA device, or on what stands for one in tests.
    ///
    /// # Errors
    /// A device without memory for the weights.
    #[cfg(feature = "cuda")]
    pub fn on_cuda(mut self, device: &icpc_kernels::cuda::model::Device) -> Result<Model, EvalError> {
        let made = super::cuda::CudaModel::of(&self, device, None)?;
        self.runner = Runner::Cuda(Box::new(std::sync::Mutex::new(made)));
        self.place = Place::Cuda(0);
        Ok(self)
    }

    /// Where it is computed.
    pub fn place(&self) -> Place {
        self.place
    }

    /// libtorch does not round all inputs together, as PyTorch's packed layers do.
    fn refuse_packed(&self, place: Place) -> Result<(), EvalError> {
        let packed = self.storages().find(|weight| weight.is_packed());
        if let (Place::Torch(_), Rounding::Torch, Some(weight)) = (place, self.rounding(), packed) {
            let message =
                format!("inputs of its products are to be rounded together, which {place} does not do");
            return Err(EvalError::new(self.path(), "opening", message)
                .tensor(&weight.name)
                .remedy("choose `--backend native` or `--backend cuda`"));
        }
        Ok(())
    }

    /// Makes what `place` needs; of `like`, the same model with other weights, what both have is shared.
    pub(super) fn runner_at(&self, place: Place, like: Option<&Model>) -> Result<Runner, EvalError> {
        self.refuse_packed(place)?;
        match place {
            Place::Native => Ok(Runner::Native),
            Place::Reference => {
                let known = like.and_then(|like| match &like.runner {
                    Runner::Reference(known) => Some(known.as_ref()),
                    _ => None,
                });
                let made = Reference::of(&self.native, known);
                let made = made.map_err(|f| EvalError::new(self.path(), "opening", f.message))?;
                Ok(Runner::Reference(Box::new(made)))
            }
            #[cfg(feature = "torch")]
            Place::Torch(gpu) => {
                use super::torch::TorchModel;
                let made = match like {
                    Some(Model { runner: Runner::Torch(known), native, .. }) => {
                        TorchModel::like(self, &lock(known), native)?
                    }
                    _ => TorchModel::at(self, gpu)?,
                };
                Ok(Runner::Torch(Box::new(std::sync::Mutex::new(made))))
            }
            #[cfg(not(feature = "torch"))]
            Place::Torch(gpu) => {
                let _ = like;
                let missing = crate::backend::devices::torch_is_there(gpu).err();
                let (what, remedy) = missing.map(|m| (m.what, m.remedy)).unwrap_or_default();
                Err(EvalError::new(self.path(), "opening", what).remedy(remedy))
            }
            #[cfg(feature = "cuda")]
            Place::Cuda(gpu) => {
                use super::cuda::CudaModel;
                let made = match like {
                    Some(Model { runner: Runner::Cuda(known), native, .. }) => {
                        let known = lock(known);
                        CudaModel::of(self, known.device(), Some((&known, native)))?
                    }
                    _ => {
                        let device = icpc_kernels::cuda::model::Device::open(gpu).map_err(|missing| {
                            EvalError::new(self.path(), "opening", missing.what).remedy(missing.remedy)
                        })?;
                        CudaModel::of(self, &device, None)?
                    }
                };
                Ok(Runner::Cuda(Box::new(std::sync::Mutex::new(made))))
            }
            #[cfg(not(feature = "cuda"))]
            Place::Cuda(gpu) => {
                let missing = crate::backend::devices::cuda_is_there(gpu).err();
                let (what, remedy) = missing.map(|m| (m.what, m.remedy)).unwrap_or_default();
                Err(EvalError::new(self.path(), "opening", what).remedy(remedy))
            }
        }
    }

    /// Scores for sequences by themselves, each in its place: side by side on the processor, together where several of one
    /// length are one computation.
    ///
    /// # Errors
    /// As [`Model::logits`], for each sequence.
    pub fn logits_of(&self, sequences: &[&[u32]]) -> Vec<Result<Logits, EvalError>> {
        match &self.runner {
            Runner::Native | Runner::Reference(_) => {
                sequences.par_iter().map(|ids| self.logits(ids)).collect()
            }
            #[cfg(feature = "torch")]
            Runner::Torch(_) => {
                let mut found = Vec::with_capacity(sequences.len());
                for same in sequences.chunk_by(|a, b| a.len() == b.len()) {
                    match self.together(same) {
                        Some(logits) => found.extend(logits.into_iter().map(Ok)),
                        // Each by itself says which one it is.
                        None => found.extend(same.iter().map(|ids| self.logits(ids))),
                    }
                }
                found
            }
            #[cfg(feature = "cuda")]
            Runner::Cuda(_) => sequences.iter().map(|ids| self.logits(ids)).collect(),
        }
    }

    /// Scores for sequences of one length, if all went well.
    #[cfg(feature = "torch")]
    fn together(&self, sequences: &[&[u32]]) -> Option<Vec<Logits>> {
        let all_fit = sequences.iter().all(|ids| self.check(ids, 0).is_ok());
        let (Runner::Torch(torch), true) = (&self.runner, all_fit && sequences.len() > 1) else {
            return None;
        };
        let batch = Batch { ids: &sequences.concat(), sequences: sequences.len() };
        lock(torch).logits(batch, None, None).ok().filter(|logits| logits.len() == sequences.len())
    }

    /// Whether several threads compute side by side.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.runner, Runner::Native | Runner::Reference(_))
    }

    /// The walk over the graph on an engine in the memory of the processor.
    fn machine<'a, E>(&'a self, engine: &'a E) -> Machine<'a, E> {
        Machine { path: self.path(), graph: &self.graph, engine, last_use: &self.last_use, is_watched: true }
    }

    /// Sequences whose ids were looked at; scores of several are one behind the other.
    pub(super) fn run(
        &self,
        batch: Batch<'_>,
        state: Option<&mut State>,
        tap: Option<Tap<'_>>,
    ) -> Result<Logits, EvalError> {
        // A shorter lifetime for the closure.
        let tap = tap.map(|tap| tap as Tap<'_>);
        let running = |failure: Failure| EvalError::new(self.path(), "running", failure.message);
        match &self.runner {
            Runner::Native => {
                let result = interpret(&self.machine(&self.native), batch, state, tap)?;
                let vocabulary = result.width();
                let values = result.into_values().map_err(running)?;
                Ok(Logits { vocabulary, values })
            }
            Runner::Reference(engine) => {
                let result = interpret(&self.machine(engine.as_ref()), batch, state, tap)?;
                let vocabulary = result.width();
                let values = reference::narrow(result.values().map_err(running)?);
                match first_not_finite(&values) {
                    None => Ok(Logits { vocabulary, values }),
                    Some(index) => {
                        Err(running(Failure::new(format!("score {index} is beyond what f32 holds"))))
                    }
                }
            }
            #[cfg(feature = "torch")]
            Runner::Torch(torch) => {
                let all = lock(torch).logits(batch, state, tap)?;
                let vocabulary = all.first().map_or(0, |logits| logits.vocabulary);
                let values = all.into_iter().map(|logits| logits.values).reduce(|mut all, next| {
                    all.extend(next);
                    all
                });
                Ok(Logits { vocabulary, values: values.unwrap_or_default() })
            }
            #[cfg(feature = "cuda")]
            Runner::Cuda(cuda) => lock(cuda).logits(batch, state, tap),
        }
    }
}

/// A computation that panicked left no half-done work: values are made anew each time.
#[cfg(any(feature = "torch", feature = "cuda"))]
fn lock<T>(held: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
