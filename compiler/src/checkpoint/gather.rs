//! Strided views as dense row-major bytes.
//!
//! A chunk of row-major elements is a stack of boxes (part of a row, whole rows, part of a row, at each axis). A box is
//! read along its axis of smallest stride, where a file has its longest runs, and scattered to where row-major order
//! wants each element: a transposed matrix costs one read a column and chunk, not one an element.

use super::error::{CheckpointError, Result};
use super::source::ReadAt;

/// A strided view of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// Extents, outermost first.
    pub(super) shape: &'a [u64],
    /// Distances between neighbours, in elements.
    pub(super) strides: &'a [u64],
    /// Byte of element 0.
    pub(super) offset: u64,
    /// Bytes of an element.
    pub(super) width: u64,
}

/// Longest single read, in bytes: bounds the scratch memory of a thread.
const MAX_RUN: u64 = 1 << 20;

/// Largest stride, in bytes, that is read through rather than skipped.
const MAX_SKIP: u64 = 256;

/// One axis of a box: how many elements, how far apart in the file and in the output.
#[derive(Clone, Copy, Debug)]
struct Axis {
    extent: u64,
    stride: u64,
    out: u64,
}

/// Fills `buffer` with the elements from number `start` on. The caller checked that they exist.
pub(super) fn gather(file: &dyn ReadAt, view: &View<'_>, start: u64, buffer: &mut [u8]) -> Result<()> {
    let count = (buffer.len() as u64).checked_div(view.width).unwrap_or(0);
    let mut work = Work { file, view, scratch: Vec::new(), out: buffer };
    work.chunk(0, start, count, view.offset, 0)
}

struct Work<'a, 'b> {
    file: &'a dyn ReadAt,
    view: &'a View<'a>,
    scratch: Vec<u8>,
    out: &'b mut [u8],
}

impl Work<'_, '_> {
    /// Elements `start..start + count` of the sub-view from `axis` on that begins at byte `base`, to byte `to` of the
    /// output. Recurses once an axis, of which there are few.
    fn chunk(&mut self, axis: usize, start: u64, count: u64, base: u64, to: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let View { shape, strides, width, .. } = *self.view;
        let inner = shape.get(axis + 1..).unwrap_or_default().iter().product::<u64>();
        let (Some(extent), Some(stride)) = (shape.get(axis), strides.get(axis)) else {
            return self.whole(axis, 0, 1, base, to);
        };
        if inner == 0 || *extent == 0 {
            return Ok(());
        }
        let step = stride * width;
        let (mut row, skip) = (start / inner, start % inner);
        let (mut left, mut to) = (count, to);
        if skip > 0 {
            let head = left.min(inner - skip);
            self.chunk(axis + 1, skip, head, base + row * step, to)?;
            (row, left, to) = (row + 1, left - head, to + head * width);
        }
        let rows = left / inner;
        if rows > 0 {
            self.whole(axis, row, rows, base, to)?;
            (row, left, to) = (row + rows, left - rows * inner, to + rows * inner * width);
        }
        self.chunk(axis + 1, 0, left, base + row * step, to)
    }

    /// Rows `row..row + rows` of `axis`, all axes below it whole.
    fn whole(&mut self, axis: usize, row: u64, rows: u64, base: u64, to: u64) -> Result<()> {
        let View { shape, strides, width, .. } = *self.view;
        let mut axes = Vec::new();
        let mut out = width;
        let below = shape.iter().zip(strides).enumerate().skip(axis + 1).rev();
        for (_, (extent, stride)) in below {
            axes.push(Axis { extent: *extent, stride: stride * width, out });
            out *= extent;
        }
        let stride = strides.get(axis).copied().unwrap_or(0) * width;
        axes.push(Axis { extent: rows, stride, out });
        axes.retain(|a| a.extent != 1);
        // Repeated axes have stride 0 and are filled from what was read once.
        let repeats: Vec<Axis> = axes.iter().copied().filter(|a| a.stride == 0).collect();
        axes.retain(|a| a.stride != 0);
        axes.sort_by_key(|a| a.stride);
        let first = Axis { extent: 1, stride: width, out: width };
        let run = if axes.is_empty() { first } else { axes.remove(0) };
        let mut counters = vec![0u64; axes.len()];
        loop {
            let at = counters
                .iter()
                .zip(&axes)
                .fold((base + row * stride, to), |(from, to), (n, a)| (from + n * a.stride, to + n * a.out));
            self.run(run, &repeats, at.0, at.1)?;
            // An odometer over the outer axes, the smallest stride fastest.
            let mut turning = counters.iter_mut().zip(&axes);
            loop {
                let Some((n, axis)) = turning.next() else { return Ok(()) };
                *n += 1;
                if *n < axis.extent {
                    break;
                }
                *n = 0;
            }
        }
    }

    /// Elements along one axis, each to all its places in the output.
    fn run(&mut self, run: Axis, repeats: &[Axis], from: u64, to: u64) -> Result<()> {
        let width = self.view.width;
        let per_read = if run.stride > MAX_SKIP.max(width) { 1 } else { (MAX_RUN / run.stride).max(1) };
        let mut done = 0;
        while done < run.extent {
            let count = per_read.min(run.extent - done);
            let bytes = (count - 1) * run.stride + width;
            self.scratch.resize(size(bytes)?, 0);
            let offset = from + done * run.stride;
            let read = self.file.read_exact_at(&mut self.scratch, offset);
            read.map_err(|e| CheckpointError::io("reading", &e))?;
            if repeats.is_empty() && run.stride == width && run.out == width {
                let start = size(to + done * width)?;
                let target = self.out.get_mut(start..start + self.scratch.len()).ok_or_else(outside)?;
                target.copy_from_slice(&self.scratch);
            } else {
                for i in 0..count {
                    self.place(size(i * run.stride)?, to + (done + i) * run.out, repeats)?;
                }
            }
            done += count;
        }
        Ok(())
    }

    /// One element of the scratch memory to all its places.
    fn place(&mut self, at: usize, to: u64, repeats: &[Axis]) -> Result<()> {
        let width = size(self.view.width)?;
        let element = self.scratch.get(at..at + width).ok_or_else(outside)?;
        let total = repeats.iter().map(|a| a.extent).product::<u64>();
        for n in 0..total {
            let (_, to) =
                repeats.iter().fold((n, to), |(n, to), a| (n / a.extent, to + n % a.extent * a.out));
            let start = size(to)?;
            let target = self.out.get_mut(start..start + width).ok_or_else(outside)?;
            target.copy_from_slice(element);
        }
        Ok(())
    }
}

fn size(bytes: u64) -> Result<usize> {
    usize::try_from(bytes).map_err(|_| outside())
}

fn outside() -> CheckpointError {
    CheckpointError::malformed("a strided view reaches beyond its buffer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Any chunk of any view is what one step at a time gives.
        #[test]
        fn chunks_are_those_of_the_definition(
            shape in proptest::collection::vec(1u64..5, 0..5),
            strides in proptest::collection::vec(0u64..40, 5),
            width in prop_oneof![Just(1u64), Just(2), Just(4)],
            (from, to) in (0u64..700, 0u64..700),
        ) {
            let strides = &strides[..shape.len()];
            let count: u64 = shape.iter().product();
            let (start, end) = (from.min(to) % (count + 1), from.max(to) % (count + 1));
            let (start, end) = (start.min(end), start.max(end));
            let reach: u64 = shape.iter().zip(strides).map(|(n, s)| (n - 1) * s).sum::<u64>() + 1;
            let file: Vec<u8> = (0..7 + reach * width).map(|i| (i * 31 % 251) as u8).collect();
            let view = View { shape: &shape, strides, offset: 7, width };
            let mut got = vec![0u8; ((end - start) * width) as usize];
            gather(&file, &view, start, &mut got).unwrap();
            let mut wanted = Vec::new();
            for n in start..end {
                let (_, element) = shape.iter().zip(strides).rev().fold((n, 0), |(n, at), (d, s)| (n / d, at + n % d * s));
                let at = (7 + element * width) as usize;
                wanted.extend_from_slice(&file[at..at + width as usize]);
            }
            prop_assert_eq!(got, wanted);
        }
    }
}
