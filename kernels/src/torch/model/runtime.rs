//! A device for models, and the threads that libtorch computes with.

use crate::Unavailable;
use crate::torch::TorchDevice;
use tch::Device;

/// A device that is there.
///
/// libtorch's number of threads is a setting of the process, which each thread that calls it takes over when it first does.
/// The plan sets it to one ([`crate::Torch::new`]), since a run calls from many threads. A model calls from one, so
/// [`TorchRuntime::enter`] sets it to what the model was given, in the thread that calls; whoever computes next with another
/// number sets it again. No result of the plan depends on it.
#[derive(Clone, Copy, Debug)]
pub struct TorchRuntime {
    device: TorchDevice,
    pub(crate) tch: Device,
    threads: usize,
}

impl TorchRuntime {
    /// Opens a device; on the processor, work is shared by `threads` threads.
    ///
    /// # Errors
    /// [`Unavailable`]: as [`crate::Torch::new`].
    pub fn open(device: TorchDevice, threads: usize) -> Result<TorchRuntime, Unavailable> {
        Ok(TorchRuntime { device, tch: device.open()?, threads: threads.max(1) })
    }

    /// Before a computation: gives libtorch its threads, in the thread that calls.
    pub fn enter(&self) {
        let threads = i32::try_from(self.threads).unwrap_or(i32::MAX);
        if tch::get_num_threads() != threads {
            tch::set_num_threads(threads);
        }
    }

    /// The device.
    pub const fn device(&self) -> TorchDevice {
        self.device
    }

    /// Threads on the processor.
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// Whether looking at a number on the device makes the host wait.
    pub const fn is_remote(&self) -> bool {
        matches!(self.device, TorchDevice::Cuda(_))
    }
}
