//! The groups that a piece touches, numbered from 0: only they are copied.

use super::super::launch::Word;
use crate::groups::Groups;
use crate::scale::GroupCode;
use std::ops::Range;

/// Groups of a piece.
pub(super) struct Window {
    /// Groups of the tensor that are copied.
    pub(super) groups: Range<usize>,
    offset: u64,
    inner: u64,
}

impl Window {
    /// Of `length` elements, at least 1, from flat index `start`.
    pub(super) fn new(groups: Groups, start: u64, length: usize) -> Window {
        let inner = groups.inner.max(1);
        if groups.is_contiguous() {
            let (first, last) = (start / inner, (start + length as u64 - 1) / inner);
            return Window {
                groups: first as usize..last as usize + 1,
                offset: start - first * inner,
                inner,
            };
        }
        let period = inner * groups.axis.max(1);
        Window { groups: 0..groups.axis as usize, offset: start % period, inner }
    }

    /// The words of `Groups` in `groups.cuh`.
    pub(super) fn words(&self) -> [Word; 3] {
        [Word::Number(self.offset), Word::Number(self.groups.len() as u64), Word::Number(self.inner)]
    }

    /// The codes of its groups as `GroupCode` in `groups.cuh`.
    pub(super) fn codes(&self, codes: &[GroupCode]) -> Vec<u8> {
        let words = |code: &GroupCode| {
            [code.scale.to_bits(), code.zero as u32, code.low.to_bits(), code.high.to_bits()]
        };
        codes[self.groups.clone()].iter().flat_map(words).flat_map(u32::to_le_bytes).collect()
    }
}
