//! An exact sum of non-negative f64 values: adding and merging commute, so no schedule can change it.

/// Words that hold 2^-1074 to beyond 2^1024, with room for 2^60 carries.
const WORDS: usize = 34;

/// A fixed-point number wide enough for any sum of non-negative f64 values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactSum {
    words: [u64; WORDS],
    /// Something not finite was added: the sum is infinite.
    infinite: bool,
}

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum { words: [0; WORDS], infinite: false }
    }
}

impl ExactSum {
    /// Add a value; its sign is ignored. What is not finite makes the sum infinite for good.
    pub fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        if exponent == 0x7ff {
            self.infinite = true;
            return;
        }
        // bit 0 of the words is 2^-1074
        let (fraction, position) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let (word, shift) = (position / 64, position % 64);
        let wide = u128::from(fraction) << shift;
        self.add_words(word, [wide as u64, (wide >> 64) as u64]);
    }

    /// Add another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        self.infinite |= other.infinite;
        let mut carry = false;
        for (word, &more) in self.words.iter_mut().zip(&other.words) {
            let (sum, first) = word.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *word = sum;
            carry = first || second;
        }
    }

    /// The sum rounded to f64.
    pub fn value(&self) -> f64 {
        if self.infinite {
            return f64::INFINITY;
        }
        let Some(top) = self.words.iter().rposition(|&word| word != 0) else {
            return 0.0;
        };
        let below = if top == 0 { 0 } else { self.words[top - 1] };
        let zeros = self.words[top].leading_zeros();
        let wide = (u128::from(self.words[top]) << 64 | u128::from(below)) << zeros;
        let sticky = wide as u64 != 0 || self.words[..top.saturating_sub(1)].iter().any(|&word| word != 0);
        let head = (wide >> 64) as u64 | u64::from(sticky);
        // head × 2^power, in two steps that each stay in range
        let power = 64 * top as i32 - zeros as i32 - 1074;
        let half = power / 2;
        head as f64 * power_of_two(half) * power_of_two(power - half)
    }

    /// Add a number of two words, the lower one at word `at`, which is never among the last two.
    fn add_words(&mut self, at: usize, [low, high]: [u64; 2]) {
        let (low, carry) = self.words[at].overflowing_add(low);
        let (sum, first) = self.words[at + 1].overflowing_add(high);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        (self.words[at], self.words[at + 1]) = (low, sum);
        let (mut carry, mut index) = (first || second, at + 2);
        while carry && index < WORDS {
            (self.words[index], carry) = self.words[index].overflowing_add(1);
            index += 1;
        }
    }
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent).clamp(1, 2046) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::ExactSum;

    #[test]
    fn sums_are_exact_and_commute() {
        let values = [1e300, 5e-324, 3.5, 1e-200, 0.1, 1e300, 7e15, 2.0f64.powi(1023)];
        let mut forward = ExactSum::default();
        values.iter().for_each(|&value| forward.add(value));
        let (mut left, mut right) = (ExactSum::default(), ExactSum::default());
        values.iter().rev().take(3).for_each(|&value| right.add(value));
        values.iter().take(5).for_each(|&value| left.add(value));
        left.merge(&right);
        assert_eq!(forward, left);
        let mut small = ExactSum::default();
        (0..10).for_each(|_| small.add(0.1));
        assert_eq!(small.value(), 1.0);
        for value in [0.0, 5e-324, 1.0, 0.1, f64::MAX, f64::MIN_POSITIVE] {
            let mut one = ExactSum::default();
            one.add(value);
            assert_eq!(one.value(), value);
        }
        small.add(f64::NAN);
        assert_eq!(small.value(), f64::INFINITY);
    }
}
