//! A pickle reader that runs nothing: classes stay names, calls stay records of what would be called.
//!
//! Source of the opcodes: Python's `pickletools` documentation, protocols 0 to 5.

mod machine;
mod operand;
mod value;

pub(super) use machine::load;
pub(super) use value::{Heap, Id, Node};

/// Longest pickle that is read, in bytes.
pub(super) const MAX_PICKLE: u64 = 128 << 20;

/// Most opcodes of one pickle: about eighty a tensor in what PyTorch writes.
const MAX_OPERATIONS: u64 = 64 << 20;

/// Most values of one pickle, each of about forty bytes.
const MAX_VALUES: usize = 8 << 20;

/// Deepest stack; honest pickles stay below the batch size of 1,000 items and some.
const MAX_STACK: usize = 4 << 20;

/// Most bytes of class names, which are copied at each use that is no memo.
const MAX_NAMES: usize = 32 << 20;
