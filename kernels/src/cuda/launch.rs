//! What an operation asks of a device: memory, copies and launches. The driver fulfils it, and in tests the processor.

use super::cublaslt::Product;
use crate::{DType, KernelError};

/// A file of `kernels/cuda`: kernels that are compiled together, for one element type of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(pub(super) &'static str);

impl Family {
    /// The name of its file, without `.cu`.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// One launch of a kernel, in one dimension.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// Its file.
    pub family: Family,
    /// The element type that the file is compiled for.
    pub source: DType,
    /// Its name.
    pub kernel: &'a str,
    /// Blocks of threads.
    pub grid: u32,
    /// Threads of a block, at most 512.
    pub block: u32,
    /// The words of its parameter, a struct: numbers, and addresses of the lane's memory.
    pub params: &'a [u64],
}

/// Why a device did not do something.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// It has not so much memory at the moment. Nothing was done.
    Memory {
        /// What was asked for.
        bytes: u64,
    },
    /// Anything else.
    Kernel(KernelError),
}

impl From<KernelError> for Fault {
    fn from(error: KernelError) -> Fault {
        Fault::Kernel(error)
    }
}

/// A stream of a device with memory of its own: one operation at a time uses it, and what it asks for happens in order.
pub trait Lane: Send {
    /// Make the lane's memory `bytes` long or longer, and give its address, a multiple of 256. What was there is lost.
    ///
    /// # Errors
    /// [`Fault::Memory`], and then the lane has no memory.
    fn reserve(&mut self, bytes: u64) -> Result<u64, Fault>;

    /// Give the memory back.
    fn release(&mut self);

    /// Copy bytes to addresses of the lane's memory; they may be reused when this returns.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn copy_in(&mut self, copies: &[(u64, &[u8])]) -> Result<(), KernelError>;

    /// Set bytes of the lane's memory.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn fill(&mut self, address: u64, bytes: u64, byte: u8) -> Result<(), KernelError>;

    /// Run a kernel after what was asked for before.
    ///
    /// # Safety
    /// The parameter is the one that the kernel declares, and for these sizes the kernel touches only the lane's memory.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    unsafe fn launch(&mut self, launch: &Launch<'_>) -> Result<(), KernelError>;

    /// Whether a library of the device's maker multiplies matrices here.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn has_library(&mut self) -> Result<bool, KernelError> {
        Ok(false)
    }

    /// Whether it does this product, with sums in f32 and the same bits each time; what it says is kept
    /// for all of the same form.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn multiplies(&mut self, product: &Product) -> Result<bool, KernelError> {
        let _ = product;
        Ok(false)
    }

    /// Compute a product of which [`Lane::multiplies`] says so, after what was asked for before.
    ///
    /// # Safety
    /// The addresses are of the lane's memory, and have the sizes that are said.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    unsafe fn multiply(&mut self, product: &Product) -> Result<(), KernelError> {
        let _ = product;
        Err(KernelError::Device { what: "internal error: there is no library of products".to_owned() })
    }

    /// Copy from addresses of the lane's memory, when all that was asked for is done.
    ///
    /// # Errors
    /// [`KernelError::Device`], also for a launch before.
    fn copy_out(&mut self, copies: &mut [(u64, &mut [u8])]) -> Result<(), KernelError>;

    /// Memory beside that of [`Lane::reserve`], at an address of its own, a multiple of 256, which keeps what is in it until
    /// [`Lane::free`].
    ///
    /// # Errors
    /// [`Fault::Memory`].
    fn allocate(&mut self, bytes: u64) -> Result<u64, Fault>;

    /// Give back what [`Lane::allocate`] gave; what was asked for before is done with it first.
    fn free(&mut self, address: u64);

    /// Copy within the lane's memory, in the order of what is asked for.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn copy_within(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), KernelError>;

    /// From here on launches and fills are written down, and not done.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn record(&mut self) -> Result<(), KernelError>;

    /// The end of what is written down: its number, for [`Lane::replay`].
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn recorded(&mut self) -> Result<u64, KernelError>;

    /// Do all that was written down, with the same addresses, after what was asked for before.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn replay(&mut self, recording: u64) -> Result<(), KernelError>;

    /// Forget what was written down.
    fn forget(&mut self, recording: u64);
}

/// Devices of one kind.
pub trait Devices: Send + Sync {
    /// A stream of one of them.
    type Lane: Lane;

    /// Name for reports.
    fn name(&self) -> &'static str;

    /// How many there are, at least 1.
    fn count(&self) -> usize;

    /// Open a stream on a device, numbered from 0.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    fn open(&self, device: usize) -> Result<Self::Lane, KernelError>;
}

/// A part of a lane's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    offset: u64,
    bytes: u64,
}

impl Place {
    /// Its first bytes; all of them where it has fewer.
    pub(super) fn first(self, bytes: usize) -> Place {
        Place { bytes: self.bytes.min(bytes as u64), ..self }
    }
}

/// Parts of a lane's memory before there is any.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: u64,
}

impl Room {
    /// So many bytes more. The next part begins at a multiple of 256, and a vector may be read beyond the end of this one.
    pub(super) fn take(&mut self, bytes: usize) -> Place {
        let place = Place { offset: self.bytes, bytes: bytes as u64 };
        self.bytes += (bytes as u64).next_multiple_of(256);
        place
    }

    /// Reserve it all.
    pub(super) fn open<'l>(
        self,
        lane: &'l mut dyn Lane,
        family: Family,
        source: DType,
    ) -> Result<Work<'l>, Fault> {
        let base = lane.reserve(self.bytes.max(256))?;
        Ok(Work { lane, base, family, source })
    }
}

/// A word of a kernel's parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// The address of a part.
    At(Place),
    /// A number.
    Number(u64),
}

/// A lane with the memory of one piece of an operation.
pub(super) struct Work<'l> {
    lane: &'l mut dyn Lane,
    base: u64,
    family: Family,
    source: DType,
}

impl Work<'_> {
    pub(super) fn copy_in(&mut self, copies: &[(Place, &[u8])]) -> Result<(), KernelError> {
        let mut addressed = Vec::with_capacity(copies.len());
        for &(place, bytes) in copies {
            crate::error::expect_length("device memory", place.bytes as usize, bytes.len())?;
            addressed.push((self.base + place.offset, bytes));
        }
        self.lane.copy_in(&addressed)
    }

    pub(super) fn fill(&mut self, place: Place, byte: u8) -> Result<(), KernelError> {
        if place.bytes == 0 { Ok(()) } else { self.lane.fill(self.base + place.offset, place.bytes, byte) }
    }

    /// Launch enough blocks of `block` threads for `threads` of them.
    pub(super) fn launch(
        &mut self,
        kernel: &str,
        threads: u64,
        block: u32,
        words: &[Word],
    ) -> Result<(), KernelError> {
        let word = |word: &Word| match word {
            Word::At(place) => self.base + place.offset,
            Word::Number(number) => *number,
        };
        let params: Vec<u64> = words.iter().map(word).collect();
        let grid = u32::try_from(threads.div_ceil(u64::from(block)))
            .map_err(|_| KernelError::Device { what: format!("{kernel} would need {threads} threads") })?;
        if grid == 0 {
            return Ok(());
        }
        let (family, source) = (self.family, self.source);
        let launch = Launch { family, source, kernel, grid, block, params: &params };
        // SAFETY: addresses are those of parts that `ops` made for these sizes, which are the lengths that `reference::check`
        // saw; that kernels stay within them, and that words are those of the kernel's struct, is what the suite tests.
        unsafe { self.lane.launch(&launch) }
    }

    pub(super) fn copy_out(&mut self, copies: &mut [(Place, &mut [u8])]) -> Result<(), KernelError> {
        let mut addressed = Vec::with_capacity(copies.len());
        for (place, bytes) in copies {
            crate::error::expect_length("device memory", place.bytes as usize, bytes.len())?;
            addressed.push((self.base + place.offset, &mut **bytes));
        }
        self.lane.copy_out(&mut addressed)
    }
}
