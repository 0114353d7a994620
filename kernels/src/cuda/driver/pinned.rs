//! Memory of the host that stays in place, so that devices copy from and to it by themselves.

use super::Gpu;
use cudarc::driver::result;
use std::sync::Arc;

/// Shorter buffers are not worth a call of the driver.
const LEAST: usize = 64 << 10;
/// For the contexts of all devices.
const PORTABLE: u32 = 1;

/// Pinned memory.
pub(super) struct Pinned {
    gpu: Arc<Gpu>,
    start: *mut u8,
    bytes: usize,
}

// SAFETY: it is memory of the host that this value alone has.
unsafe impl Send for Pinned {}

impl Pinned {
    /// Zeroed; nothing where it is short or the system gives no more.
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Option<Pinned> {
        if bytes < LEAST || gpu.enter().is_err() {
            return None;
        }
        // SAFETY: the memory is freed when this value is dropped, and written before it is read.
        unsafe {
            let start: *mut u8 = result::malloc_host(bytes, PORTABLE).ok()?.cast();
            if start.is_null() {
                return None;
            }
            start.write_bytes(0, bytes);
            Some(Pinned { gpu: Arc::clone(gpu), start, bytes })
        }
    }
}

impl AsRef<[u8]> for Pinned {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: so many bytes were allocated and written, and they are borrowed with this value.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }
}

impl AsMut<[u8]> for Pinned {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.gpu.enter().is_ok() {
            // SAFETY: it was allocated in `new` and is not used again; copies end before their callers do.
            let _ = unsafe { result::free_host(self.start.cast()) };
        }
    }
}
