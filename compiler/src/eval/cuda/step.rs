//! Tokens that come one at a time: the first one is computed, the next one is written down, and what was written down is done for
//! all others. It reads the token's id and how many there were from the device, and holds the addresses of one state.

use icpc_kernels::KernelError;
use icpc_kernels::cuda::model::{Ids, KeyValues, Looks, Recording};

use super::Recorded;
use super::model::CudaModel;
use super::value::Value;
use crate::eval::error::EvalError;
use crate::eval::interpret::Batch;
use crate::eval::model::Logits;
use crate::eval::state::State;
use crate::graph::Node;

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
    /// Results that are looked at for NaN.
    _looks: Looks,
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

/// The scores after one more token; nothing where it is to be computed as any others.
pub(super) fn next(model: &CudaModel, id: u32, state: &mut State) -> Result<Option<Logits>, EvalError> {
    let failed = |message: String| EvalError::new(&model.path, "running", message);
    let room = room(model, state);
    let seen = state.tokens().saturating_add(1);
    let steps = state.memory(STEPS, Steps::default).map_err(|failure| failed(failure.message))?;
    if let Some(step) = steps.recorded.as_ref().filter(|step| seen <= step.room) {
        let logits = again(model, step, id, seen)?;
        state.memories_mut::<Option<KeyValues>>().flatten().for_each(|cache| cache.advance(1));
        return Ok(Some(logits));
    }
    // Memory may move now, which nothing that was written down would see.
    steps.recorded = None;
    let is_warm = std::mem::replace(&mut steps.is_warm, true);
    if !is_warm || seen > room {
        return Ok(None);
    }
    let step = record(model, id, state, room).map_err(|stopped| match stopped {
        Stopped::Kernel(error) => failed(error.to_string()),
        Stopped::Eval(error) => *error,
    })?;
    // Writing it down has counted the token already.
    let logits = again(model, &step, id, seen)?;
    let steps = state.memory(STEPS, Steps::default).map_err(|failure| failed(failure.message))?;
    steps.recorded = Some(step);
    Ok(Some(logits))
}

/// Tokens for which nothing has to move.
fn room(model: &CudaModel, state: &mut State) -> usize {
    let caches = state.memories_mut::<Option<KeyValues>>().flatten().map(|cache| cache.room());
    let caches = caches.min().unwrap_or(usize::MAX);
    let turns = model.engine.turns.borrow().values().map(|turns| turns.positions()).min();
    caches.min(turns.unwrap_or(usize::MAX))
}

fn record(model: &CudaModel, id: u32, state: &mut State, room: usize) -> Result<Step, Stopped> {
    let (engine, device) = (&model.engine, &model.engine.device);
    let own = device.upload_ids(&[id])?;
    let looks = device.looks(model.graph.nodes.len())?;
    *engine.recorded.borrow_mut() = Some(Recorded { id: own.clone(), looks, results: Vec::new() });
    let recording = device.record(|| {
        let batch = Batch { ids: &[id], sequences: 1, stop: None };
        model.compute(batch, Some(state), None).map_err(|error| Stopped::Eval(Box::new(error)))
    });
    let recorded = engine.recorded.borrow_mut().take();
    let recording = recording?;
    let lost = || KernelError::Device { what: "internal error: a step without results".to_owned() };
    let Recorded { mut looks, results, .. } = recorded.ok_or_else(lost)?;
    device.set_looks(&mut looks, results)?;
    Ok(Step { recording, id: own, room, _looks: looks })
}

/// Does a step for this id, the last of `seen` tokens.
fn again(model: &CudaModel, step: &Step, id: u32, seen: usize) -> Result<Logits, EvalError> {
    let (engine, device) = (&model.engine, &model.engine.device);
    let failed = |message: String| EvalError::new(&model.path, "running", message);
    let before = seen.saturating_sub(1);
    let past = u32::try_from(before).map_err(|_| failed("the sequence is too long".to_owned()))?;
    let done = device.replace_ids(&[(&step.id, &[id]), (&engine.past, &[past])]).and_then(|()| {
        engine.known_past.set(Some(before));
        step.recording.replay()
    });
    let value = done.map_err(|e| failed(e.to_string()))?;
    let floats = value.floats().map_err(|f| failed(f.message))?;
    let (bad, values) = device.seen_with(&engine.witness, floats).map_err(|e| failed(e.to_string()))?;
    match bad {
        None => Ok(Logits { vocabulary: value.width(), values }),
        Some((number, _)) => Err(model.not_finite(number)),
    }
}

impl CudaModel {
    /// That a result is not, of those that are looked at.
    fn not_finite(&self, number: usize) -> EvalError {
        // Ids are not looked at.
        let is_looked_at = |node: &&Node| !matches!(node.op.name, "iota" | "zeros_like");
        let node = self.graph.nodes.iter().filter(is_looked_at).nth(number);
        let operation = node.map_or("running", |node| node.op.name);
        EvalError {
            layer: node.filter(|node| !node.scope.is_empty()).map(|node| Box::from(&*node.scope)),
            ..EvalError::new(&self.path, operation, "its result holds NaN or infinity")
        }
        .remedy("the weights do not fit together, or a format lost too much")
    }
}
