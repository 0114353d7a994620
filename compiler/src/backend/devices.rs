//! Devices and libraries that this machine may have; without the feature, what to build.

use std::sync::Arc;

use icpc_kernels::{Backend, Unavailable};
use serde::Serialize;

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Number: `cuda:0` is the first.
    pub ordinal: usize,
    /// Name that the driver gives.
    pub name: String,
    /// Compute capability times ten: 80 is sm_80.
    pub capability: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory that are free.
    pub free: u64,
}

fn unbuilt(what: &str, feature: &str) -> Unavailable {
    Unavailable::new(
        format!("this icpc was built without {what}"),
        format!("build it with `cargo install --path compiler --features {feature}`"),
    )
}

/// The GPUs that CUDA finds, at least one.
///
/// # Errors
/// [`Unavailable`]: no driver, one that is too old, no device.
pub fn gpus() -> Result<Vec<Gpu>, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// Kernels on these GPUs.
///
/// # Errors
/// [`Unavailable`], also without NVRTC.
pub fn cuda(_ordinals: &[usize]) -> Result<Arc<dyn Backend>, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// The CUDA version of the driver.
///
/// # Errors
/// [`Unavailable`]: no driver.
pub fn driver_version() -> Result<String, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// How fast the device's kernels are beside a copy within the device's memory, as text.
///
/// # Errors
/// [`Unavailable`]: no device.
pub fn throughput() -> Result<String, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// The version of NVRTC, which compiles the kernels.
///
/// # Errors
/// [`Unavailable`]: it is not installed.
pub fn nvrtc_version() -> Result<String, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// libtorch's version, and the GPUs that it finds; nothing of GPUs when it was built without CUDA.
///
/// # Errors
/// [`Unavailable`]: this build has none, or it does not work.
#[cfg(feature = "torch")]
pub fn libtorch() -> Result<(String, Option<u64>), Unavailable> {
    torch(None)?;
    Ok((icpc_kernels::torch::version(), icpc_kernels::torch::gpus()))
}

/// libtorch's version, and the GPUs that it finds.
///
/// # Errors
/// [`Unavailable`]: this build has none.
#[cfg(not(feature = "torch"))]
pub fn libtorch() -> Result<(String, Option<u64>), Unavailable> {
    Err(unbuilt("libtorch", "torch"))
}

/// libtorch on the processor, or on a GPU.
///
/// # Errors
/// [`Unavailable`]: another version than the one built with, no CUDA, no such device.
#[cfg(feature = "torch")]
pub fn torch(gpu: Option<usize>) -> Result<Arc<dyn Backend>, Unavailable> {
    use icpc_kernels::torch::{Torch, TorchDevice};
    Ok(Arc::new(Torch::new(gpu.map_or(TorchDevice::Cpu, TorchDevice::Cuda))?))
}

/// libtorch on the processor, or on a GPU.
///
/// # Errors
/// [`Unavailable`]: this build has none.
#[cfg(not(feature = "torch"))]
pub fn torch(_gpu: Option<usize>) -> Result<Arc<dyn Backend>, Unavailable> {
    Err(unbuilt("libtorch", "torch"))
}
