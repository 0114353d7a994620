//! How fast weights move.

use crate::hir::Tune;

/// The learning rate of a step, from 1: it rises in equal parts to `lr`, then falls to 0 along half a cosine.
pub(super) fn rate(tune: &Tune, step: u64) -> f64 {
    let most = tune.lr.to_f64();
    if step <= tune.warmup {
        return most * step as f64 / tune.warmup as f64;
    }
    let left = tune.steps.saturating_sub(tune.warmup).max(1) as f64;
    let done = (step - tune.warmup - 1) as f64 / left;
    most * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::rate;
    use crate::hir::{Decimal, Tune};

    #[test]
    fn the_rate_rises_and_falls() {
        let tune = Tune {
            steps: 10,
            lr: Decimal::parse("0.1").unwrap(),
            batch: 1,
            accumulate: 1,
            window: None,
            shift: 1,
            warmup: 2,
            weight_decay: Decimal::integer(0),
            clip_norm: Decimal::integer(1),
            distill: false,
            labels: Decimal::integer(100),
            temperature: Decimal::integer(1),
            freeze: Vec::new(),
            seed: None,
            evaluate_every: None,
            checkpoint_every: 1,
        };
        let rates: Vec<f64> = (1..=10).map(|step| rate(&tune, step)).collect();
        assert!((rates[0] - 0.05).abs() < 1e-12 && (rates[1] - 0.1).abs() < 1e-12);
        assert!((rates[2] - 0.1).abs() < 1e-12 && rates[2..].windows(2).all(|p| p[1] < p[0]));
        assert!(rates[9] > 0.0 && rates[9] < 0.005, "{rates:?}");
    }
}
