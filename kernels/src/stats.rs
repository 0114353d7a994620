//! Error statistics of a stored tensor against its source.
//!
//! The sums are the same for any chunking, thread count and kernel variant. A tensor is cut into tiles of [`TILE`]
//! elements at multiples of [`TILE`]. With x an element, x̂ what it reads back as and e = x - x̂ rounded to f32, a tile
//! sums x², e² and x·e in f32: element i goes to lane i mod 16, a lane adds its terms in order, each by one fused
//! multiply-add. Where the tile's largest |x| is not within 2^±32, x and e are scaled by the power of two that brings it
//! into [1, 2), so that no square is lost or too large. Lanes are folded 16 → 8 → 4 → 2 → 1 in f64 by adding lane
//! j + half to lane j, the scale is taken back, and tiles are added exactly ([`ExactSum`]).
//!
//! A tile's sum has 64 roundings of f32, so its relative error stays below 4e-6. Cosine and signal-to-noise ratio are
//! computed from e and x·e, not from the difference of large sums, so that this holds for them too.
//!
//! An error of more than 2^60 times the largest element of its tile counts as infinite; no format makes one.

use crate::exact_sum::ExactSum;

/// Elements of a tile.
pub const TILE: usize = 1024;

/// Lanes of a tile.
pub const LANES: usize = 16;

/// Sums over the elements x of a source and x̂ of what was stored. Merging commutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorStats {
    /// Elements compared.
    pub elements: u64,
    /// Elements beyond the clip limit, or saturated by a cast.
    pub clipped: u64,
    /// max |x - x̂|.
    pub largest_error: f64,
    signal: ExactSum,
    error: ExactSum,
    /// Tiles' Σx(x - x̂) of either sign: positive ones, then negative ones.
    cross: [ExactSum; 2],
}

/// Lane sums of one tile.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TileSums {
    /// Of squares of scaled x.
    pub(crate) signal: [f32; LANES],
    /// Of squares of scaled e.
    pub(crate) error: [f32; LANES],
    /// Of their products.
    pub(crate) cross: [f32; LANES],
    /// Of |e|, not scaled.
    pub(crate) largest: [f32; LANES],
}

/// The power of two that scales a tile, from the bits of its largest magnitude.
pub(crate) fn tile_scale(largest_bits: u32) -> f32 {
    let exponent = largest_bits >> 23;
    if largest_bits == 0 || exponent.abs_diff(127) <= 32 {
        return 1.0;
    }
    // both the scale and its inverse stay normal
    f32::from_bits((254 - exponent.clamp(1, 253)) << 23)
}

impl TileSums {
    /// Add element `index` of the tile: x and e = x - x̂.
    pub(crate) fn add(&mut self, index: usize, scale: f32, x: f32, error: f32) {
        let lane = index % LANES;
        self.largest[lane] = self.largest[lane].max(error.abs());
        let (x, error) = (x * scale, error * scale);
        self.signal[lane] = x.mul_add(x, self.signal[lane]);
        self.error[lane] = error.mul_add(error, self.error[lane]);
        self.cross[lane] = x.mul_add(error, self.cross[lane]);
    }
}

fn fold(lanes: &[f32; LANES]) -> f64 {
    // arrays of known lengths, so that no loop is left
    let eight: [f64; 8] = std::array::from_fn(|j| f64::from(lanes[j]) + f64::from(lanes[j + 8]));
    let four: [f64; 4] = std::array::from_fn(|j| eight[j] + eight[j + 4]);
    let two: [f64; 2] = std::array::from_fn(|j| four[j] + four[j + 2]);
    two[0] + two[1]
}

impl ErrorStats {
    /// Add one tile of `elements` elements, summed at `scale`.
    pub(crate) fn add_tile(&mut self, elements: usize, scale: f32, sums: &TileSums) {
        self.elements += elements as u64;
        let inverse = 1.0 / f64::from(scale);
        let square = inverse * inverse;
        self.signal.add(fold(&sums.signal) * square);
        self.error.add(fold(&sums.error) * square);
        let cross = fold(&sums.cross) * square;
        self.cross[usize::from(cross < 0.0)].add(cross);
        // magnitudes order as their bits do
        let largest = sums.largest.iter().fold(0, |largest, e| largest.max(e.to_bits()));
        self.largest_error = self.largest_error.max(f64::from(f32::from_bits(largest)));
    }

    /// Add the statistics of other elements of the same tensor, or of another tensor.
    pub fn merge(&mut self, other: &ErrorStats) {
        self.elements += other.elements;
        self.clipped += other.clipped;
        self.largest_error = self.largest_error.max(other.largest_error);
        self.signal.merge(&other.signal);
        self.error.merge(&other.error);
        for (cross, other) in self.cross.iter_mut().zip(&other.cross) {
            cross.merge(other);
        }
    }

    /// Σx².
    pub fn signal(&self) -> f64 {
        self.signal.value()
    }

    /// Σ(x - x̂)².
    pub fn error(&self) -> f64 {
        self.error.value()
    }

    /// Σx(x - x̂).
    fn cross(&self) -> f64 {
        let [positive, negative] = &self.cross;
        positive.value() - negative.value()
    }

    /// Mean squared error; 0 without elements.
    pub fn mse(&self) -> f64 {
        if self.elements == 0 { 0.0 } else { self.error() / self.elements as f64 }
    }

    /// Signal to quantisation noise in dB, `10 log10(Σx² / Σ(x - x̂)²)`: infinite without error, nothing when the
    /// signal is zero too.
    pub fn sqnr_db(&self) -> Option<f64> {
        let (signal, error) = (self.signal(), self.error());
        match (signal == 0.0, error == 0.0) {
            (true, true) => None,
            (false, true) => Some(f64::INFINITY),
            _ => Some(10.0 * (signal / error).log10()),
        }
    }

    /// Cosine of the angle between x and x̂; nothing when either is zero.
    pub fn cosine(&self) -> Option<f64> {
        let signal = self.signal();
        // x·x̂ = Σx² - Σxe, and x̂ - (x·x̂ / Σx²) x is what of the error is orthogonal to x
        let (along, error) = (self.cross() / signal, self.error() / signal);
        let (dot, orthogonal) = (1.0 - along, (error - along * along).max(0.0));
        let decoded = dot * dot + orthogonal;
        if signal == 0.0 || decoded == 0.0 || !decoded.is_finite() {
            return None;
        }
        Some((dot / decoded.sqrt()).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorStats, TileSums, tile_scale};

    fn stats(x: &[f32], decoded: &[f32]) -> ErrorStats {
        let mut stats = ErrorStats::default();
        for (x, decoded) in x.chunks(super::TILE).zip(decoded.chunks(super::TILE)) {
            let largest = x.iter().map(|x| x.abs().to_bits()).max().unwrap();
            let (scale, mut sums) = (tile_scale(largest), TileSums::default());
            for (index, (&x, &decoded)) in x.iter().zip(decoded).enumerate() {
                sums.add(index, scale, x, x - decoded);
            }
            stats.add_tile(x.len(), scale, &sums);
        }
        stats
    }

    /// Mean squared error and squared sine in f64, without any of the tricks.
    fn plain(x: &[f32], decoded: &[f32]) -> (f64, f64) {
        let pairs = || x.iter().zip(decoded).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        let dot = |f: fn((f64, f64)) -> f64| pairs().map(f).sum::<f64>();
        let error = dot(|(x, y)| (x - y) * (x - y));
        let along = dot(|(x, y)| x * y) / dot(|(x, _)| x * x);
        let across = pairs().map(|(x, y)| (y - along * x) * (y - along * x)).sum::<f64>();
        (error / x.len() as f64, across / dot(|(_, y)| y * y))
    }

    #[test]
    fn figures_agree_with_f64_at_every_magnitude() {
        for magnitude in [1e-44f32, 1e-38, 1e-20, 1.0, 1e20, 3e38] {
            for unit in [0.1f32, 1e-3, 1e-6] {
                let wave = |i: u32| (i as f32 * 0.7).sin();
                let x: Vec<f32> = (0..5000).map(|i| wave(i) * magnitude).collect();
                let step = unit * magnitude;
                let near = |x: &f32| if step > 0.0 { (x / step).round() * step } else { *x };
                let decoded: Vec<f32> =
                    x.iter().map(near).map(|y| if y.is_finite() { y } else { 0.0 }).collect();
                let (found, (mse, sine2)) = (stats(&x, &decoded), plain(&x, &decoded));
                assert!((found.mse() - mse).abs() <= 4e-6 * mse, "{magnitude} {unit}: {} {mse}", found.mse());
                let cosine = found.cosine().unwrap();
                let found = 1.0 - cosine * cosine;
                assert!((found - sine2).abs() <= 1e-5 * sine2 + 1e-15, "{magnitude} {unit}: {found} {sine2}");
            }
        }
    }

    #[test]
    fn the_ends_are_exact() {
        let x: Vec<f32> = (1..3000).map(|i| i as f32).collect();
        let zeros = vec![0.0; x.len()];
        let opposite: Vec<f32> = x.iter().map(|x| -x).collect();
        assert_eq!((stats(&x, &x).cosine(), stats(&x, &x).sqnr_db()), (Some(1.0), Some(f64::INFINITY)));
        assert_eq!((stats(&x, &zeros).cosine(), stats(&x, &zeros).sqnr_db()), (None, Some(0.0)));
        assert_eq!(stats(&x, &opposite).cosine(), Some(-1.0));
        assert_eq!((stats(&zeros, &zeros).cosine(), stats(&zeros, &zeros).sqnr_db()), (None, None));
        assert_eq!(
            (stats(&zeros, &x).cosine(), stats(&zeros, &x).sqnr_db()),
            (None, Some(f64::NEG_INFINITY))
        );
    }
}
