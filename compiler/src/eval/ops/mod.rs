//! The arithmetic of every operation: a function from a node and its operands to its result.

mod attention;
mod elementwise;
mod lookup;
mod loss;
mod mixture;
mod norm;
mod product;
mod rearrange;
mod recurrent;

use super::error::Failure;
use super::interpret::Run;
use super::value::Tensor;
use crate::graph::Node;

type Compute = fn(&mut Run<'_, '_>, &Node) -> Result<Tensor, Failure>;

/// By name; a test compares it with the declarations.
const ALL: &[(&str, Compute)] = &[
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

/// The result of `node`; what only it reads is forgotten.
pub(super) fn compute(run: &mut Run<'_, '_>, node: &Node) -> Result<Tensor, Failure> {
    let found = ALL.iter().find(|(name, _)| *name == node.op.name);
    let (_, compute) = found.ok_or_else(|| Failure::internal("the operation is not known"))?;
    let result = compute(run, node)?;
    run.release(node);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_operation_is_computed() {
        // What only looks is no node.
        let declared: Vec<&str> =
            crate::graph::ops::ALL.iter().map(|op| op.name).filter(|name| *name != "assume").collect();
        let computed: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(computed), sorted(declared));
    }
}
