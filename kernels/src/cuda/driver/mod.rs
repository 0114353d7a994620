//! NVIDIA's driver: devices, compiled kernels, and streams with memory of their own.

mod gpu;
mod lane;
mod pinned;
mod throughput;

use super::cache::Cache;
use super::cublaslt::CublasLt;
use super::launch::Devices;
use super::nvrtc::Nvrtc;
use crate::host::HostBuffer;
use crate::{KernelError, Unavailable};
use cudarc::driver::DriverError;
use cudarc::driver::sys::{self, CUresult};
use cudarc::driver::{result, result::device};
pub(super) use gpu::Gpu;
use lane::GpuLane;
use std::sync::Arc;
pub use throughput::{Rate, Throughput};

/// GPUs of this machine, with the compiler for their kernels.
pub struct Gpus {
    gpus: Vec<Arc<Gpu>>,
}

/// A GPU as the driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuInfo {
    /// Its number, from 0.
    pub ordinal: usize,
    /// Its name.
    pub name: String,
    /// Compute capability times ten: 80 is sm_80.
    pub capability: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory that are free.
    pub free: u64,
}

/// The GPUs of this machine, at least one; those too old for the kernels among them.
///
/// # Errors
/// [`Unavailable`]: no driver, no device, or one that is busy.
pub fn gpus() -> Result<Vec<GpuInfo>, Unavailable> {
    let count = start()?;
    (0..count).map(gpu::describe).collect()
}

/// The CUDA version that the driver runs: `12.8`.
///
/// # Errors
/// [`Unavailable`]: no driver, no device.
pub fn driver_version() -> Result<String, Unavailable> {
    start()?;
    let version = version_number()?;
    Ok(format!("{}.{}", version / 1000, version % 1000 / 10))
}

/// The version of cuBLASLt, if the driver runs it: `12.8.4`. Without a driver, of the one that is found.
///
/// # Errors
/// [`Unavailable`]: it is not found, or is newer than the driver.
pub fn cublaslt_version() -> Result<String, Unavailable> {
    let newest = start().and_then(|_| version_number()).ok().map(|version| version / 1000);
    CublasLt::load(newest).map(|lt| lt.version())
}

/// Start the driver, once a process. Gives the number of devices, at least 1.
fn start() -> Result<usize, Unavailable> {
    // SAFETY: it loads the driver's library, which runs its initialisers.
    if !unsafe { sys::is_culib_present() } {
        let name = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };
        return Err(Unavailable::new(
            format!("the CUDA driver ({name}) is not installed"),
            "install NVIDIA's driver; a container needs `--gpus all` and NVIDIA's container toolkit",
        ));
    }
    result::init().map_err(|error| no_device(&error))?;
    let count = device::get_count().map_err(|error| no_device(&error))?;
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(no_device(&DriverError(CUresult::CUDA_ERROR_NO_DEVICE))),
    }
}

fn version_number() -> Result<i32, Unavailable> {
    let mut version = 0;
    // SAFETY: a number to write to.
    let status = unsafe { sys::cuDriverGetVersion(&mut version) };
    status.result().map_err(|error| no_device(&error))?;
    Ok(version)
}

impl Gpus {
    /// These, counted from 0; none of them means all.
    ///
    /// # Errors
    /// [`Unavailable`]: no driver or an old one, no device, a device that is old, busy or full, no NVRTC.
    pub fn new(ordinals: &[usize]) -> Result<Gpus, Unavailable> {
        let count = start()?;
        let nvrtc = Arc::new(Nvrtc::load()?);
        driver_is_new_enough(&nvrtc)?;
        let all: Vec<usize> = (0..count).collect();
        let ordinals = if ordinals.is_empty() { &all } else { ordinals };
        let gpus = ordinals.iter().map(|&ordinal| {
            if ordinal >= count {
                return Err(Unavailable::new(
                    format!("there is no CUDA device {ordinal}: this machine has {count}"),
                    "devices are counted from 0, as `nvidia-smi` lists them",
                ));
            }
            Gpu::new(ordinal, Arc::clone(&nvrtc), Cache::of_user()).map(Arc::new)
        });
        Ok(Gpus { gpus: gpus.collect::<Result<_, _>>()? })
    }

    /// Device names, as the driver has them.
    pub fn names(&self) -> Vec<String> {
        self.gpus.iter().map(|gpu| gpu.name().to_owned()).collect()
    }

    /// How fast kernels are beside a copy within the first device's memory.
    pub(super) fn throughput(&self) -> Result<Throughput, KernelError> {
        throughput::measure(&mut self.open(0)?)
    }

    /// Zeroed memory that all devices reach without a copy; ordinary memory where it is short or there is no more of it.
    pub(super) fn buffer(&self, bytes: usize) -> HostBuffer {
        let pinned = self.gpus.first().and_then(|gpu| pinned::Pinned::new(gpu, bytes));
        pinned.map_or_else(|| HostBuffer::plain(bytes), HostBuffer::new)
    }
}

impl Devices for Gpus {
    type Lane = GpuLane;

    fn name(&self) -> &'static str {
        "cuda"
    }

    fn count(&self) -> usize {
        self.gpus.len()
    }

    fn open(&self, device: usize) -> Result<GpuLane, KernelError> {
        match self.gpus.get(device) {
            Some(gpu) => GpuLane::new(Arc::clone(gpu)),
            None => Err(KernelError::Device { what: format!("internal error: no device {device}") }),
        }
    }
}

/// What the driver calls a failure.
fn words(error: &DriverError) -> String {
    match (error.error_name(), error.error_string()) {
        (Ok(name), Ok(text)) => format!("{}, {}", name.to_string_lossy(), text.to_string_lossy()),
        _ => format!("CUDA error {}", error.0 as u32),
    }
}

/// A failure of the driver while an operation runs.
fn failed(what: &str, error: &DriverError) -> KernelError {
    KernelError::Device { what: format!("{what} failed: {}", words(error)) }
}

fn no_device(error: &DriverError) -> Unavailable {
    let remedy = "`nvidia-smi` must list a GPU; a container needs `--gpus all`, and CUDA_VISIBLE_DEVICES must name one";
    match error.0 {
        CUresult::CUDA_ERROR_NO_DEVICE => Unavailable::new("the CUDA driver finds no GPU", remedy),
        CUresult::CUDA_ERROR_STUB_LIBRARY => Unavailable::new(
            "the libcuda.so that was found is a stub of the CUDA toolkit, not a driver",
            "install NVIDIA's driver, or take the toolkit's `stubs` folder out of LD_LIBRARY_PATH",
        ),
        _ => Unavailable::new(format!("the CUDA driver does not start ({})", words(error)), remedy),
    }
}

/// Kernels of an NVRTC need a driver of its major version, or a newer one.
fn driver_is_new_enough(nvrtc: &Nvrtc) -> Result<(), Unavailable> {
    let version = version_number()?;
    let (major, minor) = nvrtc.version();
    if version / 1000 >= major {
        return Ok(());
    }
    let driver = format!("{}.{}", version / 1000, version % 1000 / 10);
    Err(Unavailable::new(
        format!("the CUDA driver is too old: it runs CUDA {driver}, and NVRTC is of CUDA {major}.{minor}"),
        "update NVIDIA's driver, or install an NVRTC of its version (`pip install nvidia-cuda-nvrtc-cu12`)",
    ))
}
