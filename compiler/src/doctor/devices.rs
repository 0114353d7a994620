//! GPUs and the libraries that reach them.

use icpc_kernels::Unavailable;
use serde::Serialize;

use crate::backend::devices::{self, Gpu};

/// The driver and its GPUs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cuda {
    /// The CUDA version of the driver: `12.8`.
    pub driver: String,
    /// GPUs, at least one.
    pub gpus: Vec<Gpu>,
}

/// The compiler of the CUDA kernels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nvrtc {
    /// Its version: `12.8`.
    pub version: String,
}

/// What multiplies dense weights of models on a GPU, where it is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cublaslt {
    /// Its version: `12.8.4`.
    pub version: String,
}

/// libtorch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Libtorch {
    /// Its version: `2.13.0`.
    pub version: String,
    /// GPUs that it finds; nothing when it was built without CUDA.
    pub gpus: Option<u64>,
}

pub(super) fn cuda() -> Result<Cuda, Unavailable> {
    let gpus = devices::gpus()?;
    Ok(Cuda { driver: devices::driver_version()?, gpus })
}

pub(super) fn nvrtc() -> Result<Nvrtc, Unavailable> {
    Ok(Nvrtc { version: devices::nvrtc_version()? })
}

pub(super) fn cublaslt() -> Result<Cublaslt, Unavailable> {
    Ok(Cublaslt { version: devices::cublaslt_version()? })
}

pub(super) fn libtorch() -> Result<Libtorch, Unavailable> {
    devices::libtorch().map(|(version, gpus)| Libtorch { version, gpus })
}
