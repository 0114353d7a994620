//! The engine that judges the others: every operation in f64, plainly, one sequence after another; arithmetic is that of
//! [`icpc_kernels::model::reference`]. Weights are decoded to f64 and kept.

mod attention;
mod elementwise;
mod lookup;
mod mixture;
mod product;
mod recurrent;
mod rows;
mod weight;

use std::sync::Arc;

use icpc_kernels::Cpu;
use icpc_kernels::cpu::Isa;
use icpc_kernels::model::reference::{first_not_finite, narrow};

use super::engine::{Compute, Engine, Look};
use super::error::Failure;
use super::integer::Rounding;
use super::interpret;
use super::native::Native;
use super::rearrange;
use super::tensor::{Data, Tensor};
use crate::graph::Operand;
use weight::Exact;

/// What nodes yield.
type Wide = Tensor<f64>;

/// Weights of a graph in f64.
pub(super) struct Reference {
    /// By weight of the graph; tied ones are one.
    weights: Vec<Arc<Exact>>,
    rounding: Rounding,
}

/// A computation on this engine.
type Run<'a, 'm> = interpret::Run<'a, 'm, Reference>;

impl Engine for Reference {
    type Value = Wide;

    fn operations() -> &'static [(&'static str, Compute<Reference>)] {
        ALL
    }

    fn weight_name(&self, number: usize) -> Option<&str> {
        self.weights.get(number).map(|w| w.name())
    }

    fn weight_value(&self, number: usize) -> Result<Wide, Failure> {
        let weight = self.weight(Operand::Weight(number))?;
        Ok(Tensor::floats(weight.shape().to_vec(), weight.values()?.to_vec()))
    }

    fn ids(&self, shape: Vec<usize>, ids: &[u32]) -> Result<Wide, Failure> {
        // As on the native engine: only what rounds all inputs of a call together sees several sequences.
        let is_alone = shape.split_last().is_none_or(|(_, front)| front.iter().all(|n| *n == 1));
        match is_alone || self.rounding == Rounding::Torch {
            true => Ok(Tensor { shape, data: Data::Index(ids.to_vec()) }),
            false => Err(Failure::new("the reference computes one sequence at a time")),
        }
    }

    fn look(&self, value: &Wide) -> Result<Look<Wide>, Failure> {
        let index = match &value.data {
            Data::Float(values) => first_not_finite(values),
            Data::Index(_) => None,
        };
        Ok(index.map_or(Look::Finite, Look::Not))
    }

    fn settle(&self, _later: &[Wide]) -> Result<Option<usize>, Failure> {
        Ok(None)
    }

    fn show(value: &Wide, see: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failure> {
        see(value.width(), &narrow(value.values()?));
        Ok(())
    }
}

impl Reference {
    /// For the weights of `native`; of `like` those that both have are shared.
    pub(super) fn of(native: &Native, like: Option<&Reference>) -> Result<Reference, Failure> {
        let scalar = Cpu::with(Isa::Scalar).ok_or_else(|| Failure::internal("no scalar kernels"))?;
        let mut weights: Vec<Arc<Exact>> = Vec::with_capacity(native.weights.len());
        for loaded in &native.weights {
            let known = weights.iter().chain(like.iter().flat_map(|like| &like.weights));
            let known = known.into_iter().find(|w| w.is_of(loaded)).map(Arc::clone);
            weights.push(known.unwrap_or_else(|| Arc::new(Exact::new(Arc::clone(loaded), scalar))));
        }
        Ok(Reference { weights, rounding: native.rounding })
    }

    /// Bytes of weights that were decoded.
    pub(super) fn decoded_bytes(&self) -> u64 {
        let is_first =
            |(n, w): &(usize, &Arc<Exact>)| !self.weights.iter().take(*n).any(|v| Arc::ptr_eq(v, w));
        self.weights.iter().enumerate().filter(is_first).map(|(_, w)| w.decoded_bytes()).sum()
    }

    /// A weight.
    fn weight(&self, operand: Operand) -> Result<&Exact, Failure> {
        let found = match operand {
            Operand::Weight(n) => self.weights.get(n).map(Arc::as_ref),
            _ => None,
        };
        found.ok_or_else(|| Failure::internal("a weight is not there"))
    }
}

impl<'m> Run<'_, 'm> {
    fn weight(&self, operand: Operand) -> Result<&'m Exact, Failure> {
        self.engine().weight(operand)
    }

    /// All elements of a weight.
    fn vector(&self, operand: Operand) -> Result<&'m [f64], Failure> {
        self.weight(operand)?.values()
    }

    /// The same; `None` where it is absent.
    fn optional(&self, operand: Operand) -> Result<Option<&'m [f64]>, Failure> {
        match operand {
            Operand::Absent => Ok(None),
            _ => self.vector(operand).map(Some),
        }
    }

    /// Shows rows that go into a product.
    fn tap_wide(&mut self, weight: &str, width: usize, rows: &[f64]) {
        if self.is_tapped() {
            self.tap_rows(weight, width, &narrow(rows));
        }
    }
}

/// By name; a test of `engine` compares it with the declarations.
const ALL: &[(&str, Compute<Reference>)] = &[
    ("embed", lookup::embed),
    ("iota", rearrange::iota),
    ("zeros_like", rearrange::zeros_like),
    ("linear", product::linear),
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
