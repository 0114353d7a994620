//! A worker's buffers, in memory that the backend gives.

use icpc_kernels::{Backend, HostBuffer};

/// The first `length` bytes of a buffer that grows but never shrinks.
pub(super) fn sized<'a>(
    backend: &dyn Backend,
    buffer: &'a mut HostBuffer,
    length: usize,
) -> Option<&'a mut [u8]> {
    if buffer.len() < length {
        // the old one goes first, so that never both are there
        *buffer = HostBuffer::default();
        *buffer = backend.buffer(length);
    }
    buffer.get_mut(..length)
}
