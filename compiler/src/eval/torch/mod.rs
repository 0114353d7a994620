//! The engine on libtorch: values and weights stay on a device, weights as they are stored; arithmetic is that of
//! [`icpc_kernels::torch::model`].

mod attention;
mod elementwise;
mod lookup;
mod loss;
mod mixture;
mod model;
mod norm;
mod product;
mod rearrange;
mod recurrent;

use std::sync::Arc;

use icpc_kernels::torch::model::{TorchRuntime, TorchValue, TorchWeight};

use super::engine::{Compute, Engine, Look};
use super::error::Failure;
use super::interpret;
use crate::graph::{Node, Operand};
pub use model::TorchModel;

/// Weights of a graph on a device.
pub(super) struct Torch {
    runtime: TorchRuntime,
    /// By weight of the graph.
    weights: Vec<TorchWeight>,
    names: Arc<[String]>,
    /// Whether results are looked at when all are computed: each look would wait for the device.
    looks_later: bool,
}

/// A computation on this engine.
type Run<'a, 'm> = interpret::Run<'a, 'm, Torch>;

impl Engine for Torch {
    type Value = TorchValue;

    fn operations() -> &'static [(&'static str, Compute<Torch>)] {
        ALL
    }

    fn weight_name(&self, number: usize) -> Option<&str> {
        self.names.get(number).map(String::as_str)
    }

    fn weight_value(&self, number: usize) -> Result<TorchValue, Failure> {
        Ok(self.weight(Operand::Weight(number))?.dense(&self.runtime)?)
    }

    fn ids(&self, shape: Vec<usize>, ids: &[u32]) -> Result<TorchValue, Failure> {
        Ok(TorchValue::ids(&self.runtime, &shape, ids)?)
    }

    fn look(&self, value: &TorchValue) -> Result<Look<TorchValue>, Failure> {
        if self.looks_later {
            return Ok(value.witness()?.map_or(Look::Finite, Look::Later));
        }
        if value.is_finite()? {
            return Ok(Look::Finite);
        }
        Ok(value.first_not_finite()?.map_or(Look::Finite, Look::Not))
    }

    fn settle(&self, later: &[TorchValue]) -> Result<Option<usize>, Failure> {
        Ok(TorchValue::numbers(later)?.iter().position(|n| !n.is_finite()))
    }

    fn show(value: &TorchValue, see: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failure> {
        see(value.width(), &value.to_floats()?);
        Ok(())
    }
}

impl Torch {
    /// A weight.
    fn weight(&self, operand: Operand) -> Result<&TorchWeight, Failure> {
        let found = match operand {
            Operand::Weight(n) => self.weights.get(n),
            _ => None,
        };
        found.ok_or_else(|| Failure::internal("a weight is not there"))
    }
}

impl<'m> Run<'_, 'm> {
    fn runtime(&self) -> &'m TorchRuntime {
        &self.engine().runtime
    }

    /// Operand number `n` of `node`, a weight.
    fn weight(&self, node: &Node, n: usize) -> Result<&'m TorchWeight, Failure> {
        self.engine().weight(self.operand(node, n))
    }

    /// The same, where it may be absent.
    fn optional(&self, node: &Node, n: usize) -> Result<Option<&'m TorchWeight>, Failure> {
        match self.operand(node, n) {
            Operand::Absent => Ok(None),
            operand => self.engine().weight(operand).map(Some),
        }
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
const ALL: &[(&str, Compute<Torch>)] = &[
    ("embed", lookup::embed),
    ("iota", lookup::iota),
    ("zeros_like", lookup::zeros_like),
    ("linear", product::linear),
    ("layer_norm", norm::layer_norm),
    ("rms_norm", norm::rms_norm),
    ("gelu", elementwise::gelu),
    ("silu", elementwise::silu),
    ("relu", elementwise::relu),
    ("tanh", elementwise::tanh),
    ("exp", elementwise::exp),
    ("softplus", elementwise::softplus),
    ("activation", elementwise::activation),
    ("softmax", norm::softmax),
    ("mean", norm::mean),
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
    ("cross_entropy", loss::cross_entropy),
];
