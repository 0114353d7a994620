//! Products of dense matrices, by the crate `matrixmultiply`.

use super::parallel::Shared;

/// `[rows, columns]` in a slice; element `[i, j]` is number `i × row_stride + j × column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows that follow each other.
    pub(super) fn rows(values: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transpose.
    pub(super) fn transposed(self) -> Matrix<'a> {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Whether the last element lies within.
fn fits(rows: usize, columns: usize, row_stride: usize, column_stride: usize, length: usize) -> bool {
    if rows == 0 || columns == 0 {
        return true;
    }
    let last = (rows - 1).checked_mul(row_stride).zip((columns - 1).checked_mul(column_stride));
    last.and_then(|(down, across)| down.checked_add(across)).is_some_and(|last| last < length)
}

/// `a · b`, into the matrix of `a.rows` by `b.columns` whose first element is number `start` of `c`, with `stride` elements from
/// row to row. A sum is over `k`, in the crate's order, which does not depend on where the element lies.
///
/// # Safety
/// No other thread reads or writes elements of that matrix meanwhile.
pub(super) unsafe fn product(a: Matrix<'_>, b: Matrix<'_>, c: &Shared<'_>, start: usize, stride: usize) {
    let (first, length) = c.raw();
    assert!(a.columns == b.rows);
    assert!(fits(a.rows, a.columns, a.row_stride, a.column_stride, a.values.len()));
    assert!(fits(b.rows, b.columns, b.row_stride, b.column_stride, b.values.len()));
    assert!(start <= length && fits(a.rows, b.columns, stride, 1, length - start));
    // SAFETY: the last element of each matrix lies within its slice; `c` is borrowed as mutable, so it overlaps neither of
    // the others, and the caller keeps other threads off it. Strides of slices fit in an isize.
    unsafe {
        matrixmultiply::sgemm(
            a.rows,
            a.columns,
            b.columns,
            1.0,
            a.values.as_ptr(),
            a.row_stride as isize,
            a.column_stride as isize,
            b.values.as_ptr(),
            b.row_stride as isize,
            b.column_stride as isize,
            0.0,
            first.add(start),
            stride as isize,
            1,
        );
    }
}
