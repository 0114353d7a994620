//! The engine on CUDA: weights lie on the device as they are stored, values never leave it but at the end; arithmetic is that of
//! [`icpc_kernels::cuda::model`].
//!
//! Tokens that come one at a time are written down once, as a CUDA graph, and done again (`step`).

mod attention;
mod elementwise;
mod lookup;
mod mixture;
mod model;
mod rearrange;
mod recurrent;
mod rows;
mod step;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use icpc_kernels::cuda::model::{Device, DeviceWeight, Experts, Floats, Ids, Looks, Turns};

use super::engine::{Compute, Engine, Look};
use super::error::Failure;
use super::interpret;
use crate::graph::{Node, Operand};
pub(super) use model::CudaModel;
use value::{Data, Value};

/// Weights of a graph on a device, and what is made of them when it is first needed.
pub(super) struct Cuda {
    device: Device,
    /// By weight of the graph.
    weights: Vec<DeviceWeight>,
    /// Codes with rows and columns exchanged, of matrices that round what they multiply so, by number.
    turned: BTreeMap<usize, DeviceWeight>,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    /// Weights in f32, by number.
    floats: RefCell<BTreeMap<(usize, Form), Floats>>,
    /// Tables of experts, by the number of the first matrix.
    experts: RefCell<BTreeMap<usize, Experts>>,
    /// Rotary positions, by the bits of their base and the numbers of a head.
    turns: RefCell<BTreeMap<(u64, usize), Turns>>,
    /// How many tokens there were before these, for kernels; and what it was set to.
    past: Ids,
    known_past: Cell<Option<usize>>,
    /// Takes the first result with NaN; and how many were looked at.
    witness: Ids,
    looked: Cell<usize>,
    /// While a step is written down.
    recorded: RefCell<Option<Recorded>>,
}

/// A step that is being written down.
struct Recorded {
    /// The token.
    id: Ids,
    looks: Looks,
    /// Results to look at, when their places are known.
    results: Vec<Floats>,
}

/// What a weight in f32 is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Its elements.
    Plain,
    /// Rows and columns exchanged.
    Transposed,
    /// `-exp(w)`: how a state decays.
    Decay,
}

/// A computation on this engine.
type Run<'a, 'm> = interpret::Run<'a, 'm, Cuda>;

impl Engine for Cuda {
    type Value = Value;

    fn operations() -> &'static [(&'static str, Compute<Cuda>)] {
        ALL
    }

    fn weight_name(&self, number: usize) -> Option<&str> {
        self.names.get(number).map(String::as_str)
    }

    fn weight_value(&self, number: usize) -> Result<Value, Failure> {
        let shape = self.shapes.get(number).cloned();
        let shape = shape.ok_or_else(|| Failure::internal("a weight is not there"))?;
        Ok(Value::new(shape, self.floats(number, Form::Plain)?))
    }

    fn ids(&self, shape: Vec<usize>, ids: &[u32]) -> Result<Value, Failure> {
        // Tokens of one sequence only see each other in this arithmetic.
        if !shape.split_last().is_some_and(|(_, front)| front.iter().all(|n| *n == 1)) {
            return Err(Failure::new("the CUDA engine computes one sequence at a time"));
        }
        // The first thing of a computation.
        self.looked.set(0);
        self.device.begin_looking(&self.witness)?;
        let recorded = self.recorded.borrow().as_ref().map(|recorded| recorded.id.clone());
        let ids = recorded.map_or_else(|| self.device.upload_ids(ids), Ok)?;
        Ok(Value { shape, data: Data::Index(ids) })
    }

    fn look(&self, value: &Value) -> Result<Look<Value>, Failure> {
        let Data::Float(floats) = &value.data else { return Ok(Look::Finite) };
        let number = self.looked.get();
        match &mut *self.recorded.borrow_mut() {
            // One launch at the end: a token's results are small, and launches are what it costs.
            Some(recorded) => recorded.results.push(floats.clone()),
            None => self.device.look(&self.witness, number, floats)?,
        }
        self.looked.set(number.saturating_add(1));
        // All of them have one witness, which knows the first.
        Ok(Look::Later(Value { shape: Vec::new(), data: Data::Index(self.witness.clone()) }))
    }

    fn settle(&self, _later: &[Value]) -> Result<Option<usize>, Failure> {
        match &*self.recorded.borrow() {
            Some(recorded) => {
                self.device.look_at_all(&self.witness, &recorded.looks)?;
                Ok(None)
            }
            None => Ok(self.device.seen(&self.witness)?.map(|(number, _)| number)),
        }
    }

    fn show(value: &Value, see: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failure> {
        see(value.width(), &value.floats()?.download()?);
        Ok(())
    }
}

impl Cuda {
    /// A weight.
    fn weight(&self, operand: Operand) -> Result<&DeviceWeight, Failure> {
        let found = match operand {
            Operand::Weight(n) => self.weights.get(n),
            _ => None,
        };
        found.ok_or_else(|| Failure::internal("a weight is not there"))
    }

    /// A weight in f32; made once and kept.
    fn floats(&self, number: usize, form: Form) -> Result<Floats, Failure> {
        if let Some(known) = self.floats.borrow().get(&(number, form)) {
            return Ok(known.clone());
        }
        let weight = self.weight(Operand::Weight(number))?;
        let floats = self.device.decode(weight, form == Form::Transposed)?;
        let floats = match form {
            Form::Decay => {
                // With the bits of the native engine, which takes the exponential on the processor.
                let decay: Vec<f32> = floats.download()?.iter().map(|a| -a.exp()).collect();
                self.device.upload(&decay)?
            }
            Form::Plain | Form::Transposed => floats,
        };
        self.floats.borrow_mut().insert((number, form), floats.clone());
        Ok(floats)
    }

    /// Positions of `head` numbers that turn, up to `seen` and some more.
    fn turns(&self, base: f64, head: usize, seen: usize) -> Result<Turns, Failure> {
        let key = (base.to_bits(), head);
        if let Some(known) = self.turns.borrow().get(&key)
            && known.positions() >= seen
        {
            return Ok(known.clone());
        }
        let frequencies = icpc_kernels::model::Rotary::frequencies(base, head);
        let made = self.device.turns(&frequencies, seen.max(64).next_power_of_two())?;
        self.turns.borrow_mut().insert(key, made.clone());
        Ok(made)
    }

    /// Where kernels read how many tokens there were before these.
    fn past(&self, tokens: usize) -> Result<&Ids, Failure> {
        // While a step is written down this changes from time to time, and is set before each.
        if self.recorded.borrow().is_none() && self.known_past.get() != Some(tokens) {
            let number = u32::try_from(tokens).map_err(|_| Failure::new("the sequence is too long"))?;
            self.device.replace_ids(&[(&self.past, &[number])])?;
            self.known_past.set(Some(tokens));
        }
        Ok(&self.past)
    }
}

impl<'m> Run<'_, 'm> {
    fn device(&self) -> &'m Device {
        &self.engine().device
    }

    /// Operand number `n` of `node`, a weight.
    fn weight(&self, node: &Node, n: usize) -> Result<&'m DeviceWeight, Failure> {
        self.engine().weight(self.operand(node, n))
    }

    /// The same in f32; `None` where it is absent.
    fn optional(&self, node: &Node, n: usize, form: Form) -> Result<Option<Floats>, Failure> {
        match self.operand(node, n) {
            Operand::Absent => Ok(None),
            Operand::Weight(number) => self.engine().floats(number, form).map(Some),
            other => Ok(Some(self.value(other)?.floats()?.clone())),
        }
    }

    /// The same, where it must be there.
    fn vector(&self, node: &Node, n: usize, form: Form) -> Result<Floats, Failure> {
        self.optional(node, n, form)?.ok_or_else(|| Failure::internal("a weight is not there"))
    }

    /// The name of operand number `n` of `node`, a weight.
    fn name(&self, node: &Node, n: usize) -> &'m str {
        match self.operand(node, n) {
            Operand::Weight(number) => self.engine().weight_name(number).unwrap_or_default(),
            _ => "",
        }
    }
}

/// By name; a test of `engine` compares it with the declarations.
const ALL: &[(&str, Compute<Cuda>)] = &[
    ("embed", lookup::embed),
    ("iota", lookup::iota),
    ("zeros_like", lookup::zeros_like),
    ("linear", rows::linear),
    ("layer_norm", rows::layer_norm),
    ("rms_norm", rows::rms_norm),
    ("gelu", elementwise::gelu),
    ("silu", elementwise::silu),
    ("relu", elementwise::relu),
    ("tanh", elementwise::tanh),
    ("exp", elementwise::exp),
    ("softplus", elementwise::softplus),
    ("activation", elementwise::activation),
    ("softmax", rows::softmax),
    ("mean", rows::mean),
    ("add", elementwise::add),
    ("sub", elementwise::sub),
    ("mul", elementwise::mul),
    ("div", elementwise::div),
    ("negate", elementwise::negate),
    ("chunk", rearrange::chunk),
    ("split", rearrange::split),
    ("concat", rearrange::concat),
    ("reshape", rearrange::reshape),
    ("transpose", rearrange::transpose),
    ("causal_conv1d", recurrent::causal_conv1d),
    ("scan", recurrent::scan),
    ("selective_scan", recurrent::selective_scan),
    ("attention", attention::attention),
    ("mixture", mixture::mixture),
    ("stacked_mixture", mixture::stacked),
    ("cross_entropy", rows::cross_entropy),
];
