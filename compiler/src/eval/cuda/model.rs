//! A model on a CUDA device.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use icpc_kernels::KernelError;
use icpc_kernels::cuda::model::{Device, DeviceWeight};
use icpc_kernels::model::Weight;

use super::value::Value;
use super::{Cuda, step};
use crate::eval::error::{EvalError, Failure};
use crate::eval::interpret::{Batch, Machine, interpret};
use crate::eval::model::{Logits, Model, Tap, last_use};
use crate::eval::native::Native;
use crate::eval::state::State;
use crate::eval::weights::Loaded;
use crate::graph::{Graph, Operand};

/// A forward on a CUDA device.
pub(in crate::eval) struct CudaModel {
    pub(super) path: String,
    pub(super) graph: Graph,
    pub(super) last_use: Vec<usize>,
    pub(super) engine: Cuda,
}

impl CudaModel {
    /// The weights of `model` on a device, as they are stored; tied ones once. Of `like`, a model on the same device and what it
    /// was made of, those that both have are shared.
    ///
    /// # Errors
    /// A device without memory for them.
    pub(in crate::eval) fn of(
        model: &Model,
        device: &Device,
        like: Option<(&CudaModel, &Native)>,
    ) -> Result<CudaModel, EvalError> {
        let failed = |error: KernelError| EvalError::new(model.path(), "loading", error.to_string());
        let upload = |stored: Result<Weight<'_>, Failure>, of: &Loaded| {
            let stored =
                stored.map_err(|f| EvalError::new(model.path(), "loading", f.message).tensor(&of.name))?;
            device.weight(&stored).map_err(|e| failed(e).tensor(&of.name))
        };
        let loaded = &model.native.weights;
        let mut weights: Vec<DeviceWeight> = Vec::with_capacity(loaded.len());
        for weight in loaded {
            let tied = loaded.iter().position(|other| Arc::ptr_eq(other, weight));
            let known = tied.and_then(|first| weights.get(first)).cloned().or_else(|| {
                let (like, from) = like?;
                let number = from.weights.iter().position(|other| Arc::ptr_eq(other, weight))?;
                like.engine.weights.get(number).cloned()
            });
            let on_device = known.map_or_else(|| upload(weight.weight(), weight), Ok)?;
            weights.push(on_device.with_inputs(model.rounding().of(weight)));
        }
        // Codes that a product takes the other way.
        let mut turned = BTreeMap::new();
        for node in model.graph().nodes.iter().filter(|node| node.flag("transposed") == Some(true)) {
            let Some(Operand::Weight(number)) = node.inputs.get(1) else { continue };
            let Some(weight) = loaded.get(*number) else { continue };
            if let Some(scale) = model.rounding().of(weight) {
                let codes = upload(weight.transposed_codes(), weight)?;
                turned.insert(*number, codes.with_inputs(Some(scale)));
            }
        }
        Ok(CudaModel {
            path: model.path().to_owned(),
            last_use: last_use(model.graph()),
            graph: model.graph().clone(),
            engine: Cuda {
                weights,
                turned,
                names: loaded.iter().map(|w| w.name.clone()).collect(),
                shapes: loaded.iter().map(|w| w.shape.clone()).collect(),
                floats: RefCell::new(BTreeMap::new()),
                experts: RefCell::new(BTreeMap::new()),
                turns: RefCell::new(BTreeMap::new()),
                past: device.zero_ids(1).map_err(failed)?,
                known_past: Cell::new(Some(0)),
                witness: device.witness().map_err(failed)?,
                looked: Cell::new(0),
                recorded: RefCell::new(None),
                device: device.clone(),
            },
        })
    }

    /// The device.
    pub(in crate::eval) fn device(&self) -> &Device {
        &self.engine.device
    }

    /// Scores of a sequence on the host.
    pub(in crate::eval) fn logits(
        &self,
        batch: Batch<'_>,
        mut state: Option<&mut State>,
        tap: Option<Tap<'_>>,
    ) -> Result<Logits, EvalError> {
        // A shorter lifetime for the closure.
        let tap = tap.map(|tap| tap as Tap<'_>);
        if let (Some(state), [id], None) = (&mut state, batch.ids, &tap)
            && let Some(logits) = step::next(self, *id, state)?
        {
            return Ok(logits);
        }
        let result = self.compute(batch, state, tap)?;
        let running = |message: String| EvalError::new(&self.path, "running", message);
        let floats = result.floats().map_err(|f| running(f.message))?;
        let values = floats.download().map_err(|e| running(e.to_string()))?;
        Ok(Logits { vocabulary: result.width(), values })
    }

    /// The result on the device.
    pub(super) fn compute(
        &self,
        batch: Batch<'_>,
        state: Option<&mut State>,
        tap: Option<Tap<'_>>,
    ) -> Result<Value, EvalError> {
        let machine = Machine {
            path: &self.path,
            graph: &self.graph,
            engine: &self.engine,
            last_use: &self.last_use,
            is_watched: true,
        };
        let tap = tap.map(|tap| tap as Tap<'_>);
        interpret(&machine, batch, state, tap)
    }
}
