//! Computes the nodes of a graph, one after the other, on any engine; a value goes as soon as nothing needs it.

use std::any::Any;

use super::engine::{Engine, Look, compute};
use super::error::{EvalError, Failure};
use super::model::Tap;
use super::state::State;
use crate::exec::Stop;
use crate::graph::{Attribute, Extent, Graph, Node, Operand};

/// What a computation needs.
pub(super) struct Machine<'a, E> {
    pub path: &'a str,
    pub graph: &'a Graph,
    pub engine: &'a E,
    /// By node, the last node that reads it.
    pub last_use: &'a [usize],
    /// Whether NaN and infinity are looked for.
    pub is_watched: bool,
}

/// Sequences of one length, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub ids: &'a [u32],
    pub sequences: usize,
    /// Heard before each node.
    pub stop: Option<&'a Stop>,
}

/// One computation.
pub(super) struct Run<'a, 'm, E: Engine> {
    machine: &'a Machine<'m, E>,
    params: Vec<E::Value>,
    values: Vec<Option<E::Value>>,
    /// Values of names that the inputs bring in.
    free: Vec<(String, u64)>,
    state: Option<&'a mut State>,
    tap: Option<Tap<'a>>,
    /// The node at hand.
    at: usize,
}

/// Computes the result of the graph for a batch of ids.
pub(super) fn interpret<'a, E: Engine>(
    machine: &'a Machine<'_, E>,
    batch: Batch<'_>,
    state: Option<&'a mut State>,
    tap: Option<Tap<'a>>,
) -> Result<E::Value, EvalError> {
    let (graph, engine) = (machine.graph, machine.engine);
    let running = |message: String| EvalError::new(machine.path, "running", message);
    let shape = shape_of(graph, batch).map_err(running)?;
    let [param] = graph.params.as_slice() else {
        return Err(running(format!(
            "the forward has {} inputs, and only ids are given",
            graph.params.len()
        )));
    };
    let free = param.shape.iter().zip(&shape).flat_map(|(extent, n)| {
        extent.names().into_iter().map(|name| (name.to_owned(), *n as u64)).collect::<Vec<_>>()
    });
    let mut run = Run {
        machine,
        free: free.filter(|(name, _)| graph.number(name).is_none()).collect(),
        params: vec![engine.ids(shape, batch.ids).map_err(|f| running(f.message))?],
        values: vec![None; graph.nodes.len()],
        state,
        tap,
        at: 0,
    };
    let mut later: Vec<(usize, E::Value)> = Vec::new();
    for (number, node) in graph.nodes.iter().enumerate() {
        if batch.stop.is_some_and(Stop::is_asked) {
            return Err(EvalError::asked_to_end(machine.path));
        }
        run.at = number;
        let value = compute(&mut run, node).map_err(|failure| machine.failed(node, failure))?;
        if machine.is_watched {
            match engine.look(&value).map_err(|failure| machine.failed(node, failure))? {
                Look::Finite => {}
                Look::Not(index) => return Err(machine.not_finite(node, Some(index))),
                Look::Later(witness) => later.push((number, witness)),
            }
        }
        if let Some(slot) = run.values.get_mut(number) {
            *slot = Some(value);
        }
    }
    let (numbers, witnesses): (Vec<usize>, Vec<E::Value>) = later.into_iter().unzip();
    let bad = engine.settle(&witnesses).map_err(|f| running(f.message))?;
    if let Some(node) = bad.and_then(|n| numbers.get(n)).and_then(|n| graph.nodes.get(*n)) {
        return Err(machine.not_finite(node, None));
    }
    let result = match graph.result {
        Operand::Node(n) => run.values.get_mut(n).and_then(Option::take),
        other => run.value(other).ok().cloned(),
    };
    result.ok_or_else(|| running(Failure::internal("the result is not there").message))
}

/// The shape of the ids: the last axis is the sequence, the first one of several the batch.
fn shape_of(graph: &Graph, batch: Batch<'_>) -> Result<Vec<usize>, String> {
    let rank = graph.params.first().map_or(0, |param| param.shape.len());
    let length = batch.ids.len().checked_div(batch.sequences).unwrap_or(0);
    if length.saturating_mul(batch.sequences) != batch.ids.len() {
        return Err(format!("{} ids are no {} sequences of one length", batch.ids.len(), batch.sequences));
    }
    let mut shape = vec![1; rank];
    match shape.as_mut_slice() {
        [first, .., last] => (*first, *last) = (batch.sequences, length),
        [last] if batch.sequences == 1 => *last = length,
        _ => return Err("the forward takes one sequence at a time".to_owned()),
    }
    Ok(shape)
}

impl<E: Engine> Machine<'_, E> {
    fn failed(&self, node: &Node, failure: Failure) -> EvalError {
        EvalError {
            layer: (!node.scope.is_empty()).then(|| Box::from(&*node.scope)),
            tensor: failure.tensor.map(String::into_boxed_str),
            ..EvalError::new(self.path, node.op.name, failure.message)
        }
    }

    fn not_finite(&self, node: &Node, index: Option<usize>) -> EvalError {
        let tensor = node.inputs.iter().find_map(|input| match input {
            Operand::Weight(number) => self.engine.weight_name(*number).map(str::to_owned),
            _ => None,
        });
        let message = match index {
            Some(index) => format!("element {index} of its result is NaN or infinite"),
            None => "its result holds NaN or infinity".to_owned(),
        };
        let error = self.failed(node, Failure { message, tensor });
        error.remedy("the weights do not fit together, or a format lost too much")
    }
}

impl<'m, E: Engine> Run<'_, 'm, E> {
    /// What computes.
    pub(super) fn engine(&self) -> &'m E {
        self.machine.engine
    }

    /// Operand number `n` of `node`.
    pub(super) fn operand(&self, node: &Node, n: usize) -> Operand {
        node.inputs.get(n).copied().unwrap_or(Operand::Absent)
    }

    /// A value to read.
    pub(super) fn value(&self, operand: Operand) -> Result<&E::Value, Failure> {
        let found = match operand {
            Operand::Param(n) => self.params.get(n),
            Operand::Node(n) => self.values.get(n).and_then(Option::as_ref),
            Operand::Weight(_) | Operand::Absent => None,
        };
        found.ok_or_else(|| Failure::internal("an operand is not there"))
    }

    /// Operand number `n` of `node`, to change: the value itself, if nothing else reads it; weights are decoded.
    pub(super) fn take(&mut self, node: &Node, n: usize) -> Result<E::Value, Failure> {
        let operand = self.operand(node, n);
        let once = node.inputs.iter().filter(|i| **i == operand).count() == 1;
        match operand {
            Operand::Node(n) if once && self.machine.last_use.get(n).is_some_and(|last| *last <= self.at) => {
                let taken = self.values.get_mut(n).and_then(Option::take);
                taken.ok_or_else(|| Failure::internal("an operand is not there"))
            }
            Operand::Weight(number) => self.machine.engine.weight_value(number),
            other => self.value(other).cloned(),
        }
    }

    /// Forgets what only this node reads, once it has.
    pub(super) fn release(&mut self, node: &Node) {
        for input in &node.inputs {
            if let Operand::Node(n) = input
                && self.machine.last_use.get(*n).is_some_and(|last| *last <= self.at)
                && let Some(slot) = self.values.get_mut(*n)
            {
                *slot = None;
            }
        }
    }

    /// The number of an extent.
    pub(super) fn number(&self, extent: &Extent) -> Result<usize, Failure> {
        let number = |name: &str| {
            let free = self.free.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
            free.or_else(|| self.machine.graph.number(name))
        };
        let value = extent.value(&number).and_then(|n| usize::try_from(n).ok());
        value.ok_or_else(|| Failure::new(format!("`{extent}` is no number here")))
    }

    /// A whole number among the attributes.
    pub(super) fn size(&self, node: &Node, name: &str) -> Result<Option<usize>, Failure> {
        match node.attribute(name) {
            Some(Attribute::Size(extent)) => self.number(extent).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether an extent grows with the sequence.
    pub(super) fn is_free(&self, extent: &Extent) -> bool {
        extent.names().iter().any(|name| self.free.iter().any(|(n, _)| n == name))
    }

    /// The shape that the graph gives a node.
    pub(super) fn shape(&self, node: &Node) -> Result<Vec<usize>, Failure> {
        node.shape.iter().map(|e| self.number(e)).collect()
    }

    /// Tokens before these.
    pub(super) fn past(&self) -> usize {
        self.state.as_ref().map_or(0, |s| s.tokens)
    }

    /// What this node remembers, made by `new` for the first token; `None` where whole sequences are computed.
    pub(super) fn memory<M: Any + Send>(
        &mut self,
        new: impl FnOnce() -> M,
    ) -> Result<Option<&mut M>, Failure> {
        let at = self.at;
        self.state.as_deref_mut().map(|s| s.memory(at, new)).transpose()
    }

    /// The numbers that this node remembers, zeros before the first token; `own` for a sequence by itself.
    pub(super) fn numbers<'r, T: Copy + Default + Send + 'static>(
        &'r mut self,
        len: usize,
        own: &'r mut Vec<T>,
    ) -> Result<&'r mut [T], Failure> {
        own.resize(len, T::default());
        match self.memory(|| vec![T::default(); len])? {
            None => Ok(own),
            Some(numbers) if numbers.len() == len => Ok(numbers),
            Some(_) => Err(Failure::new("the state is of another model")),
        }
    }

    /// Whether somebody sees the inputs of products.
    pub(super) fn is_tapped(&self) -> bool {
        self.tap.is_some()
    }

    /// Shows rows that go into a product with a matrix.
    pub(super) fn tap(&mut self, weight: &str, value: &E::Value) -> Result<(), Failure> {
        match &mut self.tap {
            Some(tap) => E::show(value, &mut |width, rows| tap(weight, width, rows)),
            None => Ok(()),
        }
    }

    /// The same for rows that are in memory.
    pub(super) fn tap_rows(&mut self, weight: &str, width: usize, rows: &[f32]) {
        if let Some(tap) = &mut self.tap {
            tap(weight, width, rows);
        }
    }

    /// The same for an operand of the node.
    pub(super) fn tap_operand(&mut self, weight: &str, operand: Operand) -> Result<(), Failure> {
        if let Some(tap) = self.tap.take() {
            E::show(self.value(operand)?, &mut |width, rows| tap(weight, width, rows))?;
            self.tap = Some(tap);
        }
        Ok(())
    }
}
