//! Setting values to zero, chunk by chunk, so that the same elements go whatever the chunks are.

use icpc_kernels::prune::{Threshold, keep_n_of_m, zero_below};
use icpc_kernels::{Backend, DType, KernelError};

use crate::plan::ir::Mask;

/// A mask that knows all it needs.
#[derive(Clone, Debug)]
pub(super) enum ReadyMask {
    /// All below a magnitude, and of those equal to it the first ones.
    Magnitude {
        threshold: Threshold,
        /// Elements of a chunk.
        chunk: u64,
        /// Elements equal to the threshold that come before each chunk.
        ties_before: Vec<u64>,
    },
    /// All but the largest of each run.
    NOfM { keep: usize, of: usize },
}

impl ReadyMask {
    /// Length of the runs that a range must not cut.
    pub(super) fn unit(&self) -> u64 {
        match self {
            ReadyMask::Magnitude { .. } => 1,
            ReadyMask::NOfM { of, .. } => *of as u64,
        }
    }

    /// Zeroes elements in `bytes`, which begin at flat index `start`.
    pub(super) fn apply(
        &self,
        backend: &dyn Backend,
        dtype: DType,
        bytes: &mut [u8],
        start: u64,
    ) -> Result<(), KernelError> {
        let _zeroed = match self {
            ReadyMask::NOfM { keep, of } => keep_n_of_m(backend, dtype, bytes, start, *keep, *of)?,
            ReadyMask::Magnitude { threshold, chunk, ties_before } => {
                let index = usize::try_from(start / (*chunk).max(1)).ok();
                let before = index.and_then(|index| ties_before.get(index)).copied().unwrap_or(0);
                let mut ties = threshold.ties.saturating_sub(before);
                zero_below(backend, dtype, bytes, start, threshold.magnitude, &mut ties)?
            }
        };
        Ok(())
    }
}

/// How many elements of `elements` a magnitude mask zeroes: `floor(n * millionths / 10^6)`.
pub(super) fn zeroed_by_magnitude(elements: u64, millionths: u32) -> u64 {
    let wide = u128::from(elements) * u128::from(millionths.min(1_000_000)) / 1_000_000;
    u64::try_from(wide).unwrap_or(elements)
}

/// A mask that needs no pass over the tensor.
pub(super) fn immediate(mask: Mask) -> Option<ReadyMask> {
    match mask {
        Mask::NOfM { keep, of } => Some(ReadyMask::NOfM { keep: keep as usize, of: of as usize }),
        Mask::Magnitude { .. } => None,
    }
}

/// How many elements of `elements` a mask zeroes; those that were zero before are among them.
pub(crate) fn zeroed(elements: u64, mask: Mask) -> u64 {
    match mask {
        Mask::Magnitude { millionths } => zeroed_by_magnitude(elements, millionths),
        Mask::NOfM { keep, of } => elements / u64::from(of.max(1)) * u64::from(of.saturating_sub(keep)),
    }
}
