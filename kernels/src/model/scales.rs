//! The scales of some rows, decoded beside each other for the products that use them at once.

use super::dots::RUN;
use super::weight::{Codes, Weight};

/// Scale and zero point of each run of some rows.
pub(super) struct Scales<'a> {
    codes: &'a Codes<'a>,
    start: usize,
    columns: usize,
    /// Runs of a row, and one more of scale 0 for a last step that is half of one.
    pub(super) stride: usize,
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<f32>,
}

impl<'a> Scales<'a> {
    pub(super) fn new(weight: &Weight<'_>, first: usize, codes: &'a Codes<'a>) -> Scales<'a> {
        let (start, columns) = (weight.start(first), weight.columns());
        let stride = columns / RUN + 1;
        let zeros = vec![0.0; if codes.has_zeros() { 4 * stride } else { 0 }];
        Scales { codes, start, columns, stride, scales: vec![0.0; 4 * stride], zeros }
    }

    #[inline(always)]
    pub(super) fn begin(&mut self, row: usize, count: usize) {
        let runs = self.stride - 1;
        for number in 0..count {
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
        let (mut group, mut within) = (start / RUN / length % groups, start / RUN % length);
        if length == 1 && group + scales.len() <= groups {
            self.scales(group, scales);
        } else {
            let (mut group, mut within, mut scale) = (group, within, self.scale(group));
            for place in scales {
                if within == length {
                    group = if group + 1 == groups { 0 } else { group + 1 };
                    within = 0;
                    scale = self.scale(group);
                }
                *place = scale;
                within += 1;
            }
        }
        for place in zeros {
            if within == length {
                group = if group + 1 == groups { 0 } else { group + 1 };
                within = 0;
            }
            *place = self.zero(group);
            within += 1;
        }
    }
}
