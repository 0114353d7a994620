//! Computes the nodes of a graph, one after the other; a value goes as soon as nothing needs it.

use std::sync::Arc;

use icpc_kernels::Cpu;
use icpc_kernels::model::first_not_finite;

use super::error::{EvalError, Failure};
use super::integer::Rounding;
use super::model::Tap;
use super::ops;
use super::state::{Memory, State};
use super::value::{Data, Tensor};
use super::weights::Loaded;
use crate::graph::{Attribute, Extent, Graph, Node, Operand};

/// What a computation needs.
pub(super) struct Machine<'a> {
    pub path: &'a str,
    pub graph: &'a Graph,
    pub weights: &'a [Arc<Loaded>],
    pub cpu: &'a Cpu,
    pub rounding: Rounding,
    /// By node, the last node that reads it.
    pub last_use: &'a [usize],
}

/// One computation.
pub(super) struct Run<'a, 'm> {
    machine: &'a Machine<'m>,
    params: Vec<Tensor>,
    values: Vec<Option<Tensor>>,
    /// Values of names that the inputs bring in.
    free: Vec<(String, u64)>,
    state: Option<&'a mut State>,
    tap: Option<Tap<'a>>,
    /// The node at hand.
    at: usize,
}

/// Computes the result of `graph` for `sequences` of ids of one length, one behind the other; several are seen by products that
/// round all their inputs together.
pub(super) fn interpret<'a>(
    machine: &'a Machine<'_>,
    ids: &[u32],
    sequences: usize,
    state: Option<&'a mut State>,
    tap: Option<Tap<'a>>,
) -> Result<Tensor, EvalError> {
    let graph = machine.graph;
    let [param] = graph.params.as_slice() else {
        let message = format!("the forward has {} inputs, and only ids are given", graph.params.len());
        return Err(EvalError::new(machine.path, "running", message));
    };
    // A leading axis is a batch; the last one is the sequence.
    let mut shape = vec![1; param.shape.len()];
    if let Some(last) = shape.last_mut() {
        *last = ids.len().checked_div(sequences).unwrap_or(0);
    }
    match shape.first_mut() {
        Some(first) if param.shape.len() > 1 => *first = sequences,
        _ if sequences == 1 => {}
        _ => {
            let message = "the forward has no axis for several sequences";
            return Err(EvalError::new(machine.path, "running", message));
        }
    }
    let free = param.shape.iter().zip(&shape).flat_map(|(extent, n)| {
        extent.names().into_iter().map(|name| (name.to_owned(), *n as u64)).collect::<Vec<_>>()
    });
    let mut run = Run {
        machine,
        free: free.filter(|(name, _)| graph.number(name).is_none()).collect(),
        params: vec![Tensor { shape, data: Data::Index(ids.to_vec()) }],
        values: vec![None; graph.nodes.len()],
        state,
        tap,
        at: 0,
    };
    for (number, node) in graph.nodes.iter().enumerate() {
        run.at = number;
        let failed = |failure: Failure| EvalError {
            layer: (!node.scope.is_empty()).then(|| Box::from(&*node.scope)),
            tensor: failure.tensor.map(String::into_boxed_str),
            ..EvalError::new(machine.path, node.op.name, failure.message)
        };
        let value = ops::compute(&mut run, node).map_err(failed)?;
        if let Data::Float(values) = &value.data
            && let Some(index) = first_not_finite(values)
        {
            let weight = node.inputs.iter().find_map(|i| match i {
                Operand::Weight(w) => machine.weights.get(*w).map(|w| w.name.clone()),
                _ => None,
            });
            let message = format!("element {index} of its result is NaN or infinite");
            let failure = Failure { message, tensor: weight };
            return Err(failed(failure).remedy("the weights do not fit together, or a format lost too much"));
        }
        if let Some(slot) = run.values.get_mut(number) {
            *slot = Some(value);
        }
    }
    let result = match graph.result {
        Operand::Node(n) => run.values.get_mut(n).and_then(Option::take),
        other => run.value(other).ok().cloned(),
    };
    let result = result.ok_or_else(|| Failure::internal("the result is not there"));
    result.map_err(|f| EvalError::new(machine.path, "running", f.message))
}

impl<'a, 'm> Run<'a, 'm> {
    pub(super) fn cpu(&self) -> &'m Cpu {
        self.machine.cpu
    }

    /// How inputs of products are rounded.
    pub(super) fn rounding(&self) -> Rounding {
        self.machine.rounding
    }

    /// Operand number `n` of `node`.
    pub(super) fn operand(&self, node: &Node, n: usize) -> Operand {
        node.inputs.get(n).copied().unwrap_or(Operand::Absent)
    }

    /// A value to read.
    pub(super) fn value(&self, operand: Operand) -> Result<&Tensor, Failure> {
        let found = match operand {
            Operand::Param(n) => self.params.get(n),
            Operand::Node(n) => self.values.get(n).and_then(Option::as_ref),
            Operand::Weight(_) | Operand::Absent => None,
        };
        found.ok_or_else(|| Failure::internal("an operand is not there"))
    }

    /// Operand number `n` of `node`, to change: the value itself, if nothing else reads it; weights are decoded.
    pub(super) fn take(&mut self, node: &Node, n: usize) -> Result<Tensor, Failure> {
        let operand = self.operand(node, n);
        let once = node.inputs.iter().filter(|i| **i == operand).count() == 1;
        match operand {
            Operand::Node(n) if once && self.machine.last_use.get(n).is_some_and(|last| *last <= self.at) => {
                let taken = self.values.get_mut(n).and_then(Option::take);
                taken.ok_or_else(|| Failure::internal("an operand is not there"))
            }
            Operand::Weight(_) => {
                let loaded = self.loaded(operand)?;
                Ok(Tensor::floats(loaded.shape.clone(), loaded.dense(self.machine.cpu)?.to_vec()))
            }
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

    /// A weight.
    pub(super) fn loaded(&self, operand: Operand) -> Result<&'m Loaded, Failure> {
        let found = match operand {
            Operand::Weight(n) => self.machine.weights.get(n).map(Arc::as_ref),
            _ => None,
        };
        found.ok_or_else(|| Failure::internal("a weight is not there"))
    }

    /// A weight as a vector of f32; `None` where it is absent.
    pub(super) fn vector(&self, operand: Operand) -> Result<Option<&'m [f32]>, Failure> {
        match operand {
            Operand::Absent => Ok(None),
            _ => self.loaded(operand)?.dense(self.machine.cpu).map(Some),
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
    pub(super) fn memory(&mut self, new: impl FnOnce() -> Memory) -> Option<&mut Memory> {
        let at = self.at;
        self.state.as_deref_mut().map(|s| s.memories.entry(at).or_insert_with(new))
    }

    /// Shows rows that go into a product with a matrix.
    pub(super) fn tap(&mut self, weight: &str, width: usize, values: &[f32]) {
        if let Some(tap) = &mut self.tap {
            tap(weight, width, values);
        }
    }

    /// The same for an operand of the node.
    pub(super) fn tap_operand(&mut self, weight: &str, operand: Operand) -> Result<(), Failure> {
        if let Some(tap) = self.tap.take() {
            let x = self.value(operand)?;
            tap(weight, x.width(), x.values()?);
            self.tap = Some(tap);
        }
        Ok(())
    }
}
