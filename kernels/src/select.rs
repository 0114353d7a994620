//! Exact order statistics of |w| over any number of chunks: radix selection on the bits of f32 magnitudes.
//!
//! Bits of non-negative floats order as the floats do. Each pass counts one digit of the values that share the
//! digits found so far; partial counts merge in any order. The digit's width follows from the number of groups,
//! so that a pass never holds more than 16 MiB of counters.

use crate::backend::{Backend, CountDigitsOp, Op};
use crate::groups::Groups;
use crate::{KernelError, Source};

/// Bits of a magnitude.
const BITS: u32 = 31;
/// Counters of one pass, at most (8 bytes each).
const COUNTERS: u64 = 2 << 20;

/// The state of a selection: the same rank in each group.
#[derive(Clone, Debug)]
pub struct Selector {
    groups: Groups,
    rank: u64,
    /// Bits below the digit of the current pass.
    shift: u32,
    width: u32,
    orders: Vec<Order>,
    prefixes: Vec<u32>,
}

/// An order statistic and its surroundings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Order {
    /// The magnitude of that rank.
    pub value: f32,
    /// The magnitude of the next rank; `value` when there is none.
    pub next: f32,
    /// Magnitudes below `value`.
    pub below: u64,
    /// Magnitudes equal to `value`.
    pub equal: u64,
}

/// Counts of one pass over some chunks.
#[derive(Clone, Debug)]
pub struct Counts {
    histogram: Vec<u64>,
    /// Per group the least magnitude above the digits found so far (last pass only).
    above: Vec<u32>,
}

impl Counts {
    /// What one pass over all chunks counted.
    #[cfg(feature = "cuda")]
    pub(crate) fn from_parts(histogram: Vec<u64>, above: Vec<u32>) -> Counts {
        Counts { histogram, above }
    }

    /// Add the counts of other chunks.
    pub fn merge(&mut self, other: &Counts) {
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(count, more)| *count += more);
        self.above.iter_mut().zip(&other.above).for_each(|(least, other)| *least = (*least).min(*other));
    }
}

impl Selector {
    /// Select the magnitude of 0-based ascending `rank` in each group; `rank` is below the groups' length.
    pub fn new(groups: Groups, rank: u64) -> Selector {
        let fits = |width: &u32| groups.axis.saturating_mul(1 << width) <= COUNTERS;
        let width = [16, 11, 8, 4, 2].into_iter().find(fits).unwrap_or(1);
        let count = groups.axis as usize;
        let (orders, prefixes) = (vec![Order::default(); count], vec![0; count]);
        Selector { groups, rank, shift: BITS - width, width, orders, prefixes }
    }

    /// Whether another pass is needed.
    pub const fn is_done(&self) -> bool {
        self.width == 0
    }

    /// The digit of the current pass: the bits below it, its own bits, and the digits found so far.
    #[cfg(feature = "cuda")]
    pub(crate) fn digit(&self) -> (u32, u32, &[u32]) {
        (self.shift, self.width, &self.prefixes)
    }

    /// Counters for a pass.
    pub fn counts(&self) -> Counts {
        let groups = self.prefixes.len();
        Counts { histogram: vec![0; groups << self.width], above: vec![u32::MAX; groups] }
    }

    /// Count the range that begins at flat index `start`.
    ///
    /// # Errors
    /// [`KernelError::NonFinite`] or [`KernelError::Overflow`] with the first flat index.
    pub fn scan(
        &self,
        backend: &dyn Backend,
        source: Source<'_>,
        start: u64,
        counts: &mut Counts,
    ) -> Result<(), KernelError> {
        backend.run(Op::CountDigits(CountDigitsOp {
            source,
            start,
            groups: self.groups,
            shift: self.shift,
            width: self.width,
            prefixes: &self.prefixes,
            histogram: &mut counts.histogram,
            above: &mut counts.above,
        }))
    }

    /// Take in the counts of all chunks and go on to the next digit.
    pub fn absorb(&mut self, counts: &Counts) {
        let last = self.shift == 0;
        for (group, order) in self.orders.iter_mut().enumerate() {
            let bins = &counts.histogram[group << self.width..(group + 1) << self.width];
            let mut digit = 0;
            for (index, &count) in bins.iter().enumerate() {
                digit = index;
                order.equal = count;
                if order.below + count > self.rank {
                    break;
                }
                order.below += count;
            }
            let base = self.prefixes[group] << self.width;
            self.prefixes[group] = base | digit as u32;
            if last {
                let later = bins.iter().skip(digit + 1).position(|&count| count > 0);
                let next = match later {
                    _ if order.below + order.equal > self.rank + 1 => self.prefixes[group],
                    Some(distance) => base | (digit + 1 + distance) as u32,
                    None if counts.above[group] != u32::MAX => counts.above[group],
                    None => self.prefixes[group],
                };
                order.value = f32::from_bits(self.prefixes[group]);
                order.next = f32::from_bits(next);
            }
        }
        self.width = self.width.min(self.shift);
        self.shift -= self.width;
    }

    /// One per group, after the last pass.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }
}

/// Select in data that is all there: passes of its own over `source`, the whole tensor.
///
/// # Errors
/// As [`Selector::scan`].
pub fn select(
    backend: &dyn Backend,
    source: Source<'_>,
    groups: Groups,
    rank: u64,
) -> Result<Vec<Order>, KernelError> {
    let mut selector = Selector::new(groups, rank);
    while !selector.is_done() {
        let mut counts = selector.counts();
        selector.scan(backend, source, 0, &mut counts)?;
        selector.absorb(&counts);
    }
    Ok(selector.orders)
}
