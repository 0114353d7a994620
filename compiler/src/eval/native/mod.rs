//! The native engine: activations are f32 in memory, weights stay as they are stored; arithmetic is that of
//! [`icpc_kernels::model`].

mod attention;
mod elementwise;
mod lookup;
mod loss;
mod mixture;
mod norm;
mod product;
mod recurrent;

use std::sync::Arc;

use icpc_kernels::Cpu;
use icpc_kernels::model::first_not_finite;

use super::engine::{Compute, Engine, Look};
use super::error::Failure;
use super::integer::Rounding;
use super::interpret;
use super::rearrange;
use super::tensor::{Data, Tensor};
use super::weights::Loaded;
use crate::graph::Operand;

/// Weights of a graph, and the kernels that compute with them.
#[derive(Clone)]
pub(super) struct Native {
    /// By weight of the graph; tied ones are one.
    pub weights: Vec<Arc<Loaded>>,
    pub cpu: &'static Cpu,
    /// How inputs of products are rounded.
    pub rounding: Rounding,
}

/// A computation on this engine.
type Run<'a, 'm> = interpret::Run<'a, 'm, Native>;

impl Engine for Native {
    type Value = Tensor;

    fn operations() -> &'static [(&'static str, Compute<Native>)] {
        ALL
    }

    fn weight_name(&self, number: usize) -> Option<&str> {
        self.weights.get(number).map(|w| w.name.as_str())
    }

    fn weight_value(&self, number: usize) -> Result<Tensor, Failure> {
        let loaded = self.loaded(Operand::Weight(number))?;
        Ok(Tensor::floats(loaded.shape.clone(), loaded.dense(self.cpu)?.to_vec()))
    }

    fn ids(&self, shape: Vec<usize>, ids: &[u32]) -> Result<Tensor, Failure> {
        // Tokens of one sequence only see each other in this arithmetic.
        match shape.split_last() {
            Some((_, [])) => {}
            Some((_, front)) if front.iter().all(|n| *n == 1) => {}
            // What rounds all inputs of a call together sees several; `Model::logits_together` asks who can compute them.
            _ if self.rounding == Rounding::Torch => {}
            _ => return Err(Failure::new("the native engine computes one sequence at a time")),
        }
        Ok(Tensor { shape, data: Data::Index(ids.to_vec()) })
    }

    fn look(&self, value: &Tensor) -> Result<Look<Tensor>, Failure> {
        let index = match &value.data {
            Data::Float(values) => first_not_finite(values),
            Data::Index(_) => None,
        };
        Ok(index.map_or(Look::Finite, Look::Not))
    }

    fn settle(&self, _later: &[Tensor]) -> Result<Option<usize>, Failure> {
        Ok(None)
    }

    fn show(value: &Tensor, see: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failure> {
        see(value.width(), value.values()?);
        Ok(())
    }
}

impl Native {
    /// A weight.
    fn loaded(&self, operand: Operand) -> Result<&Loaded, Failure> {
        let found = match operand {
            Operand::Weight(n) => self.weights.get(n).map(Arc::as_ref),
            _ => None,
        };
        found.ok_or_else(|| Failure::internal("a weight is not there"))
    }
}

impl<'m> Run<'_, 'm> {
    fn cpu(&self) -> &'static Cpu {
        self.engine().cpu
    }

    fn loaded(&self, operand: Operand) -> Result<&'m Loaded, Failure> {
        self.engine().loaded(operand)
    }

    /// A weight as a vector of f32; `None` where it is absent.
    fn vector(&self, operand: Operand) -> Result<Option<&'m [f32]>, Failure> {
        match operand {
            Operand::Absent => Ok(None),
            _ => self.loaded(operand)?.dense(self.cpu()).map(Some),
        }
    }
}

/// By name; a test of `engine` compares it with the declarations.
const ALL: &[(&str, Compute<Native>)] = &[
    ("embed", lookup::embed),
    ("iota", rearrange::iota),
    ("zeros_like", rearrange::zeros_like),
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
