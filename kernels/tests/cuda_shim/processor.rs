//! The processor as a device: memory with guards, and launches that run at once.

use crate::library::Libraries;
use icpc_kernels::cuda::cublaslt::{CublasLt, Multiplier, Product};
use icpc_kernels::cuda::launch::{Devices, Family, Fault, Lane, Launch};
use icpc_kernels::{DType, KernelError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    /// How often something that was written down was done.
    pub replays: Arc<AtomicUsize>,
    /// What stands for cuBLASLt, if anything does.
    pub products: Option<Arc<CublasLt>>,
}

impl Processor {
    pub fn new(libraries: Libraries, memory: u64) -> Processor {
        Processor { libraries: Arc::new(libraries), memory, replays: Arc::default(), products: None }
    }
}

pub struct ProcessorLane {
    libraries: Arc<Libraries>,
    memory: Vec<Unit>,
    limit: u64,
    /// Memory beside it, by address, and its units together.
    blocks: BTreeMap<u64, Vec<Unit>>,
    units: u64,
    /// What is being written down.
    recording: Option<Vec<Step>>,
    recordings: BTreeMap<u64, Vec<Step>>,
    replays: Arc<AtomicUsize>,
    products: Option<Multiplier>,
}

/// Something that was written down.
#[derive(Clone)]
enum Step {
    Launch { family: Family, source: DType, kernel: String, grid: u32, block: u32, params: Vec<u64> },
    Fill { address: u64, bytes: u64, byte: u8 },
    Copy { from: u64, to: u64, bytes: u64 },
    Multiply(Product),
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
        Ok(ProcessorLane {
            libraries,
            memory: Vec::new(),
            limit: self.memory,
            blocks: BTreeMap::new(),
            units: 0,
            recording: None,
            recordings: BTreeMap::new(),
            replays: Arc::clone(&self.replays),
            products: self.products.clone().map(|lt| Multiplier::new(lt).unwrap()),
        })
    }
}

impl ProcessorLane {
    #[track_caller]
    fn check_guards(&self, after: &str) {
        let whole = |memory: &Vec<Unit>| memory.last().is_none_or(|unit| unit.0 == GUARD.0);
        assert!(whole(&self.memory) && self.blocks.values().all(whole), "{after} wrote beyond its memory");
    }

    fn bytes(&mut self, address: u64, length: usize) -> &mut [u8] {
        if let Some((start, block)) = self.blocks.range_mut(..=address).next_back()
            && address < start + 256 * block.len() as u64
        {
            return block.as_flattened_bytes()[(address - start) as usize..].split_at_mut(length).0;
        }
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
        assert!(self.recording.is_none(), "a copy to the device while launches are written down");
        copies.iter().for_each(|(to, bytes)| self.bytes(*to, bytes.len()).copy_from_slice(bytes));
        Ok(())
    }

    fn fill(&mut self, address: u64, bytes: u64, byte: u8) -> Result<(), KernelError> {
        if let Some(steps) = &mut self.recording {
            steps.push(Step::Fill { address, bytes, byte });
            return Ok(());
        }
        self.bytes(address, bytes as usize).fill(byte);
        Ok(())
    }

    unsafe fn launch(&mut self, launch: &Launch<'_>) -> Result<(), KernelError> {
        let Launch { family, source, kernel, grid, block, params } = *launch;
        if let Some(steps) = &mut self.recording {
            let (kernel, params) = (kernel.to_owned(), params.to_vec());
            steps.push(Step::Launch { family, source, kernel, grid, block, params });
            return Ok(());
        }
        assert!(block <= 512, "{kernel} has more threads than it is compiled for");
        // SAFETY: the caller answers for the parameter, whose addresses are in this lane's memory.
        unsafe { self.libraries.launch(family, source, kernel, grid, block, params)? };
        self.check_guards(kernel);
        Ok(())
    }

    fn allocate(&mut self, bytes: u64) -> Result<u64, Fault> {
        let units = bytes.div_ceil(256);
        if 256 * (self.units + units) > self.limit {
            return Err(Fault::Memory { bytes });
        }
        let mut block = vec![UNWRITTEN; units as usize];
        block.push(GUARD);
        self.units += units;
        let address = block.as_ptr() as u64;
        self.blocks.insert(address, block);
        Ok(address)
    }

    fn free(&mut self, address: u64) {
        let block = self.blocks.remove(&address).unwrap();
        self.units -= block.len() as u64 - 1;
    }

    fn copy_within(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), KernelError> {
        if let Some(steps) = &mut self.recording {
            steps.push(Step::Copy { from, to, bytes });
            return Ok(());
        }
        let copy = self.bytes(from, bytes as usize).to_vec();
        self.bytes(to, bytes as usize).copy_from_slice(&copy);
        Ok(())
    }

    fn record(&mut self) -> Result<(), KernelError> {
        assert!(self.recording.replace(Vec::new()).is_none(), "one recording at a time");
        Ok(())
    }

    fn recorded(&mut self) -> Result<u64, KernelError> {
        let number = self.recordings.last_key_value().map_or(1, |(last, _)| last + 1);
        self.recordings.insert(number, self.recording.take().unwrap());
        Ok(number)
    }

    fn replay(&mut self, recording: u64) -> Result<(), KernelError> {
        assert!(self.recording.is_none(), "a recording within one");
        self.replays.fetch_add(1, Ordering::Relaxed);
        for step in self.recordings[&recording].clone() {
            match step {
                Step::Launch { family, source, kernel, grid, block, params } => {
                    let launch = Launch { family, source, kernel: &kernel, grid, block, params: &params };
                    // SAFETY: as when it was asked for; the memory is still there, as on a device.
                    unsafe { self.launch(&launch)? };
                }
                Step::Fill { address, bytes, byte } => self.fill(address, bytes, byte)?,
                Step::Copy { from, to, bytes } => self.copy_within(from, to, bytes)?,
                // SAFETY: as above.
                Step::Multiply(product) => unsafe { self.multiply(&product)? },
            }
        }
        Ok(())
    }

    fn has_library(&mut self) -> Result<bool, KernelError> {
        Ok(self.products.is_some())
    }

    fn multiplies(&mut self, product: &Product) -> Result<bool, KernelError> {
        self.products.as_mut().map_or(Ok(false), |products| products.knows(product))
    }

    unsafe fn multiply(&mut self, product: &Product) -> Result<(), KernelError> {
        if let Some(steps) = &mut self.recording {
            steps.push(Step::Multiply(*product));
            return Ok(());
        }
        let products = self.products.as_ref().unwrap();
        // SAFETY: the caller answers for the memory; there is no stream here.
        unsafe { products.multiply(product, std::ptr::null_mut())? };
        self.check_guards("a product");
        Ok(())
    }

    fn forget(&mut self, recording: u64) {
        self.recordings.remove(&recording).unwrap();
    }

    fn copy_out(&mut self, copies: &mut [(u64, &mut [u8])]) -> Result<(), KernelError> {
        assert!(self.recording.is_none(), "a copy from the device while launches are written down");
        for (from, bytes) in copies {
            let length = bytes.len();
            bytes.copy_from_slice(self.bytes(*from, length));
        }
        Ok(())
    }
}
