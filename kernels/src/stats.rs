//! Error statistics of a stored tensor against its source.
//!
//! The sums are the same for any chunking, thread count and kernel variant: a tensor is cut into tiles of
//! [`TILE`] elements at multiples of [`TILE`]; in a tile element i goes to lane i mod 16; a lane adds its terms in
//! order (f64, product and sum rounded separately); lanes are folded 16 → 8 → 4 → 2 → 1 by adding lane j + half
//! to lane j; and tiles are added exactly ([`ExactSum`]).

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
    decoded: ExactSum,
}

/// Lane sums of one tile.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TileSums {
    pub(crate) signal: [f64; LANES],
    pub(crate) error: [f64; LANES],
    pub(crate) decoded: [f64; LANES],
    pub(crate) largest: [f64; LANES],
}

impl TileSums {
    /// Add element `index` of the tile.
    pub(crate) fn add(&mut self, index: usize, x: f64, decoded: f64) {
        let lane = index % LANES;
        let error = x - decoded;
        self.signal[lane] += x * x;
        self.error[lane] += error * error;
        self.decoded[lane] += decoded * decoded;
        self.largest[lane] = self.largest[lane].max(error.abs());
    }
}

fn fold(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

impl ErrorStats {
    /// Add one tile of `elements` elements.
    pub(crate) fn add_tile(&mut self, elements: usize, sums: &TileSums) {
        self.elements += elements as u64;
        self.signal.add(fold(sums.signal));
        self.error.add(fold(sums.error));
        self.decoded.add(fold(sums.decoded));
        self.largest_error = sums.largest.iter().fold(self.largest_error, |a, &b| a.max(b));
    }

    /// Add the statistics of other elements of the same tensor, or of another tensor.
    pub fn merge(&mut self, other: &ErrorStats) {
        self.elements += other.elements;
        self.clipped += other.clipped;
        self.largest_error = self.largest_error.max(other.largest_error);
        self.signal.merge(&other.signal);
        self.error.merge(&other.error);
        self.decoded.merge(&other.decoded);
    }

    /// Σx².
    pub fn signal(&self) -> f64 {
        self.signal.value()
    }

    /// Σ(x - x̂)².
    pub fn error(&self) -> f64 {
        self.error.value()
    }

    /// Σx̂².
    pub fn decoded(&self) -> f64 {
        self.decoded.value()
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

    /// Cosine of the angle between x and x̂, from `2 x·x̂ = Σx² + Σx̂² - Σ(x - x̂)²`; nothing when either is zero.
    pub fn cosine(&self) -> Option<f64> {
        let (signal, decoded) = (self.signal(), self.decoded());
        if signal == 0.0 || decoded == 0.0 {
            return None;
        }
        let dot = (signal + decoded - self.error()) / 2.0;
        Some((dot / (signal.sqrt() * decoded.sqrt())).clamp(-1.0, 1.0))
    }
}
