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

#[cfg(not(all(feature = "cuda", feature = "torch")))]
fn unbuilt(what: &str, feature: &str) -> Unavailable {
    Unavailable::new(
        format!("this icpc was built without {what}"),
        format!("build it with `cargo install --path compiler --features {feature}`"),
    )
}

/// The GPUs that CUDA finds, at least one.
///
/// # Errors
/// [`Unavailable`]: no driver, no device.
#[cfg(feature = "cuda")]
pub fn gpus() -> Result<Vec<Gpu>, Unavailable> {
    let found = icpc_kernels::cuda::gpus()?.into_iter();
    let gpu = |gpu: icpc_kernels::cuda::GpuInfo| Gpu {
        ordinal: gpu.ordinal,
        name: gpu.name,
        capability: gpu.capability,
        memory: gpu.memory,
        free: gpu.free,
    };
    Ok(found.map(gpu).collect())
}

/// Kernels on these GPUs.
///
/// # Errors
/// [`Unavailable`]: no driver or an old one, no such device, one that is old, busy or full, no NVRTC.
#[cfg(feature = "cuda")]
pub fn cuda(ordinals: &[usize]) -> Result<Arc<dyn Backend>, Unavailable> {
    Ok(Arc::new(icpc_kernels::cuda::Cuda::new(ordinals)?))
}

/// The CUDA version of the driver.
///
/// # Errors
/// [`Unavailable`]: no driver.
#[cfg(feature = "cuda")]
pub fn driver_version() -> Result<String, Unavailable> {
    icpc_kernels::cuda::driver_version()
}

/// How fast the first device's kernels are beside a copy within its memory, as text.
///
/// # Errors
/// [`Unavailable`]: no device, or one that failed.
#[cfg(feature = "cuda")]
pub fn throughput() -> Result<String, Unavailable> {
    let measured = icpc_kernels::cuda::Cuda::new(&[0])?.throughput();
    let failed = |error: icpc_kernels::KernelError| {
        Unavailable::new(error.to_string(), "end other programs on the device, or choose another")
    };
    measured.map(|measured| measured.to_string()).map_err(failed)
}

/// The version of NVRTC, which compiles the kernels.
///
/// # Errors
/// [`Unavailable`]: it is not installed.
#[cfg(feature = "cuda")]
pub fn nvrtc_version() -> Result<String, Unavailable> {
    let (major, minor) = icpc_kernels::cuda::nvrtc::Nvrtc::load()?.version();
    Ok(format!("{major}.{minor}"))
}

/// The version of cuBLASLt, which multiplies dense weights of models where it is there.
///
/// # Errors
/// [`Unavailable`]: it is not found, or is newer than the driver.
#[cfg(feature = "cuda")]
pub fn cublaslt_version() -> Result<String, Unavailable> {
    icpc_kernels::cuda::cublaslt_version()
}

/// Dense products of models on the first device, by cuBLASLt and by icpc's own kernels.
///
/// # Errors
/// [`Unavailable`]: no device, or one that failed.
#[cfg(all(feature = "cuda", feature = "exec"))]
pub fn products() -> Result<Vec<icpc_kernels::cuda::model::Compared>, Unavailable> {
    let failed = |error: icpc_kernels::KernelError| {
        Unavailable::new(error.to_string(), "end other programs on the device, or choose another")
    };
    icpc_kernels::cuda::model::Device::open(0)?.compare_products().map_err(failed)
}

/// The GPUs that CUDA finds.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn gpus() -> Result<Vec<Gpu>, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// Kernels on these GPUs.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn cuda(_ordinals: &[usize]) -> Result<Arc<dyn Backend>, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// The CUDA version of the driver.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn driver_version() -> Result<String, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// How fast the first device's kernels are.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn throughput() -> Result<String, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// The version of NVRTC.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn nvrtc_version() -> Result<String, Unavailable> {
    Err(unbuilt("CUDA", "cuda"))
}

/// The version of cuBLASLt.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA.
#[cfg(not(feature = "cuda"))]
pub fn cublaslt_version() -> Result<String, Unavailable> {
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

/// Whether models can run on that GPU with icpc's own kernels.
///
/// # Errors
/// [`Unavailable`]: this build has no CUDA, or there is no driver, no NVRTC, or no such device.
pub fn cuda_is_there(gpu: usize) -> Result<(), Unavailable> {
    cuda(&[gpu]).map(|_| ())
}

/// Whether libtorch is there, with that GPU.
///
/// # Errors
/// [`Unavailable`]: this build has none, or it does not work, or there is no such device.
pub fn torch_is_there(gpu: Option<usize>) -> Result<(), Unavailable> {
    torch(gpu).map(|_| ())
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
