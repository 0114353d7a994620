//! CUDA: kernels of our own (`kernels/cuda`), compiled by NVRTC for the device that is there.
//!
//! ```text
//!  Engine ── Pool ── Lane            one lane an operation, of the least busy device
//!    └─ ops::run(lane, op)           pieces, buffers, arguments, errors
//!         └─ Lane::launch            the driver; in tests the same kernels on the processor
//! ```
//!
//! Nothing of CUDA is needed to build this. The tests run all of it but the driver, and NVRTC compiles every kernel.

pub mod engine;
pub mod launch;
mod ops;
mod pool;
pub mod sources;

pub use engine::Engine;
