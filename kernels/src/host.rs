//! Memory of the host that a backend gives: a device reads and writes some of it faster than the rest.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// What owns bytes: a vector, or a device's library.
pub trait HostMemory: AsRef<[u8]> + AsMut<[u8]> + Send {}

impl<T: AsRef<[u8]> + AsMut<[u8]> + Send> HostMemory for T {}

/// Bytes of one owner, who takes them back when this is dropped.
pub struct HostBuffer(Box<dyn HostMemory>);

impl HostBuffer {
    /// Ordinary memory, zeroed.
    pub fn plain(bytes: usize) -> HostBuffer {
        HostBuffer::new(vec![0; bytes])
    }

    /// Memory of another owner.
    pub fn new(owner: impl HostMemory + 'static) -> HostBuffer {
        HostBuffer(Box::new(owner))
    }
}

impl Default for HostBuffer {
    fn default() -> HostBuffer {
        HostBuffer::plain(0)
    }
}

impl Deref for HostBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl DerefMut for HostBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        (*self.0).as_mut()
    }
}

impl fmt::Debug for HostBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostBuffer({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::HostBuffer;

    #[test]
    fn another_owner_gets_its_memory_back() {
        struct Lent(Vec<u8>, std::sync::mpsc::Sender<Vec<u8>>);
        impl AsRef<[u8]> for Lent {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        impl AsMut<[u8]> for Lent {
            fn as_mut(&mut self) -> &mut [u8] {
                &mut self.0
            }
        }
        impl Drop for Lent {
            fn drop(&mut self) {
                let _ = self.1.send(std::mem::take(&mut self.0));
            }
        }
        let (back, lent) = std::sync::mpsc::channel();
        let mut buffer = HostBuffer::new(Lent(vec![0; 3], back));
        buffer[1] = 7;
        assert_eq!(*buffer, [0, 7, 0]);
        drop(buffer);
        assert_eq!(lent.try_recv(), Ok(vec![0, 7, 0]));
    }
}
