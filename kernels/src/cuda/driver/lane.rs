//! A stream with device memory of its own: the one place that launches kernels.

use super::super::launch::{Fault, Lane, Launch};
use super::{Gpu, failed};
use crate::KernelError;
use cudarc::driver::DriverError;
use cudarc::driver::result::{self, event, stream};
use cudarc::driver::sys::{CUdeviceptr, CUevent_flags, CUresult, CUstream};
use std::sync::Arc;

/// Memory grows in steps of this: what differs a little from piece to piece is allocated once.
const STEP: u64 = 2 << 20;

/// A stream of a GPU.
pub struct GpuLane {
    gpu: Arc<Gpu>,
    stream: CUstream,
    memory: CUdeviceptr,
    bytes: u64,
}

// SAFETY: a stream and device memory may be used from any thread, and one at a time has them.
unsafe impl Send for GpuLane {}

impl GpuLane {
    pub(super) fn new(gpu: Arc<Gpu>) -> Result<GpuLane, KernelError> {
        gpu.enter()?;
        let stream = stream::create(stream::StreamKind::NonBlocking)
            .map_err(|error| failed(&gpu.about("a stream"), &error))?;
        Ok(GpuLane { gpu, stream, memory: 0, bytes: 0 })
    }

    /// Wait for all that was asked for.
    fn finish(&self, what: &str) -> Result<(), KernelError> {
        // SAFETY: the stream lives as long as this value.
        unsafe { stream::synchronize(self.stream) }.map_err(|error| failed(&self.gpu.about(what), &error))
    }

    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Copy within the lane's memory.
    pub(super) fn copy_within(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), KernelError> {
        self.own(from, bytes)?;
        self.own(to, bytes)?;
        self.gpu.enter()?;
        // SAFETY: both ranges are this lane's.
        unsafe { result::memcpy_dtod_async(to, from, bytes as usize, self.stream) }
            .map_err(|error| failed(&self.gpu.about("a copy"), &error))
    }

    /// Milliseconds that the device takes for what is asked for.
    pub(super) fn milliseconds(
        &mut self,
        ask: impl FnOnce(&mut GpuLane) -> Result<(), KernelError>,
    ) -> Result<f32, KernelError> {
        self.gpu.enter()?;
        let failure = |gpu: &Gpu, error: DriverError| failed(&gpu.about("measuring"), &error);
        let mark = |lane: &GpuLane| {
            let event = event::create(CUevent_flags::CU_EVENT_DEFAULT)?;
            // SAFETY: the event was just made, and the stream is this lane's.
            unsafe { event::record(event, lane.stream) }.map(|()| event)
        };
        let begin = mark(self).map_err(|error| failure(&self.gpu, error))?;
        ask(self)?;
        let end = mark(self).map_err(|error| failure(&self.gpu, error))?;
        self.finish("measuring")?;
        // SAFETY: both were recorded, and nothing uses them afterwards.
        unsafe {
            let time = event::elapsed(begin, end);
            let _ = (event::destroy(begin), event::destroy(end));
            time.map_err(|error| failure(&self.gpu, error))
        }
    }

    /// Bytes at an address are the lane's own.
    fn own(&self, address: u64, bytes: u64) -> Result<(), KernelError> {
        let inside = address.checked_sub(self.memory).and_then(|offset| offset.checked_add(bytes));
        match inside {
            Some(end) if end <= self.bytes => Ok(()),
            _ => {
                Err(KernelError::Device { what: "internal error: a copy beyond a lane's memory".to_owned() })
            }
        }
    }

    fn all(&self, what: &str, asked: Result<(), DriverError>) -> Result<(), KernelError> {
        // also after a failure: copies before it may still read or write the caller's memory
        let finished = self.finish(what);
        asked.map_err(|error| failed(&self.gpu.about(what), &error)).and(finished)
    }
}

impl Lane for GpuLane {
    fn reserve(&mut self, bytes: u64) -> Result<u64, Fault> {
        if bytes <= self.bytes {
            return Ok(self.memory);
        }
        self.release();
        self.gpu.enter()?;
        let rounded = bytes.next_multiple_of(STEP);
        // SAFETY: the memory is used by kernels and copies of this lane only, and freed by `release`.
        match unsafe { result::malloc_sync(rounded as usize) } {
            Ok(memory) => {
                (self.memory, self.bytes) = (memory, rounded);
                Ok(memory)
            }
            Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => Err(Fault::Memory { bytes: rounded }),
            Err(error) => Err(failed(&self.gpu.about("allocating memory"), &error).into()),
        }
    }

    fn release(&mut self) {
        if self.bytes != 0 && self.gpu.enter().is_ok() {
            let _ = self.finish("waiting");
            // SAFETY: it was allocated by `reserve`, nothing uses it any more, and it is forgotten here.
            let _ = unsafe { result::free_sync(self.memory) };
        }
        (self.memory, self.bytes) = (0, 0);
    }

    fn copy_in(&mut self, copies: &[(u64, &[u8])]) -> Result<(), KernelError> {
        self.gpu.enter()?;
        copies.iter().try_for_each(|(to, bytes)| self.own(*to, bytes.len() as u64))?;
        let mut copies = copies.iter().filter(|(_, bytes)| !bytes.is_empty());
        let asked = copies.try_for_each(|(to, bytes)| {
            // SAFETY: the target is this lane's, and the caller's bytes stay until the stream has finished, below.
            unsafe { result::memcpy_htod_async(*to, bytes, self.stream) }
        });
        self.all("copying to the device", asked)
    }

    fn fill(&mut self, address: u64, bytes: u64, byte: u8) -> Result<(), KernelError> {
        self.gpu.enter()?;
        self.own(address, bytes)?;
        // SAFETY: the memory is this lane's.
        unsafe { result::memset_d8_async(address, byte, bytes as usize, self.stream) }
            .map_err(|error| failed(&self.gpu.about("filling memory"), &error))
    }

    unsafe fn launch(&mut self, launch: &Launch<'_>) -> Result<(), KernelError> {
        self.gpu.enter()?;
        let function = self.gpu.function(launch.family, launch.source, launch.kernel)?;
        // the driver copies the parameter, whose size it knows from the kernel
        let mut params = [launch.params.as_ptr().cast_mut().cast()];
        let (grid, block) = ((launch.grid, 1, 1), (launch.block, 1, 1));
        // SAFETY: the caller answers for the parameter; the function is loaded, and the stream is this lane's.
        unsafe { result::launch_kernel(function, grid, block, 0, self.stream, &mut params) }
            .map_err(|error| failed(&self.gpu.about(&format!("launching {}", launch.kernel)), &error))
    }

    fn copy_out(&mut self, copies: &mut [(u64, &mut [u8])]) -> Result<(), KernelError> {
        self.gpu.enter()?;
        copies.iter().try_for_each(|(from, bytes)| self.own(*from, bytes.len() as u64))?;
        let mut copies = copies.iter_mut().filter(|(_, bytes)| !bytes.is_empty());
        let asked = copies.try_for_each(|(from, bytes)| {
            // SAFETY: the source is this lane's, and the caller's bytes stay until the stream has finished, below.
            unsafe { result::memcpy_dtoh_async(bytes, *from, self.stream) }
        });
        self.all("copying from the device", asked)
    }
}

impl Drop for GpuLane {
    fn drop(&mut self) {
        self.release();
        if self.gpu.enter().is_ok() {
            // SAFETY: the stream is this lane's, and the lane ends here.
            let _ = unsafe { stream::destroy(self.stream) };
        }
    }
}
