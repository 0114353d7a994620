//! Training on libtorch: losses, rounding with a straight-through gradient, and an optimiser.
//!
//! ```text
//! leaf (f32) ─ straight_through(image in its format) ─ forward ─ loss ─ backward ─ gradient ─ AdamW ─ next leaf
//! ```
//!
//! Everything is a function of its arguments: no generator is asked and nothing is changed in place. On the processor, equal
//! arguments and threads give equal bits. On a GPU they may not: gradients of looked-up rows are added in no fixed order.

mod adamw;
mod loss;
mod straight;

pub use adamw::{AdamW, Moments, norm, scaled};
pub use loss::{distillation, weighted};
pub use straight::{masked, straight_through};
