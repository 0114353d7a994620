//! The scales of some rows, decoded beside each other for the products that use them at once.

use super::dots::RUN;
use super::weight::{Codes, Weight};

/// Scale and zero point of each run of some rows.
pub(super) struct Scales<'a> {
    codes: &'a Codes<'a>,
    start: usize,
    columns: usize,
    runs: usize,
    /// Runs of a row, and those of scale 0 that fill up its last step.
    pub(super) stride: usize,
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<f32>,
}

impl<'a> Scales<'a> {
    /// `step` runs are taken together.
    pub(super) fn new(weight: &Weight<'_>, first: usize, codes: &'a Codes<'a>, step: usize) -> Scales<'a> {
        let (start, columns) = (weight.start(first), weight.columns());
        let runs = columns / RUN;
        let stride = runs.next_multiple_of(step);
        let zeros = vec![0.0; if codes.has_zeros() { 4 * stride } else { 0 }];
        Scales { codes, start, columns, runs, stride, scales: vec![0.0; 4 * stride], zeros }
    }

    #[inline(always)]
    pub(super) fn begin(&mut self, row: usize, count: usize) {
        // rows without a gap are as one long row
        let (rows, runs) = if self.stride == self.runs { (1, count * self.runs) } else { (count, self.runs) };
        for number in 0..rows {
            let start = self.start + (row + number) * self.columns;
            let scales = &mut self.scales[number * self.stride..][..runs];
            let zeros = match self.zeros.is_empty() {
                true => &mut [][..],
                false => &mut self.zeros[number * self.stride..][..runs],
            };
            self.codes.scales_of_runs(start, scales, zeros);
        }
    }
}

impl Codes<'_> {
    /// Scale and zero point of each run from a flat index on, which is a multiple of their length, as are groups.
    #[inline(always)]
    fn scales_of_runs(&self, start: usize, scales: &mut [f32], zeros: &mut [f32]) {
        let (length, groups) = (self.groups.inner as usize / RUN, self.groups.axis as usize);
        let first = start / RUN;
        // The usual way: no group comes twice, and nothing is divided, which costs as much as a short row.
        if length == 1 && first + scales.len() <= groups {
            self.scales(first, scales);
            if !zeros.is_empty() {
                zeros.iter_mut().zip(first..).for_each(|(zero, group)| *zero = self.zero(group));
            }
            return;
        }
        let (mut group, mut within) = (first / length % groups, first % length);
        let (mut scale, mut zero) = (self.scale(group), self.zero(group));
        for (run, place) in scales.iter_mut().enumerate() {
            if within == length {
                group = if group + 1 == groups { 0 } else { group + 1 };
                within = 0;
                (scale, zero) = (self.scale(group), self.zero(group));
            }
            *place = scale;
            if let Some(place) = zeros.get_mut(run) {
                *place = zero;
            }
            within += 1;
        }
    }
}
