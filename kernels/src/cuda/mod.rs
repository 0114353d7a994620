//! CUDA: kernels of our own (`kernels/cuda`), compiled by NVRTC for the device that is there.
//!
//! ```text
//!  Cuda ── Engine ── Pool ── Lane    one lane an operation, of the least busy device
//!            └─ ops::run(lane, op)   pieces, buffers, arguments, errors
//!                 └─ Lane::launch    the driver; in tests the same kernels on the processor
//! ```
//!
//! Nothing of CUDA is needed to build this. The tests run all of it but the driver, and NVRTC compiles every kernel.

pub mod cache;
pub mod cublaslt;
mod driver;
pub mod engine;
pub mod launch;
mod libraries;
#[cfg(feature = "model")]
pub mod model;
pub mod nvrtc;
mod ops;
mod pool;
pub mod sources;

use crate::backend::{Backend, Op, OpKind, Support};
use crate::{DType, HostBuffer, KernelError, Unavailable};
pub use driver::{GpuInfo, Gpus, Rate, Throughput, cublaslt_version, driver_version, gpus};
pub use engine::Engine;

/// The plan on NVIDIA's GPUs, compute capability 8.0 or newer. Several threads may call it at once.
pub struct Cuda(Engine<Gpus>);

impl Cuda {
    /// On these devices, counted from 0; none of them means all of this machine.
    ///
    /// # Errors
    /// [`Unavailable`]: no driver or an old one, no device, a device that is old, busy or full, no NVRTC.
    pub fn new(ordinals: &[usize]) -> Result<Cuda, Unavailable> {
        Gpus::new(ordinals).map(|gpus| Cuda(Engine::new(gpus)))
    }

    /// Names of the devices, as the driver has them.
    pub fn devices(&self) -> Vec<String> {
        self.0.devices().names()
    }

    /// How fast kernels are beside a copy within the first device's memory: about a second.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn throughput(&self) -> Result<Throughput, KernelError> {
        self.0.devices().throughput()
    }
}

impl std::fmt::Debug for Cuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cuda").field(&self.devices()).finish()
    }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        self.0.supports(op, source)
    }

    fn run(&self, op: Op<'_>) -> Result<(), KernelError> {
        self.0.run(op)
    }

    fn buffer(&self, bytes: usize) -> HostBuffer {
        self.0.devices().buffer(bytes)
    }
}
