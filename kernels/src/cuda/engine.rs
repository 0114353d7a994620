//! A backend over devices: takes a lane for an operation, and cuts the operation where memory is short.

use super::launch::{Devices, Fault};
use super::ops::{self, FLOOR, Progress};
use super::pool::Pool;
use crate::backend::{Backend, BackendKind, Op, OpKind, Support};
use crate::{DType, KernelError};

/// Elements of a piece at most: long enough that launches and copies pay, short enough for many lanes.
const PIECE: usize = 1 << 24;

/// Runs operations on devices. Each call is synchronous for its caller; several threads may call at once.
pub struct Engine<D: Devices> {
    pool: Pool<D>,
    piece: usize,
}

impl<D: Devices> Engine<D> {
    /// On these devices.
    pub fn new(devices: D) -> Engine<D> {
        Engine { pool: Pool::new(devices), piece: PIECE }
    }

    /// With pieces of about so many elements, which no result depends on.
    #[must_use]
    pub fn with_piece(self, elements: usize) -> Engine<D> {
        Engine { piece: (elements / FLOOR).max(1) * FLOOR, ..self }
    }

    /// The devices.
    pub fn devices(&self) -> &D {
        self.pool.devices()
    }
}

impl<D: Devices> Backend for Engine<D> {
    fn name(&self) -> &'static str {
        self.devices().name()
    }

    fn supports(&self, op: OpKind, source: DType) -> Support {
        BackendKind::Cuda.supports(op, source)
    }

    fn run(&self, mut op: Op<'_>) -> Result<(), KernelError> {
        ops::check(&op)?;
        let mut progress = Progress { done: 0, piece: self.piece };
        let mut taken = self.pool.take()?;
        let mut freed = false;
        loop {
            match ops::run(taken.lane()?, &mut op, &mut progress) {
                Ok(()) => return Ok(()),
                Err(Fault::Memory { .. }) if !freed => {
                    taken.free_idle();
                    freed = true;
                }
                Err(Fault::Memory { .. }) if progress.piece > FLOOR => {
                    progress.piece = (progress.piece / 2 / FLOOR).max(1) * FLOOR;
                }
                Err(Fault::Memory { bytes }) => return Err(full(bytes)),
                Err(Fault::Kernel(error)) => {
                    if matches!(error, KernelError::Device { .. }) {
                        taken.give_up();
                    }
                    return Err(error);
                }
            }
        }
    }
}

fn full(bytes: u64) -> KernelError {
    let mib = bytes.div_ceil(1 << 20);
    KernelError::Device {
        what: format!(
            "the device has no {mib} MiB of memory for the shortest piece of an operation: \
             end other programs on it, or choose another device or backend"
        ),
    }
}
