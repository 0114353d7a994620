//! Running models on a device: weights lie there as they are stored, activations as f32, and nothing comes back but what is asked
//! for.
//!
//! ```text
//!  Device ── memory (what is let go is used again) ── Lane
//!    ├─ weight      stored parts on the device
//!    ├─ linear      few tokens: bytes of the weight read once; many: tensor cores
//!    ├─ dense       more tokens and stored floats: cuBLASLt, where it is there
//!    ├─ integer     the same with inputs that are rounded to 8 bits
//!    ├─ rows  elementwise  sequence  attention  experts
//!    └─ recording   the launches of one token, written down once and done again
//! ```
//!
//! Functions check lengths before they launch, in the same words as [`crate::model`], and take no look at the device: a result is
//! asked for by [`Device::download`]. How far results are from exact ones is in [`bounds`].

mod agreement;
mod attention;
pub mod bounds;
mod dense;
mod elementwise;
mod experts;
mod integer;
mod linear;
mod memory;
mod recording;
mod rows;
mod sequence;
mod weight;
mod witness;

use super::launch::{Devices, Family, Fault, Lane, Launch};
use super::{Engine, Gpus};
use crate::{DType, KernelError, Unavailable};
pub use agreement::Compared;
pub use attention::{KeyValues, Turns};
pub use elementwise::{Activation, Pairing, Strides};
pub use experts::{Experts, Mixture};
pub use integer::RoundedInputs;
pub use linear::FEW;
use memory::Memory;
pub use memory::{Floats, Ids};
pub use recording::Recording;
pub use rows::Losses;
pub use sequence::{SelectiveScan, SharedScan};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
pub use weight::DeviceWeight;
pub use witness::{Looks, Seen};

/// A device that models run on. Calls take turns; what they ask for is done in that order. Clones are the same device.
#[derive(Clone)]
pub struct Device(Arc<Mutex<State>>);

struct State {
    lane: Box<dyn Lane>,
    memory: Memory,
    name: String,
    /// Memory for parts of sums of cuBLASLt, or 0.
    workspace: u64,
    without_library: bool,
    /// What it did.
    products: u64,
    /// Elements of an f16 weight that are f32 at a time.
    widened: usize,
}

/// One launch: blocks of `threads`, and the words of the kernel's parameter.
struct Call<'a> {
    family: Family,
    kernel: &'a str,
    blocks: u64,
    threads: u32,
    words: &'a [u64],
}

impl Device {
    /// A device of this machine, counted from 0.
    ///
    /// # Errors
    /// [`Unavailable`]: as [`super::Cuda::new`].
    pub fn open(ordinal: usize) -> Result<Device, Unavailable> {
        let gpus = Gpus::new(&[ordinal])?;
        let name = gpus.names().into_iter().next().unwrap_or_default();
        let failed = |error: KernelError| {
            Unavailable::new(error.to_string(), "`nvidia-smi` shows whether the device is in use or lost")
        };
        Ok(Device::on(Box::new(gpus.open(0).map_err(failed)?), &name))
    }

    /// The first device of these.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn of<D: Devices>(devices: &Engine<D>) -> Result<Device, KernelError>
    where
        D::Lane: 'static,
    {
        Ok(Device::on(Box::new(devices.devices().open(0)?), devices.devices().name()))
    }

    /// A stream that nothing else uses.
    pub fn on(lane: Box<dyn Lane>, name: &str) -> Device {
        let (memory, name) = (Memory::default(), name.to_owned());
        let (workspace, without_library, widened) = (0, false, dense::WIDENED);
        Device(Arc::new(Mutex::new(State {
            lane,
            memory,
            name,
            workspace,
            without_library,
            products: 0,
            widened,
        })))
    }

    /// Its name, as the driver has it.
    pub fn name(&self) -> String {
        self.state().name.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // a panic elsewhere leaves the lists as they were
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Run a kernel; nothing where there are no blocks.
    fn launch(&self, call: &Call<'_>) -> Result<(), KernelError> {
        let Call { family, kernel, blocks, threads, words } = *call;
        if blocks == 0 {
            return Ok(());
        }
        let too_many = || KernelError::Device { what: format!("{kernel} would need {blocks} blocks") };
        // the driver takes no more along the first axis
        let grid = i32::try_from(blocks).map_err(|_| too_many())?.unsigned_abs();
        let launch = Launch { family, source: DType::F32, kernel, grid, block: threads, params: words };
        // SAFETY: addresses are those of tensors of this device that live until the call that made the words returns, and what is
        // let go is given only to what is asked for later; lengths were compared with the sizes among the words. That kernels stay
        // within them, and that words are those of the kernel's struct, is what the tests on the processor show.
        unsafe { self.state().lane.launch(&launch) }
    }

    /// A thread for each element.
    fn launch_each(
        &self,
        family: Family,
        kernel: &str,
        elements: usize,
        words: &[u64],
    ) -> Result<(), KernelError> {
        let (blocks, threads) = ((elements as u64).div_ceil(256), 256);
        self.launch(&Call { family, kernel, blocks, threads, words })
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Device").field(&self.name()).finish()
    }
}

/// The device has not so much memory.
fn full(bytes: u64) -> KernelError {
    let mib = bytes.div_ceil(1 << 20);
    KernelError::Device {
        what: format!(
            "the device has no {mib} MiB of memory left: run shorter sequences, end other programs on it, or choose a \
             smaller format, another device or the native backend"
        ),
    }
}

fn kernel_error(fault: Fault) -> KernelError {
    match fault {
        Fault::Kernel(error) => error,
        Fault::Memory { bytes } => full(bytes),
    }
}
