//! How fast memory is read and copied: what every kernel is measured beside.

use crate::memory::zeroed;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// GB/s of all threads together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bandwidth {
    /// Reading.
    pub read: f64,
    /// Copying: bytes copied, not bytes moved.
    pub copy: f64,
}

/// Measure on so many threads, each with a part of `bytes` bytes of its own; bytes beyond the caches measure memory. Takes
/// about a quarter of a second.
pub fn memory(threads: usize, bytes: usize) -> Bandwidth {
    let threads = threads.max(1);
    let part = (bytes / threads).max(1 << 16) / 64 * 64;
    // Where weights lie, too; without memory for that much nothing is measured, and each share is of nothing.
    let (Ok(mut source), Ok(mut target)) = (zeroed(part * threads), zeroed(part * threads)) else {
        return Bandwidth { read: 0.0, copy: 0.0 };
    };
    source.fill(1u8);
    let read = best(source.len(), || {
        std::thread::scope(|scope| {
            for piece in source.chunks(part) {
                scope.spawn(move || {
                    let (words, _) = piece.as_chunks::<8>();
                    let sum =
                        words.iter().fold(0u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
                    black_box(sum);
                });
            }
        });
    });
    let copy = best(source.len(), || {
        std::thread::scope(|scope| {
            for (from, to) in source.chunks(part).zip(target.chunks_mut(part)) {
                scope.spawn(move || to.copy_from_slice(black_box(from)));
            }
        });
    });
    Bandwidth { read, copy }
}

/// GB/s of the shortest of the runs that fit in an eighth of a second, at least two.
pub fn best(bytes: usize, mut work: impl FnMut()) -> f64 {
    work();
    let (begin, mut shortest) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < Duration::from_millis(125) || shortest == Duration::MAX {
        let start = Instant::now();
        work();
        shortest = shortest.min(start.elapsed());
    }
    bytes as f64 / shortest.as_secs_f64().max(1e-9) / 1e9
}
