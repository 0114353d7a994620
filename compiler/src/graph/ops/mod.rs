//! Every operation. A new one is a declaration in a file here, a line in [`ALL`], a row of `docs/forward.md`, and its
//! arithmetic in each engine of `eval`; tests compare them.

mod assume;
mod attention;
mod elementwise;
mod lookup;
mod loss;
mod mixture;
mod norm;
mod product;
mod rearrange;
mod recurrent;

use super::op::OpDecl;

/// All operations, in the order of the docs.
pub static ALL: &[&OpDecl] = &[
    &lookup::EMBED,
    &lookup::IOTA,
    &lookup::ZEROS_LIKE,
    &product::LINEAR,
    &norm::LAYER_NORM,
    &norm::RMS_NORM,
    &elementwise::GELU,
    &elementwise::SILU,
    &elementwise::RELU,
    &elementwise::TANH,
    &elementwise::EXP,
    &elementwise::SOFTPLUS,
    &elementwise::ACTIVATION,
    &elementwise::SOFTMAX,
    &elementwise::MEAN,
    &elementwise::ADD,
    &elementwise::SUB,
    &elementwise::MUL,
    &elementwise::DIV,
    &elementwise::NEGATE,
    &rearrange::CHUNK,
    &rearrange::SPLIT,
    &rearrange::CONCAT,
    &rearrange::RESHAPE,
    &rearrange::TRANSPOSE,
    &recurrent::CAUSAL_CONV1D,
    &recurrent::SCAN,
    &recurrent::SELECTIVE_SCAN,
    &attention::ATTENTION,
    &mixture::MIXTURE,
    &mixture::STACKED_MIXTURE,
    &loss::CROSS_ENTROPY,
    &assume::ASSUME,
];

/// Operation by name.
pub fn find(name: &str) -> Option<&'static OpDecl> {
    ALL.iter().copied().find(|op| op.name == name)
}
