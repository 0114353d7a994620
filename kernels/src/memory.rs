//! Memory of what is read again and again, as weights are.
//!
//! A processor finds the place of a page in a table that it remembers a part of: of a weight of 64 MiB in pages of 4 KiB it
//! remembers little, and two cores that read such a weight wait for the table as much as for the memory. In pages of 2 MiB, where the
//! system gives them, they read it 1.4 times as fast (`README.md`).

use std::collections::TryReserveError;
use std::mem::MaybeUninit;

/// So many values, all the default, in large pages where the system gives them.
///
/// # Errors
/// There is no memory for them.
pub fn zeroed<T: Copy + Default>(length: usize) -> Result<Vec<T>, TryReserveError> {
    let mut values = Vec::new();
    values.try_reserve_exact(length)?;
    // Before the first value is written: pages get their size when they are touched.
    in_large_pages(values.spare_capacity_mut());
    values.resize(length, T::default());
    Ok(values)
}

/// Bytes below which a page of 2 MiB is seldom whole.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

#[cfg(target_os = "linux")]
fn in_large_pages<T>(values: &mut [MaybeUninit<T>]) {
    use rustix::mm::{Advice, madvise};
    const PAGE: usize = 1 << 16; // the largest among those that Linux has as its small ones
    let (start, bytes) = (values.as_mut_ptr() as usize, size_of_val(values));
    if bytes < LARGE {
        return;
    }
    let first = start.next_multiple_of(PAGE);
    let length = (start + bytes - first) / PAGE * PAGE;
    // SAFETY: whole pages within memory that is borrowed here for writing. The advice changes the size of its pages, never what
    // it holds; a system that refuses it goes on with small ones.
    let _ = unsafe { madvise(first as *mut _, length, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn in_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

#[cfg(test)]
mod tests {
    use super::zeroed;

    #[test]
    fn values_are_zero_and_can_be_written() {
        for length in [0, 1, 1000, (9 << 20) + 3] {
            let mut values: Vec<f32> = zeroed(length).unwrap();
            assert_eq!(values.len(), length);
            assert!(values.iter().all(|value| *value == 0.0));
            values.fill(1.5);
            assert_eq!(values.iter().filter(|value| **value == 1.5).count(), length);
        }
    }

    #[test]
    fn what_no_memory_holds_is_an_error() {
        assert!(zeroed::<u8>(usize::MAX / 4).is_err());
    }
}
