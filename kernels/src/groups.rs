//! How the flat elements of a tensor fall into groups that share a scale, and into chunks.

/// Elements per chunk are a multiple of this, the last chunk of a tensor excepted, so that error statistics
/// see the same tiles whatever the chunk length.
pub const CHUNK_MULTIPLE: u64 = 4096;

/// A tensor seen as `[outer, axis, inner]`, row-major: element i belongs to group (i / inner) mod axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Product of the axes before the group's axis.
    pub outer: u64,
    /// Number of groups.
    pub axis: u64,
    /// Product of the axes after it: the elements of a group that lie side by side.
    pub inner: u64,
}

/// A run of neighbours of one group inside a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The group.
    pub group: usize,
    /// First element, counted from the start of the range.
    pub offset: usize,
    /// Elements.
    pub length: usize,
}

impl Groups {
    /// `count` groups of `length` neighbours each.
    pub const fn contiguous(count: u64, length: u64) -> Groups {
        Groups { outer: 1, axis: count, inner: length }
    }

    /// Elements of the tensor.
    pub const fn elements(&self) -> u64 {
        self.outer * self.axis * self.inner
    }

    /// Elements of one group.
    pub const fn group_length(&self) -> u64 {
        self.outer * self.inner
    }

    /// Whether each group lies in one piece.
    pub const fn is_contiguous(&self) -> bool {
        self.outer <= 1
    }

    /// The group of flat element `index`; the tensor is not empty.
    pub const fn group_of(&self, index: u64) -> u64 {
        (index / self.inner) % self.axis
    }

    /// The runs of the flat range `start..start + length`, in order.
    pub fn runs(&self, start: u64, length: usize) -> Runs {
        if self.elements() == 0 {
            return Runs { groups: *self, group: 0, left: 0, offset: 0, length: 0 };
        }
        let left = self.inner - start % self.inner;
        Runs { groups: *self, group: self.group_of(start), left, offset: 0, length }
    }

    /// The shortest chunk that holds whole groups and whole tiles; nothing when groups are scattered or it
    /// is longer than `limit` elements.
    pub fn chunk(&self, limit: u64) -> Option<u64> {
        if !self.is_contiguous() || self.inner == 0 {
            return None;
        }
        let chunk =
            (self.inner / greatest_common_divisor(self.inner, CHUNK_MULTIPLE)).checked_mul(CHUNK_MULTIPLE)?;
        (chunk <= limit).then_some(chunk)
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Iterator of [`Groups::runs`].
#[derive(Clone, Debug)]
pub struct Runs {
    groups: Groups,
    group: u64,
    left: u64,
    offset: usize,
    length: usize,
}

impl Iterator for Runs {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let rest = self.length - self.offset;
        if rest == 0 {
            return None;
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest);
        let run = Run { group: self.group as usize, offset: self.offset, length };
        self.offset += length;
        self.left = self.groups.inner;
        self.group += 1;
        if self.group == self.groups.axis {
            self.group = 0;
        }
        Some(run)
    }
}
