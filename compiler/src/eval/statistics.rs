//! What goes into a matrix: extremes, moments and percentiles of its inputs, gathered piece by piece.

/// Bits of a magnitude that tell its bucket: sign and exponent, and 11 bits of the fraction, so a bucket is 0.05% wide.
const FRACTION: u32 = 11;
const PER_EXPONENT: usize = 1 << FRACTION;

/// Inputs of one matrix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    /// Rows seen.
    pub rows: u64,
    /// By column: largest magnitude, sum, sum of squares.
    pub absmax: Vec<f32>,
    pub sums: Vec<f64>,
    pub squares: Vec<f64>,
    /// Magnitudes by exponent, then by fraction.
    buckets: Vec<Option<Box<[u64]>>>,
}

impl Statistics {
    /// Takes in rows of `width` numbers, all of them finite.
    pub(crate) fn add(&mut self, width: usize, values: &[f32]) {
        if self.absmax.len() != width {
            *self = Statistics {
                rows: 0,
                absmax: vec![0.0; width],
                sums: vec![0.0; width],
                squares: vec![0.0; width],
                buckets: vec![None; 256],
            };
        }
        for row in values.chunks_exact(width.max(1)) {
            self.rows += 1;
            let columns = self.absmax.iter_mut().zip(&mut self.sums).zip(&mut self.squares);
            for (x, ((absmax, sum), square)) in row.iter().zip(columns) {
                *absmax = absmax.max(x.abs());
                *sum += f64::from(*x);
                *square += f64::from(*x) * f64::from(*x);
                let bits = x.abs().to_bits();
                let Some(slot) = self.buckets.get_mut((bits >> 23) as usize) else { continue };
                let counts = slot.get_or_insert_with(|| vec![0; PER_EXPONENT].into_boxed_slice());
                let place = (bits >> (23 - FRACTION)) as usize % PER_EXPONENT;
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
            }
        }
    }

    /// Takes in what others saw after it.
    pub(crate) fn merge(&mut self, later: &Statistics) {
        if self.absmax.len() != later.absmax.len() {
            *self = later.clone();
            return;
        }
        self.rows += later.rows;
        self.absmax.iter_mut().zip(&later.absmax).for_each(|(a, b)| *a = a.max(*b));
        self.sums.iter_mut().zip(&later.sums).for_each(|(a, b)| *a += b);
        self.squares.iter_mut().zip(&later.squares).for_each(|(a, b)| *a += b);
        for (own, other) in self.buckets.iter_mut().zip(&later.buckets) {
            match (own, other) {
                (Some(own), Some(other)) => own.iter_mut().zip(other).for_each(|(a, b)| *a += b),
                (own, Some(other)) => *own = Some(other.clone()),
                (_, None) => {}
            }
        }
    }

    /// The magnitude that a share of all inputs does not exceed: exact for 1, else at most 0.05% too large.
    pub(crate) fn percentile(&self, share: f64) -> f32 {
        let most = self.absmax.iter().copied().fold(0.0, f32::max);
        let count = self.rows.saturating_mul(self.absmax.len() as u64);
        let rank = (share * count as f64).ceil() as u64;
        let mut seen = 0;
        for (exponent, counts) in self.buckets.iter().enumerate() {
            for (place, count) in counts.iter().flat_map(|c| c.iter().enumerate()) {
                seen += count;
                if *count > 0 && seen >= rank {
                    let bits = (exponent << FRACTION | place) as u32;
                    let edge = f32::from_bits((bits + 1) << (23 - FRACTION));
                    return edge.min(most);
                }
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: usize, values: &[f32]) -> Statistics {
        let mut found = Statistics::default();
        found.add(width, values);
        found
    }

    #[test]
    fn columns_have_their_own_figures() {
        let found = of(2, &[1.0, -3.0, -2.0, 1.0]);
        assert_eq!(
            (found.rows, found.absmax, found.sums, found.squares),
            (2, vec![2.0, 3.0], vec![-1.0, -2.0], vec![5.0, 10.0])
        );
    }

    #[test]
    fn percentiles_are_near_those_of_sorted_values() {
        let values: Vec<f32> = (0..10_000).map(|i| (i * 7919 % 10_000) as f32 * 0.001 - 5.0).collect();
        let mut sorted: Vec<f32> = values.iter().map(|x| x.abs()).collect();
        sorted.sort_by(f32::total_cmp);
        let found = of(10, &values);
        for share in [0.5, 0.9, 0.99, 0.999] {
            let exact = sorted[(share * 10_000.0) as usize - 1];
            let near = found.percentile(share);
            assert!(near >= exact && near <= exact * 1.001, "{share}: {near} {exact}");
        }
        assert_eq!(found.percentile(1.0), 5.0);
        assert_eq!(of(1, &[0.0, 0.0]).percentile(0.999), 0.0);
    }

    #[test]
    fn parts_together_are_the_whole() {
        let values: Vec<f32> = (0..600).map(|i| (i * 37 % 101) as f32 - 40.0).collect();
        let mut parts = of(3, &values[..300]);
        parts.merge(&of(3, &values[300..]));
        let whole = of(3, &values);
        assert_eq!((parts.rows, &parts.absmax, &parts.sums), (whole.rows, &whole.absmax, &whole.sums));
        assert_eq!(parts.percentile(0.7), whole.percentile(0.7));
    }
}
