//! A flat range of a grouped tensor as few rectangles, on which tensor operations broadcast.

use crate::KernelError;
use crate::groups::Groups;
use tch::Tensor;

/// Elements of a range that are `[outer, rows, inner]`, with groups `group..group + rows` along `rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// First element, counted from the start of the range.
    pub(super) offset: usize,
    pub(super) outer: usize,
    pub(super) rows: usize,
    pub(super) inner: usize,
    /// Group of the first row.
    pub(super) group: usize,
}

impl Piece {
    pub(super) const fn elements(&self) -> usize {
        self.outer * self.rows * self.inner
    }

    /// The groups of the rows.
    pub(super) const fn groups(&self) -> std::ops::Range<usize> {
        self.group..self.group + self.rows
    }

    /// The piece's part of a flat tensor, as `[outer, rows, inner]`.
    pub(super) fn of(&self, flat: &Tensor) -> Result<Tensor, KernelError> {
        let part = flat.f_narrow(0, self.offset as i64, self.elements() as i64)?;
        Ok(part.f_reshape([self.outer as i64, self.rows as i64, self.inner as i64])?)
    }
}

/// The pieces of `start..start + length`, in order, at most five: the end of a run, the end of a period of `axis` runs,
/// whole periods, whole runs, the beginning of a run.
pub(super) fn pieces(groups: Groups, start: u64, length: usize) -> Vec<Piece> {
    let mut all = Vec::new();
    if groups.elements() == 0 {
        return all;
    }
    let (axis, inner) = (groups.axis as usize, groups.inner as usize);
    let mut offset = 0;
    let mut push = |outer: usize, rows: usize, inner: usize, offset: &mut usize| {
        let group = groups.group_of(start + *offset as u64) as usize;
        let piece = Piece { offset: *offset, outer, rows, inner, group };
        if piece.elements() > 0 {
            *offset += piece.elements();
            all.push(piece);
        }
    };
    let within = (start % groups.inner) as usize;
    if within > 0 {
        push(1, 1, (inner - within).min(length), &mut offset);
    }
    let row = groups.group_of(start + offset as u64) as usize;
    if row > 0 {
        push(1, (axis - row).min((length - offset) / inner), inner, &mut offset);
    }
    push((length - offset) / (axis * inner), axis, inner, &mut offset);
    push(1, (length - offset) / inner, inner, &mut offset);
    push(1, 1, length - offset, &mut offset);
    all
}

#[cfg(test)]
mod tests {
    use super::pieces;
    use crate::groups::Groups;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_the_runs(
            outer in 1u64..5, axis in 1u64..6, inner in 1u64..7, start in 0u64..60, length in 0usize..80,
        ) {
            let groups = Groups { outer, axis, inner };
            let start = start.min(groups.elements());
            let length = length.min((groups.elements() - start) as usize);
            let found = pieces(groups, start, length);
            prop_assert!(found.len() <= 5);
            let mut next = 0;
            for piece in found {
                prop_assert_eq!(piece.offset, next);
                for index in 0..piece.elements() {
                    let row = index / piece.inner % piece.rows;
                    prop_assert_eq!(groups.group_of(start + next as u64) as usize, piece.group + row);
                    next += 1;
                }
            }
            prop_assert_eq!(next, length);
        }
    }
}
