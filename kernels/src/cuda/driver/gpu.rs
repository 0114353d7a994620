//! One GPU: its context, and the kernels that were loaded for it.

use super::super::cache::Cache;
use super::super::launch::Family;
use super::super::nvrtc::Nvrtc;
use super::{GpuInfo, failed, words};
use crate::{DType, KernelError, Unavailable};
use cudarc::driver::DriverError;
use cudarc::driver::result::{self, ctx, device, module, primary_ctx};
use cudarc::driver::sys::{CUcontext, CUdevice, CUdevice_attribute, CUfunction, CUmodule};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

/// The least compute capability, as 10 × major + minor: A100 and RTX 30.
const LEAST: i32 = 80;

/// A GPU.
pub(in super::super) struct Gpu {
    ordinal: usize,
    name: String,
    device: CUdevice,
    context: CUcontext,
    architecture: String,
    nvrtc: Arc<Nvrtc>,
    cache: Cache,
    loaded: Mutex<Loaded>,
}

/// Kernels by their file and the type of their source, and then by name.
#[derive(Default)]
struct Loaded {
    modules: BTreeMap<(Family, DType), CUmodule>,
    functions: BTreeMap<(Family, DType, String), CUfunction>,
}

// SAFETY: a primary context, its modules and functions may be used from any thread; the driver locks what it shares.
unsafe impl Send for Gpu {}
// SAFETY: as above, and the lists are behind a lock.
unsafe impl Sync for Gpu {}

fn busy(ordinal: usize, error: &DriverError) -> Unavailable {
    Unavailable::new(
        format!("CUDA device {ordinal} is busy or full ({})", words(error)),
        "`nvidia-smi` shows what uses it: end that, or choose another device",
    )
}

/// A device with its name and its compute capability, as 10 × major + minor.
fn find(ordinal: usize) -> Result<(CUdevice, String, i32), Unavailable> {
    let busy = |error: DriverError| busy(ordinal, &error);
    let device = device::get(ordinal as i32).map_err(busy)?;
    let name = device::get_name(device).map_err(busy)?;
    let attribute = |attribute| {
        // SAFETY: the device was given by the driver.
        unsafe { device::get_attribute(device, attribute) }.map_err(busy)
    };
    let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    Ok((device, name, 10 * major + minor))
}

/// What the driver says of a device; its free memory asks for a context, which is given back.
pub(super) fn describe(ordinal: usize) -> Result<GpuInfo, Unavailable> {
    let (device, name, capability) = find(ordinal)?;
    // SAFETY: the device was given by the driver, and the context is current in between only.
    let memory = unsafe {
        primary_ctx::retain(device).and_then(|context| {
            let memory = ctx::set_current(context).and_then(|()| result::mem_get_info());
            let _ = ctx::set_current(std::ptr::null_mut());
            primary_ctx::release(device).and(memory)
        })
    };
    let (free, memory) = memory.map_err(|error| busy(ordinal, &error))?;
    let capability = capability as u32;
    Ok(GpuInfo { ordinal, name, capability, memory: memory as u64, free: free as u64 })
}

impl Gpu {
    pub(super) fn new(ordinal: usize, nvrtc: Arc<Nvrtc>, cache: Cache) -> Result<Gpu, Unavailable> {
        let (device, name, capability) = find(ordinal)?;
        let (major, minor) = (capability / 10, capability % 10);
        if capability < LEAST {
            return Err(Unavailable::new(
                format!(
                    "CUDA device {ordinal} ({name}) has compute capability {major}.{minor}, and kernels need 8.0"
                ),
                "choose a newer device, or the cpu backend",
            ));
        }
        let known = nvrtc.architectures().map_err(|what| {
            Unavailable::new(format!("NVRTC fails: {what}"), "reinstall `nvidia-cuda-nvrtc-cu12`")
        })?;
        if !known.contains(&capability) {
            let (of_major, of_minor) = nvrtc.version();
            return Err(Unavailable::new(
                format!(
                    "NVRTC {of_major}.{of_minor} does not know CUDA device {ordinal} ({name}), \
                     compute capability {major}.{minor}"
                ),
                "`pip install --upgrade nvidia-cuda-nvrtc-cu12`, or choose another device",
            ));
        }
        // SAFETY: the device was given by the driver; `drop` releases the context.
        let context = unsafe { primary_ctx::retain(device) }.map_err(|error| busy(ordinal, &error))?;
        let (architecture, loaded) = (format!("sm_{capability}"), Mutex::default());
        Ok(Gpu { ordinal, name, device, context, architecture, nvrtc, cache, loaded })
    }

    pub(in super::super) fn name(&self) -> &str {
        &self.name
    }

    /// Let the calling thread speak to this GPU.
    pub(super) fn enter(&self) -> Result<(), KernelError> {
        // SAFETY: the context lives as long as this value.
        unsafe { ctx::set_current(self.context) }.map_err(|error| failed(&self.about("the context"), &error))
    }

    /// `launch on CUDA device 0 (NAME)`.
    pub(super) fn about(&self, what: &str) -> String {
        format!("{what} on CUDA device {} ({})", self.ordinal, self.name)
    }

    /// A kernel, compiled and loaded when it is first asked for. The context is the thread's.
    pub(super) fn function(
        &self,
        family: Family,
        source: DType,
        kernel: &str,
    ) -> Result<CUfunction, KernelError> {
        // others wait while one compiles: they would compile the same
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (family, source, kernel.to_owned());
        if let Some(function) = loaded.functions.get(&key) {
            return Ok(*function);
        }
        let module = match loaded.modules.get(&(family, source)) {
            Some(module) => *module,
            None => {
                let image =
                    self.cache.get(&self.nvrtc, family, source, &self.architecture).map_err(|what| {
                        KernelError::Device { what: format!("compiling {}.cu failed: {what}", family.name()) }
                    })?;
                // SAFETY: a whole image, as the compiler gave it or a hash confirms, which the driver copies.
                let module = unsafe { module::load_data(image.as_ptr().cast()) }
                    .map_err(|error| failed(&self.about("loading kernels"), &error))?;
                loaded.modules.insert((family, source), module);
                module
            }
        };
        let name = CString::new(kernel).map_err(|error| KernelError::Device { what: error.to_string() })?;
        // SAFETY: the module is loaded, and stays so until this value is dropped.
        let function = unsafe { module::get_function(module, name) }
            .map_err(|error| failed(&self.about(&format!("finding {kernel}")), &error))?;
        loaded.functions.insert(key, function);
        Ok(function)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        let loaded = self.loaded.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: no lane is left, since each holds this value; failures leave things to the end of the process.
        unsafe {
            if ctx::set_current(self.context).is_ok() {
                for module in loaded.modules.values() {
                    let _ = module::unload(*module);
                }
            }
            let _ = primary_ctx::release(self.device);
        }
    }
}
