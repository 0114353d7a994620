//! Many measurements in a few numbers.

use serde::Serialize;

/// Order statistics; a rank that falls between two measurements takes the later one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Number of measurements.
    pub count: usize,
    /// The least.
    pub least: f64,
    /// Half of them are not above.
    pub median: f64,
    /// Nine of ten are not above.
    pub p90: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of measurements in any order; nothing of none.
    pub fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let rank = |share: f64| {
            let at = (values.len() as f64 * share).ceil() as usize;
            values.get(at.saturating_sub(1)).copied()
        };
        Some(Spread {
            count: values.len(),
            least: *values.first()?,
            median: rank(0.5)?,
            p90: rank(0.9)?,
            most: *values.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_measurements() {
        let spread = Spread::of((1..=10).rev().map(f64::from).collect()).unwrap();
        assert_eq!(
            (spread.count, spread.least, spread.median, spread.p90, spread.most),
            (10, 1.0, 5.0, 9.0, 10.0)
        );
        let one = Spread::of(vec![3.0]).unwrap();
        assert_eq!((one.median, one.p90), (3.0, 3.0));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
