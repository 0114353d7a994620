//! Peak memory of a run, from the buffers that the executor really has. The executor takes its sizes from here, so that
//! the figure cannot drift away from it.

/// Sizes of the buffers of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Worker threads.
    pub threads: usize,
}

/// Peak memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes.
    pub peak: u64,
}
