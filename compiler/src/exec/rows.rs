//! Which source elements stay when indices are cut out of axes, as runs of neighbours.

use crate::plan::ir::AxisSlice;

/// An axis of which some rows stay, in ascending order.
#[derive(Clone, Debug)]
struct Axis {
    source: u64,
    kept: u64,
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    kept: u64,
    source: u64,
    length: u64,
}

impl Axis {
    fn whole(extent: u64) -> Axis {
        Axis { source: extent, kept: extent, runs: vec![Run { kept: 0, source: 0, length: extent }] }
    }

    fn cut(extent: u64, slice: &AxisSlice, of: u64, kept: &[u64]) -> Axis {
        let mut axis = Axis { source: extent, kept: 0, runs: Vec::new() };
        axis.push(0, slice.before);
        for outer in 0..slice.outer {
            for index in kept {
                axis.push(slice.before + (outer * of + index) * slice.inner, slice.inner);
            }
        }
        axis.push(slice.before + slice.outer * of * slice.inner, slice.after);
        axis
    }

    fn push(&mut self, source: u64, length: u64) {
        match self.runs.last_mut() {
            Some(last) if last.source + last.length == source => last.length += length,
            _ if length == 0 => {}
            _ => self.runs.push(Run { kept: self.kept, source, length }),
        }
        self.kept += length;
    }

    /// Source row of kept row `row`, and how many neighbours stay from there on, itself counted.
    fn locate(&self, row: u64) -> (u64, u64) {
        let after = self.runs.partition_point(|run| run.kept <= row);
        match after.checked_sub(1).and_then(|index| self.runs.get(index)) {
            Some(run) => {
                let within = row - run.kept;
                (run.source + within, run.length.saturating_sub(within))
            }
            None => (0, 0),
        }
    }
}

/// The elements that stay.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Axes up to the last one that is cut.
    axes: Vec<Axis>,
    /// Elements below a row of the last of them.
    inner: u64,
    elements: u64,
}

impl Rows {
    /// For a tensor of `shape`; each cut has its slice, the extent of its dim and the indices kept, ascending. The plan's
    /// layout has checked that slices fit the axes.
    pub(super) fn new(shape: &[u64], cuts: &[(AxisSlice, u64, &[u64])]) -> Rows {
        let last = cuts.iter().map(|(slice, _, _)| slice.axis + 1).max().unwrap_or(0);
        let axes: Vec<Axis> = shape
            .iter()
            .take(last)
            .enumerate()
            .map(|(axis, extent)| match cuts.iter().find(|(slice, _, _)| slice.axis == axis) {
                Some((slice, of, kept)) => Axis::cut(*extent, slice, *of, kept),
                None => Axis::whole(*extent),
            })
            .collect();
        let inner = shape.iter().skip(last).product();
        let elements = axes.iter().map(|axis| axis.kept).product::<u64>() * inner;
        Rows { axes, inner, elements }
    }

    /// Elements that stay.
    pub(super) fn elements(&self) -> u64 {
        self.elements
    }

    /// Whether all stay.
    pub(super) fn is_whole(&self) -> bool {
        self.axes.is_empty()
    }

    /// Source element of kept element `flat`, and the length of the run of neighbours from there on.
    pub(super) fn locate(&self, flat: u64) -> (u64, u64) {
        let Some((last, outer)) = self.axes.split_last() else {
            return (flat, self.elements.saturating_sub(flat));
        };
        if self.inner == 0 || last.kept == 0 {
            return (0, 0);
        }
        let (unit, within) = (flat / self.inner, flat % self.inner);
        let (mut rest, row) = (unit / last.kept, unit % last.kept);
        let (mut source, left) = last.locate(row);
        let mut scale = last.source;
        for axis in outer.iter().rev() {
            if axis.kept == 0 {
                return (0, 0);
            }
            source += axis.locate(rest % axis.kept).0 * scale;
            rest /= axis.kept;
            scale *= axis.source;
        }
        (source * self.inner + within, left * self.inner - within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(shape: &[u64], cuts: &[(AxisSlice, u64, &[u64])]) -> Vec<u64> {
        let total: u64 = shape.iter().product();
        (0..total)
            .filter(|flat| {
                let mut rest = *flat;
                let mut index = vec![0; shape.len()];
                for axis in (0..shape.len()).rev() {
                    index[axis] = rest % shape[axis];
                    rest /= shape[axis];
                }
                cuts.iter().all(|(s, of, kept)| {
                    let row = index[s.axis];
                    row < s.before
                        || row >= s.before + s.outer * of * s.inner
                        || kept.contains(&((row - s.before) / s.inner % of))
                })
            })
            .collect()
    }

    proptest! {
        #[test]
        fn runs_are_the_kept_elements(
            a in (0u64..3, 1u64..3, 1u64..3, 0u64..3, 1u64..5), b in (0u64..3, 1u64..3, 1u64..3, 0u64..3, 1u64..5),
            middle in 1u64..4, tail in 1u64..4, keep in any::<u8>(), both in any::<bool>(),
        ) {
            let slice = |axis, (before, outer, inner, after, _): (u64, u64, u64, u64, u64)| {
                AxisSlice { axis, before, outer, inner, after }
            };
            let extent = |(before, outer, inner, after, of): (u64, u64, u64, u64, u64)| before + outer * of * inner + after;
            let shape = [extent(a), middle, extent(b), tail];
            let kept = |of: u64| (0..of).filter(|i| keep >> i & 1 == 1 || *i == 0).collect::<Vec<u64>>();
            let (first, second) = (kept(a.4), kept(b.4));
            let mut cuts = vec![(slice(0, a), a.4, &first[..])];
            if both {
                cuts.push((slice(2, b), b.4, &second[..]));
            }
            let rows = Rows::new(&shape, &cuts);
            let expected = naive(&shape, &cuts);
            prop_assert_eq!(rows.elements(), expected.len() as u64);
            let mut flat = 0;
            while flat < rows.elements() {
                let (source, length) = rows.locate(flat);
                prop_assert!(length > 0);
                for step in 0..length {
                    prop_assert_eq!(expected[(flat + step) as usize], source + step);
                    prop_assert_eq!(rows.locate(flat + step), (source + step, length - step));
                }
                flat += length;
            }
        }
    }
}
