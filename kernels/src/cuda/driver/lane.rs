//! A stream with device memory of its own: the one place that launches kernels.

use super::super::cublaslt::{CublasLt, Multiplier, Product};
use super::super::launch::{Fault, Lane, Launch};
use super::{Gpu, failed, version_number};
use crate::KernelError;
use cudarc::driver::DriverError;
use cudarc::driver::result::{self, event, graph, stream};
use cudarc::driver::sys::{
    CUdeviceptr, CUevent_flags, CUgraphExec, CUgraphInstantiate_flags, CUresult, CUstream,
    CUstreamCaptureMode,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Memory grows in steps of this: what differs a little from piece to piece is allocated once.
const STEP: u64 = 2 << 20;

/// A stream of a GPU.
pub struct GpuLane {
    gpu: Arc<Gpu>,
    stream: CUstream,
    memory: CUdeviceptr,
    bytes: u64,
    /// Memory beside it, by address.
    blocks: BTreeMap<CUdeviceptr, u64>,
    /// What was written down, by number.
    recordings: BTreeMap<u64, CUgraphExec>,
    last_recording: u64,
    library: Products,
}

/// cuBLASLt, which is looked for when it is first wanted.
enum Products {
    Unasked,
    Absent,
    There(Multiplier),
}

// SAFETY: a stream, its graphs and device memory may be used from any thread, and one at a time has them.
unsafe impl Send for GpuLane {}

impl GpuLane {
    pub(super) fn new(gpu: Arc<Gpu>) -> Result<GpuLane, KernelError> {
        gpu.enter()?;
        let stream = stream::create(stream::StreamKind::NonBlocking)
            .map_err(|error| failed(&gpu.about("a stream"), &error))?;
        let (blocks, recordings) = (BTreeMap::new(), BTreeMap::new());
        let library = Products::Unasked;
        Ok(GpuLane { gpu, stream, memory: 0, bytes: 0, blocks, recordings, last_recording: 0, library })
    }

    /// Wait for all that was asked for.
    fn finish(&self, what: &str) -> Result<(), KernelError> {
        // SAFETY: the stream lives as long as this value.
        unsafe { stream::synchronize(self.stream) }.map_err(|error| failed(&self.gpu.about(what), &error))
    }

    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
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

    /// cuBLASLt on this device, where it is there.
    fn products(&mut self) -> Result<Option<&mut Multiplier>, KernelError> {
        if let Products::Unasked = self.library {
            let newest = version_number().ok().map(|version| version / 1000);
            self.library = match CublasLt::load(newest) {
                Ok(lt) => Products::There(Multiplier::new(Arc::new(lt))?),
                Err(missing) if CublasLt::is_asked_for() => {
                    return Err(KernelError::Device { what: missing.to_string() });
                }
                // `icpc doctor` says so
                Err(_) => Products::Absent,
            };
        }
        match &mut self.library {
            Products::There(library) => Ok(Some(library)),
            Products::Unasked | Products::Absent => Ok(None),
        }
    }

    /// Bytes at an address are the lane's own.
    fn own(&self, address: u64, bytes: u64) -> Result<(), KernelError> {
        let block = self.blocks.range(..=address).next_back().map(|(start, length)| (*start, *length));
        let holds = |(start, length): (u64, u64)| {
            let inside = address.checked_sub(start).and_then(|offset| offset.checked_add(bytes));
            inside.is_some_and(|end| end <= length)
        };
        match [Some((self.memory, self.bytes)), block].into_iter().flatten().any(holds) {
            true => Ok(()),
            false => {
                Err(KernelError::Device { what: "internal error: a copy beyond a lane's memory".to_owned() })
            }
        }
    }

    /// New device memory.
    fn malloc(&self, bytes: u64) -> Result<u64, Fault> {
        self.gpu.enter()?;
        // SAFETY: the memory is used by kernels and copies of this lane only, and freed by `release` or `free`.
        match unsafe { result::malloc_sync(bytes as usize) } {
            Ok(memory) => Ok(memory),
            Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => Err(Fault::Memory { bytes }),
            Err(error) => Err(failed(&self.gpu.about("allocating memory"), &error).into()),
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
        let rounded = bytes.next_multiple_of(STEP);
        self.memory = self.malloc(rounded)?;
        self.bytes = rounded;
        Ok(self.memory)
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

    fn has_library(&mut self) -> Result<bool, KernelError> {
        self.gpu.enter()?;
        self.products().map(|library| library.is_some())
    }

    fn multiplies(&mut self, product: &Product) -> Result<bool, KernelError> {
        self.gpu.enter()?;
        self.products()?.map_or(Ok(false), |library| library.knows(product))
    }

    unsafe fn multiply(&mut self, product: &Product) -> Result<(), KernelError> {
        self.gpu.enter()?;
        let stream = self.stream.cast();
        match self.products()? {
            // SAFETY: the caller answers for the memory; the stream is this lane's.
            Some(library) => unsafe { library.multiply(product, stream) },
            None => Err(KernelError::Device { what: "internal error: there is no cuBLASLt".to_owned() }),
        }
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

    fn allocate(&mut self, bytes: u64) -> Result<u64, Fault> {
        let address = self.malloc(bytes)?;
        self.blocks.insert(address, bytes);
        Ok(address)
    }

    fn free(&mut self, address: u64) {
        if self.blocks.remove(&address).is_some() && self.gpu.enter().is_ok() {
            let _ = self.finish("waiting");
            // SAFETY: it was allocated by `allocate`, nothing uses it any more, and it was forgotten here.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    fn copy_within(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), KernelError> {
        self.own(from, bytes)?;
        self.own(to, bytes)?;
        self.gpu.enter()?;
        // SAFETY: both ranges are this lane's.
        unsafe { result::memcpy_dtod_async(to, from, bytes as usize, self.stream) }
            .map_err(|error| failed(&self.gpu.about("a copy"), &error))
    }

    fn record(&mut self) -> Result<(), KernelError> {
        self.gpu.enter()?;
        // allocations go on meanwhile, so other calls must be allowed
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: the stream is this lane's.
        unsafe { stream::begin_capture(self.stream, mode) }
            .map_err(|error| failed(&self.gpu.about("recording"), &error))
    }

    fn recorded(&mut self) -> Result<u64, KernelError> {
        self.gpu.enter()?;
        let failure = |error: DriverError| failed(&self.gpu.about("recording"), &error);
        // SAFETY: the stream is this lane's; the graph is used here only, and what is made of it stands by itself.
        let made = unsafe {
            let graph = stream::end_capture(self.stream).map_err(failure)?;
            let made = graph::instantiate(graph, CUgraphInstantiate_flags(0));
            let _ = graph::destroy(graph);
            made.map_err(failure)?
        };
        self.last_recording += 1;
        self.recordings.insert(self.last_recording, made);
        Ok(self.last_recording)
    }

    fn replay(&mut self, recording: u64) -> Result<(), KernelError> {
        self.gpu.enter()?;
        let Some(made) = self.recordings.get(&recording) else {
            return Err(KernelError::Device {
                what: "internal error: a recording that was forgotten".to_owned(),
            });
        };
        // SAFETY: it was made here and is not destroyed; the memory that it uses is kept by whoever asked for it.
        unsafe { graph::launch(*made, self.stream) }
            .map_err(|error| failed(&self.gpu.about("a recording"), &error))
    }

    fn forget(&mut self, recording: u64) {
        if let Some(made) = self.recordings.remove(&recording)
            && self.gpu.enter().is_ok()
        {
            let _ = self.finish("waiting");
            // SAFETY: it was made here, and nothing runs it any more.
            let _ = unsafe { graph::exec_destroy(made) };
        }
    }
}

impl Drop for GpuLane {
    fn drop(&mut self) {
        while let Some((recording, _)) = self.recordings.first_key_value() {
            let recording = *recording;
            self.forget(recording);
        }
        while let Some((address, _)) = self.blocks.first_key_value() {
            let address = *address;
            self.free(address);
        }
        self.release();
        if self.gpu.enter().is_ok() {
            // in its context, when the stream has finished
            let _ = self.finish("waiting");
            self.library = Products::Absent;
            // SAFETY: the stream is this lane's, and the lane ends here.
            let _ = unsafe { stream::destroy(self.stream) };
        }
    }
}
