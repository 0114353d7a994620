//! Running models on libtorch: what [`crate::model`] computes on the processor, on values that stay on a device.
//!
//! ```text
//! TorchRuntime      a device that is there, and libtorch's threads
//! TorchValue        ids or activations, with any number of leading axes
//! TorchWeight       a tensor as it is stored, decoded where it is used; or values, perhaps with gradients
//! elementwise, rearrange, norm, loss        element by element, along the last axis
//! linear, embed                             products with a weight, rows of one
//! attention, causal_conv1d, scans, mixture  a batch of sequences at a time
//! ```
//!
//! **Gradients.** Nothing is changed in place that a gradient may need, so every function can be differentiated with respect to
//! its values and to weights that are values. Where gradients are traced, attention is a product, a softmax and a product,
//! which sum in a fixed order on every device; else it is libtorch's fused one.
//!
//! **Waiting for the device.** Only [`mixture`] does, once, to learn how many tokens each expert has.
//!
//! **Agreement** with the native arithmetic is within the bounds of `docs/conformance.md`: sums are in other orders, and
//! nothing is in f64 but the angles of rotary positions. TensorFloat-32 is off for products unless the program turns it on.

mod attention;
mod decode;
mod elementwise;
mod inputs;
mod linear;
mod loss;
mod mixture;
mod norm;
mod rearrange;
mod recurrent;
mod runtime;
mod scan;
#[cfg(all(test, feature = "model"))]
mod tests;
mod value;
mod weight;

pub use attention::{AttentionShape, KeyValues, attention, rotate};
pub use elementwise::{Pairwise, Unary, apply, pairwise};
pub use inputs::InputSteps;
pub(crate) use inputs::straight;
pub use linear::{embed, linear};
pub use loss::cross_entropy;
pub use mixture::{TorchExpert, TorchRoutes, gated, mixture, route};
pub use norm::{layer_norm, mean, rms_norm, softmax};
pub use rearrange::{columns, concat, reshape, transpose};
pub use recurrent::{causal_conv1d, selective_scan, shared_scan};
pub use runtime::TorchRuntime;
pub use value::{TorchValue, untraced};
pub use weight::TorchWeight;
