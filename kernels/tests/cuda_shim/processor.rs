//! The processor as a device: memory with guards, and launches that run at once.

use crate::library::Libraries;
use icpc_kernels::KernelError;
use icpc_kernels::cuda::launch::{Devices, Fault, Lane, Launch};
use std::sync::Arc;

/// A unit of memory, at an address that vectors of a device may have.
#[derive(Clone, Copy)]
#[repr(align(256))]
struct Unit([u8; 256]);

/// Behind the memory that was asked for.
const GUARD: Unit = Unit([0xc3; 256]);
/// In memory that nothing was written to.
const UNWRITTEN: Unit = Unit([0xa5; 256]);

/// The processor, twice, as two devices.
pub struct Processor {
    pub libraries: Arc<Libraries>,
    /// Bytes that a lane can have.
    pub memory: u64,
}

pub struct ProcessorLane {
    libraries: Arc<Libraries>,
    memory: Vec<Unit>,
    limit: u64,
}

impl Devices for Processor {
    type Lane = ProcessorLane;

    fn name(&self) -> &'static str {
        "cuda on the processor"
    }

    fn count(&self) -> usize {
        2
    }

    fn open(&self, _: usize) -> Result<ProcessorLane, KernelError> {
        let libraries = Arc::clone(&self.libraries);
        Ok(ProcessorLane { libraries, memory: Vec::new(), limit: self.memory })
    }
}

impl ProcessorLane {
    fn bytes(&mut self, address: u64, length: usize) -> &mut [u8] {
        let offset = (address as usize).checked_sub(self.memory.as_ptr() as usize).unwrap();
        self.memory.as_flattened_bytes()[offset..].split_at_mut(length).0
    }
}

trait Flattened {
    fn as_flattened_bytes(&mut self) -> &mut [u8];
}

impl Flattened for Vec<Unit> {
    /// All but the guard.
    fn as_flattened_bytes(&mut self) -> &mut [u8] {
        let length = 256 * self.len().saturating_sub(1);
        // SAFETY: the units are plain bytes, so many of them, side by side, and borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().cast(), length) }
    }
}

impl Lane for ProcessorLane {
    fn reserve(&mut self, bytes: u64) -> Result<u64, Fault> {
        self.memory.clear();
        if bytes > self.limit {
            return Err(Fault::Memory { bytes });
        }
        self.memory.resize(bytes.div_ceil(256) as usize, UNWRITTEN);
        self.memory.push(GUARD);
        Ok(self.memory.as_ptr() as u64)
    }

    fn release(&mut self) {
        self.memory = Vec::new();
    }

    fn copy_in(&mut self, copies: &[(u64, &[u8])]) -> Result<(), KernelError> {
        copies.iter().for_each(|(to, bytes)| self.bytes(*to, bytes.len()).copy_from_slice(bytes));
        Ok(())
    }

    fn fill(&mut self, address: u64, bytes: u64, byte: u8) -> Result<(), KernelError> {
        self.bytes(address, bytes as usize).fill(byte);
        Ok(())
    }

    unsafe fn launch(&mut self, launch: &Launch<'_>) -> Result<(), KernelError> {
        let Launch { source, kernel, grid, block, params, .. } = *launch;
        assert!(block <= 512, "{kernel} has more threads than it is compiled for");
        // SAFETY: the caller answers for the parameter, whose addresses are in this lane's memory.
        unsafe { self.libraries.launch(source, kernel, grid, block, params)? };
        assert!(self.memory.last().is_some_and(|unit| unit.0 == GUARD.0), "{kernel} wrote beyond its memory");
        Ok(())
    }

    fn copy_out(&mut self, copies: &mut [(u64, &mut [u8])]) -> Result<(), KernelError> {
        for (from, bytes) in copies {
            let length = bytes.len();
            bytes.copy_from_slice(self.bytes(*from, length));
        }
        Ok(())
    }
}
