//! The scales of a tensor's groups: from passes over its chunks, or at once where whole groups are at hand.

use crate::backend::{Backend, ExtentsOp, GridErrorsOp, Op, PercentilesOp};
use crate::format::{Clip, Int, Percentile};
use crate::groups::Groups;
use crate::scale::{Extent, GRID, GroupCode, ScaleFault};
use crate::select::{Counts, Selector};
use crate::{KernelError, Source};

/// The passes that find scales.
#[derive(Clone, Debug)]
pub(super) struct ScalePlan {
    int: Int,
    groups: Groups,
    stage: Stage,
    extents: Vec<Extent>,
    codes: Vec<GroupCode>,
}

#[derive(Clone, Debug)]
enum Stage {
    Extents,
    Select(Percentile, Selector),
    Grid,
    Done,
}

/// What one pass gathers.
#[derive(Clone, Debug)]
pub(super) enum ScaleScan {
    Extents(Vec<Extent>),
    Select(Counts),
    Grid(Vec<[u64; GRID]>),
}

impl ScalePlan {
    pub(super) fn new(int: Int, groups: Groups) -> ScalePlan {
        let count = groups.axis as usize;
        let mut plan = ScalePlan {
            int,
            groups,
            stage: Stage::Extents,
            extents: vec![Extent::default(); count],
            codes: Vec::new(),
        };
        match int.clip {
            _ if groups.elements() == 0 => {
                plan.codes = vec![GroupCode::default(); count];
                plan.stage = Stage::Done;
            }
            // the sign of the extremes does not matter, so one pass is saved
            Clip::Percentile(percentile) if int.symmetric => plan.stage = plan.selection(percentile),
            _ => {}
        }
        plan
    }

    fn selection(&self, percentile: Percentile) -> Stage {
        let (rank, _) = percentile.position(self.groups.group_length());
        Stage::Select(percentile, Selector::new(self.groups, rank))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// One per group, when done.
    pub(super) fn codes(&self) -> &[GroupCode] {
        &self.codes
    }

    pub(super) fn new_scan(&self) -> ScaleScan {
        let count = self.groups.axis as usize;
        match &self.stage {
            Stage::Select(_, selector) => ScaleScan::Select(selector.counts()),
            Stage::Grid => ScaleScan::Grid(vec![[0; GRID]; count]),
            Stage::Extents | Stage::Done => ScaleScan::Extents(vec![Extent::default(); count]),
        }
    }

    pub(super) fn scan(
        &self,
        backend: &dyn Backend,
        source: Source<'_>,
        start: u64,
        scan: &mut ScaleScan,
    ) -> Result<(), KernelError> {
        let groups = self.groups;
        match (&self.stage, scan) {
            (Stage::Extents, ScaleScan::Extents(extents)) => {
                backend.run(Op::Extents(ExtentsOp { source, start, groups, extents }))
            }
            (Stage::Select(_, selector), ScaleScan::Select(counts)) => {
                selector.scan(backend, source, start, counts)
            }
            (Stage::Grid, ScaleScan::Grid(sums)) => {
                let (int, extents) = (self.int, &self.extents[..]);
                backend.run(Op::GridErrors(GridErrorsOp { source, start, groups, int, extents, sums }))
            }
            _ => Err(KernelError::Malformed { what: "a scan of another pass" }),
        }
    }

    /// Take in the scan of the whole tensor.
    pub(super) fn absorb(&mut self, scan: ScaleScan) -> Result<(), KernelError> {
        match (&mut self.stage, scan) {
            (Stage::Extents, ScaleScan::Extents(extents)) => {
                self.extents = extents;
                match self.int.clip {
                    Clip::MinMax => self.finish(|extent, _| extent)?,
                    Clip::Percentile(percentile) => self.stage = self.selection(percentile),
                    Clip::Mse => self.stage = Stage::Grid,
                }
            }
            (Stage::Select(percentile, selector), ScaleScan::Select(counts)) => {
                selector.absorb(&counts);
                if selector.is_done() {
                    let (_, fraction) = percentile.position(self.groups.group_length());
                    let orders = selector.orders().iter();
                    let limits: Vec<f32> =
                        orders.map(|order| Percentile::between(order.value, order.next, fraction)).collect();
                    let symmetric = self.int.symmetric;
                    self.finish(|extent, group| clipped(symmetric, extent, limits[group]))?;
                }
            }
            (Stage::Grid, ScaleScan::Grid(sums)) => {
                check_codes(&self.int, &self.extents)?;
                self.finish(|extent, group| extent.candidate(best(&sums[group])))?;
            }
            _ => return Err(KernelError::Malformed { what: "a scan of another pass" }),
        }
        Ok(())
    }

    fn finish(&mut self, range: impl Fn(Extent, usize) -> Extent) -> Result<(), KernelError> {
        let extents: Vec<Extent> =
            self.extents.iter().enumerate().map(|(group, &extent)| range(extent, group)).collect();
        self.codes = check_codes(&self.int, &extents)?;
        self.stage = Stage::Done;
        Ok(())
    }
}

/// Group codes of whole contiguous groups, `length` elements each. Errors count from the first of them.
pub(super) fn whole_groups(
    backend: &dyn Backend,
    int: &Int,
    source: Source<'_>,
    length: usize,
) -> Result<Vec<GroupCode>, KernelError> {
    let count = source.len().checked_div(length).unwrap_or(0);
    let groups = Groups::contiguous(count as u64, length as u64);
    let mut extents = vec![Extent::default(); count];
    let percentile = match int.clip {
        Clip::Percentile(percentile) => Some(percentile),
        _ => None,
    };
    if percentile.is_none() || !int.symmetric {
        backend.run(Op::Extents(ExtentsOp { source, start: 0, groups, extents: &mut extents }))?;
    }
    if let Some(percentile) = percentile {
        let mut limits = vec![0.0; count];
        backend.run(Op::Percentiles(PercentilesOp {
            source,
            start: 0,
            length,
            percentile,
            limits: &mut limits,
        }))?;
        for (extent, &limit) in extents.iter_mut().zip(&limits) {
            *extent = clipped(int.symmetric, *extent, limit);
        }
    }
    if int.clip == Clip::Mse {
        check_codes(int, &extents)?;
        let mut sums = vec![[0; GRID]; count];
        let op = GridErrorsOp { source, start: 0, groups, int: *int, extents: &extents, sums: &mut sums };
        backend.run(Op::GridErrors(op))?;
        for (extent, sums) in extents.iter_mut().zip(&sums) {
            *extent = extent.candidate(best(sums));
        }
    }
    check_codes(int, &extents)
}

/// The least error; of equal ones the first, which is the widest range.
fn best(sums: &[u64; GRID]) -> usize {
    (0..GRID).min_by_key(|&index| sums[index]).unwrap_or(0)
}

fn clipped(symmetric: bool, extent: Extent, limit: f32) -> Extent {
    if symmetric { Extent { low: -limit, high: limit } } else { extent.within(limit) }
}

fn check_codes(int: &Int, extents: &[Extent]) -> Result<Vec<GroupCode>, KernelError> {
    let code = |(group, &extent): (usize, &Extent)| {
        let group = group as u64;
        GroupCode::new(int, extent).map_err(|fault| match fault {
            ScaleFault::Overflow(limit) => KernelError::ScaleOverflow { group, limit },
            ScaleFault::Underflow(limit) => KernelError::ScaleUnderflow { group, limit },
        })
    };
    extents.iter().enumerate().map(code).collect()
}

impl ScaleScan {
    pub(super) fn merge(&mut self, other: &ScaleScan) {
        match (self, other) {
            (ScaleScan::Extents(extents), ScaleScan::Extents(more)) => {
                extents.iter_mut().zip(more).for_each(|(extent, &other)| extent.merge(other));
            }
            (ScaleScan::Select(counts), ScaleScan::Select(more)) => counts.merge(more),
            (ScaleScan::Grid(sums), ScaleScan::Grid(more)) => {
                let pairs = sums.iter_mut().flatten().zip(more.iter().flatten());
                pairs.for_each(|(sum, &other)| *sum = sum.saturating_add(other));
            }
            // scans of different passes: the pass that takes the sum in says so
            _ => {}
        }
    }
}
