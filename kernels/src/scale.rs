//! The scale and zero point of a group of integers, from the range that it has to hold.

use crate::format::{Int, ScaleDType};
use crate::narrow::NARROW_F16;

/// Candidates of `clip: mse`: j/64 of the range for j = 64, 63, ..., 13.
pub const GRID: usize = 52;

/// Range of a group, widened to hold 0. Merging commutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extent {
    /// min(0, min w).
    pub low: f32,
    /// max(0, max w).
    pub high: f32,
}

impl Extent {
    /// Widen to hold finite `w`.
    pub fn add(&mut self, w: f32) {
        // comparisons, so that -0.0 never replaces 0.0
        if w < self.low {
            self.low = w;
        }
        if w > self.high {
            self.high = w;
        }
    }

    /// Widen to hold another range.
    pub fn merge(&mut self, other: Extent) {
        self.add(other.low);
        self.add(other.high);
    }

    /// The largest magnitude.
    pub fn absmax(self) -> f32 {
        self.high.max(-self.low)
    }

    /// The part of the range within ±`limit`.
    #[must_use]
    pub fn within(self, limit: f32) -> Extent {
        Extent { low: self.low.max(-limit), high: self.high.min(limit) }
    }

    /// Candidate `index` (0 is the whole range) of the grid of `clip: mse`.
    #[must_use]
    pub fn candidate(self, index: usize) -> Extent {
        let fraction = (64 - index as i32) as f32 / 64.0;
        Extent { low: self.low * fraction, high: self.high * fraction }
    }
}

/// How a group is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupCode {
    /// The scale, already rounded to its stored type; 0 for a group without range.
    pub scale: f32,
    /// The zero point; 0 when symmetric.
    pub zero: i32,
    /// Values below are counted as clipped.
    pub low: f32,
    /// Values above are counted as clipped.
    pub high: f32,
}

/// A scale that its type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScaleFault {
    /// It is infinite. With the limit of the group.
    Overflow(f32),
    /// It is 0 and the group's limit is not. With that limit.
    Underflow(f32),
}

impl GroupCode {
    /// The code of a group that has to hold `extent` (its magnitude, when `int` is symmetric).
    ///
    /// # Errors
    /// [`ScaleFault`] when the scale over- or underflows.
    pub fn new(int: &Int, extent: Extent) -> Result<GroupCode, ScaleFault> {
        let top = int.top() as f32;
        let (low, high, limit, scale) = if int.symmetric {
            let m = extent.absmax();
            (-m, m, m, m / top)
        } else {
            let width = f64::from(extent.high) - f64::from(extent.low);
            (extent.low, extent.high, width as f32, (width / f64::from(top)) as f32)
        };
        let scale = match int.scale {
            ScaleDType::F32 => scale,
            ScaleDType::F16 => NARROW_F16.widen(NARROW_F16.narrow(scale)),
        };
        if !scale.is_finite() {
            return Err(ScaleFault::Overflow(limit));
        }
        if scale == 0.0 && (low < 0.0 || high > 0.0) {
            return Err(ScaleFault::Underflow(limit));
        }
        let zero =
            if int.symmetric || scale == 0.0 { 0 } else { (-low / scale).min(top).round_ties_even() as i32 };
        Ok(GroupCode { scale, zero, low, high })
    }

    /// What a weight is divided by: infinity when the scale is 0, so that every code is the zero point.
    pub fn divisor(&self) -> f32 {
        if self.scale == 0.0 { f32::INFINITY } else { self.scale }
    }

    /// The code of `w`.
    pub fn encode(&self, int: &Int, w: f32) -> i32 {
        let top = int.top();
        let quotient = w / self.divisor();
        if int.symmetric {
            return quotient.clamp(-(top as f32), top as f32).round_ties_even() as i32;
        }
        // beyond ±512 the code is at its end whatever the zero point
        let steps = quotient.clamp(-512.0, 512.0).round_ties_even() as i32;
        (steps + self.zero).clamp(0, top)
    }

    /// The weight that a code stands for.
    pub fn decode(&self, code: i32) -> f32 {
        (code - self.zero) as f32 * self.scale
    }

    /// Whether `w` lies outside of the range.
    pub fn clips(&self, w: f32) -> bool {
        w < self.low || w > self.high
    }
}
