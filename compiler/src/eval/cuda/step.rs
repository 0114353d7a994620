//! Tokens that come one at a time: the first one is computed, the next one is written down, and what was written down is done for
//! all others. It reads the token's id and how many there were from the device, and holds the addresses of one state.

use icpc_kernels::KernelError;
use icpc_kernels::cuda::model::{Ids, KeyValues, Recording};

use super::model::CudaModel;
use super::value::Value;
use crate::eval::error::{EvalError, Failure};
use crate::eval::interpret::Batch;
use crate::eval::state::State;

/// What a state knows of its steps.
#[derive(Default)]
struct Steps {
    /// Whether everything that is made on first use was made.
    is_warm: bool,
    recorded: Option<Step>,
}

struct Step {
    recording: Recording<Value>,
    id: Ids,
    /// Tokens for which there is room at the same addresses.
    room: usize,
    /// Results that were looked at for NaN, by node.
    looked: Vec<usize>,
}

/// A number that is no node.
const STEPS: usize = usize::MAX;

enum Stopped {
    Kernel(KernelError),
    Eval(Box<EvalError>),
}

impl From<KernelError> for Stopped {
    fn from(error: KernelError) -> Stopped {
        Stopped::Kernel(error)
    }
}

/// The scores after one more token, on the device.
pub(super) fn next(model: &CudaModel, id: u32, state: &mut State) -> Result<Value, EvalError> {
    let failed = |failure: Failure| EvalError::new(&model.path, "running", failure.message);
    let room = room(model, state);
    let seen = state.tokens().saturating_add(1);
    let steps = state.memory(STEPS, Steps::default).map_err(failed)?;
    if let Some(step) = steps.recorded.as_ref().filter(|step| seen <= step.room) {
        let again = again(model, step, id, seen);
        let result = again.map_err(|e| EvalError::new(&model.path, "running", e.to_string()));
        let (value, bad) = result?;
        state.memories_mut::<Option<KeyValues>>().flatten().for_each(|cache| cache.advance(1));
        return match bad {
            None => Ok(value),
            Some(node) => Err(model.not_finite(node)),
        };
    }
    // Memory may move now, which nothing that was written down would see.
    steps.recorded = None;
    let is_warm = std::mem::replace(&mut steps.is_warm, true);
    if !is_warm || seen > room {
        return model.compute(Batch { ids: &[id], sequences: 1 }, Some(state), None);
    }
    record(model, id, state, room).map_err(|stopped| match stopped {
        Stopped::Kernel(error) => EvalError::new(&model.path, "running", error.to_string()),
        Stopped::Eval(error) => *error,
    })
}

/// Tokens for which nothing has to move.
fn room(model: &CudaModel, state: &mut State) -> usize {
    let caches = state.memories_mut::<Option<KeyValues>>().flatten().map(|cache| cache.room());
    let caches = caches.min().unwrap_or(usize::MAX);
    let turns = model.engine.turns.borrow().values().map(|turns| turns.positions()).min();
    caches.min(turns.unwrap_or(usize::MAX))
}

fn record(model: &CudaModel, id: u32, state: &mut State, room: usize) -> Result<Value, Stopped> {
    let engine = &model.engine;
    let own = engine.device.upload_ids(&[id])?;
    let seen = state.tokens().saturating_add(1);
    *engine.recorded.borrow_mut() = Some(own.clone());
    let recording = engine.device.record(|| {
        let batch = Batch { ids: &[id], sequences: 1 };
        model.compute(batch, Some(state), None).map_err(|error| Stopped::Eval(Box::new(error)))
    });
    *engine.recorded.borrow_mut() = None;
    let looked = model.looked_nodes();
    let step = Step { recording: recording?, id: own, room, looked };
    // Writing it down has counted the token already.
    let (value, bad) = again(model, &step, id, seen)?;
    if let Some(node) = bad {
        return Err(Stopped::Eval(Box::new(model.not_finite(node))));
    }
    let steps = state.memory(STEPS, Steps::default);
    if let Ok(steps) = steps {
        steps.recorded = Some(step);
    }
    Ok(value)
}

/// Does a step for this id; gives the node whose result holds NaN or infinity, if there is one.
fn again(
    model: &CudaModel,
    step: &Step,
    id: u32,
    seen: usize,
) -> Result<(Value, Option<usize>), KernelError> {
    let engine = &model.engine;
    let past = u32::try_from(seen.saturating_sub(1)).unwrap_or(u32::MAX);
    engine.device.replace_ids(&step.id, &[id])?;
    engine.device.replace_ids(&engine.past, &[past])?;
    engine.known_past.set(Some(seen.saturating_sub(1)));
    let value = step.recording.replay()?.clone();
    let bad = engine.device.seen(&engine.witness)?;
    Ok((value, bad.map(|(number, _)| step.looked.get(number).copied().unwrap_or(usize::MAX))))
}

impl CudaModel {
    /// Nodes whose results are activations, which are looked at in this order.
    fn looked_nodes(&self) -> Vec<usize> {
        let is_index = |name: &str| matches!(name, "iota" | "zeros_like");
        let all = self.graph.nodes.iter().enumerate();
        all.filter(|(_, node)| !is_index(node.op.name)).map(|(number, _)| number).collect()
    }

    fn not_finite(&self, node: usize) -> EvalError {
        let node = self.graph.nodes.get(node);
        let operation = node.map_or("running", |node| node.op.name);
        EvalError {
            layer: node.filter(|node| !node.scope.is_empty()).map(|node| Box::from(&*node.scope)),
            ..EvalError::new(&self.path, operation, "its result holds NaN or infinity")
        }
        .remedy("the weights do not fit together, or a format lost too much")
    }
}
