//! Rotary position embedding: pairs of a head's values turned by an angle that grows with the position.

use crate::KernelError;
use crate::error::expect_length;
use std::ops::Range;

/// Which values of a head are a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryStyle {
    /// Values i and i + half of what turns, as Llama's checkpoints of `transformers`.
    Halves,
    /// Values 2 i and 2 i + 1.
    Interleaved,
}

/// Cosines and sines for a range of positions, computed in f64 and rounded once.
#[derive(Clone, Debug)]
pub struct Rotary {
    positions: Range<usize>,
    pairs: usize,
    /// `[positions, pairs]` of each.
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotary {
    /// The usual frequencies `base^(-2 i / width)` of `width` values that turn (rounded down to even).
    pub fn frequencies(base: f64, width: usize) -> Vec<f64> {
        (0..width / 2).map(|pair| base.powf(-2.0 * pair as f64 / width as f64)).collect()
    }

    /// Angle `position × frequency` for each pair; scaled frequencies are the caller's.
    pub fn new(frequencies: &[f64], positions: Range<usize>) -> Rotary {
        let angles = positions.clone().flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (cosines, sines) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Rotary { positions, pairs: frequencies.len(), cosines, sines }
    }

    /// Turn `x`, `[tokens, heads, head]`, in place: token t stands at `first + t`. Values of a head beyond the pairs stay.
    ///
    /// # Errors
    /// [`KernelError::Length`]: `x` is no whole tokens, or a head is shorter than the pairs;
    /// [`KernelError::OutOfRange`]: a position that was not prepared.
    pub fn apply(
        &self,
        style: RotaryStyle,
        heads: usize,
        head: usize,
        first: usize,
        x: &mut [f32],
    ) -> Result<(), KernelError> {
        if head < 2 * self.pairs {
            return expect_length("head that turns", 2 * self.pairs, head);
        }
        let width = super::product_of("heads", heads, head)?;
        let tokens = x.len().checked_div(width).unwrap_or(0);
        expect_length("tokens to turn", tokens * width, x.len())?;
        let last = first.saturating_add(tokens);
        if tokens > 0 && (first < self.positions.start || last > self.positions.end) {
            let index = if first < self.positions.start { first } else { last - 1 } as u64;
            let position = if first < self.positions.start { 0 } else { tokens as u64 - 1 };
            let limit = self.positions.end as u64;
            return Err(KernelError::OutOfRange { what: "rotary position", position, index, limit });
        }
        if self.pairs == 0 || tokens == 0 {
            return Ok(());
        }
        let from = (first - self.positions.start) * self.pairs;
        let turns =
            self.cosines[from..].chunks_exact(self.pairs).zip(self.sines[from..].chunks_exact(self.pairs));
        for (x, (cosines, sines)) in x.chunks_exact_mut(width).zip(turns) {
            for x in x.chunks_exact_mut(head) {
                let turns = cosines.iter().zip(sines);
                match style {
                    RotaryStyle::Halves => {
                        let (low, high) = x[..2 * self.pairs].split_at_mut(self.pairs);
                        for ((a, b), (cosine, sine)) in low.iter_mut().zip(high).zip(turns) {
                            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                        }
                    }
                    RotaryStyle::Interleaved => {
                        for ([a, b], (cosine, sine)) in x.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
