//! Float types narrower than f32, in integer arithmetic: rounding to nearest even, and back.

use crate::DType;

/// A binary float type with fewer than 23 mantissa bits. Bit patterns are in the low bits of a `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// Mantissa bits.
    mantissa: u32,
    /// Exponent bits.
    exponent: u32,
    /// Pattern of the largest finite magnitude.
    largest: u32,
    /// Whether the pattern above `largest` is infinity (else it is NaN).
    infinity: bool,
}

/// IEEE half.
pub const NARROW_F16: Narrow = Narrow { mantissa: 10, exponent: 5, largest: 0x7bff, infinity: true };
/// bfloat16.
pub const NARROW_BF16: Narrow = Narrow { mantissa: 7, exponent: 8, largest: 0x7f7f, infinity: true };
/// fp8 with 4 exponent bits and no infinities.
pub const NARROW_E4M3: Narrow = Narrow { mantissa: 3, exponent: 4, largest: 0x7e, infinity: false };
/// fp8 with 5 exponent bits.
pub const NARROW_E5M2: Narrow = Narrow { mantissa: 2, exponent: 5, largest: 0x7b, infinity: true };

impl Narrow {
    /// The description of a type; nothing for f32, f64 and integers.
    pub const fn of(dtype: DType) -> Option<Narrow> {
        match dtype {
            DType::F16 => Some(NARROW_F16),
            DType::Bf16 => Some(NARROW_BF16),
            DType::F8E4M3 => Some(NARROW_E4M3),
            DType::F8E5M2 => Some(NARROW_E5M2),
            _ => None,
        }
    }

    const fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }

    const fn sign_bit(self) -> u32 {
        1 << (self.mantissa + self.exponent)
    }

    /// Pattern of the largest finite magnitude.
    pub const fn largest(self) -> u32 {
        self.largest
    }

    /// The bits below the sign.
    pub const fn magnitude_mask(self) -> u32 {
        self.sign_bit() - 1
    }

    /// `value` rounded to nearest, ties to even. Beyond the range: the pattern above [`Narrow::largest`]
    /// with the sign. NaN gives a pattern above it too.
    pub fn narrow(self, value: f32) -> u32 {
        let bits = value.to_bits();
        let sign = (bits >> 31) * self.sign_bit();
        let magnitude = bits & 0x7fff_ffff;
        let above = self.largest + 1;
        if magnitude > 0x7f80_0000 {
            // a NaN: quiet bit set, which is the only NaN of e4m3
            return sign | (self.sign_bit() - 1);
        }
        let dropped = 23 - self.mantissa;
        let smallest_normal = 128 - self.bias(); // biased f32 exponent of 2^(1 - bias)
        let rounded = if (magnitude >> 23) as i32 >= smallest_normal {
            let half = (1 << (dropped - 1)) - 1 + ((magnitude >> dropped) & 1);
            ((magnitude + half) >> dropped) - (((smallest_normal - 1) as u32) << self.mantissa)
        } else {
            // a subnormal of the target: its unit is 2^(1 - bias - mantissa), so count units
            let (fraction, exponent) = if magnitude >> 23 == 0 {
                (magnitude, 1)
            } else {
                (magnitude & 0x7f_ffff | 0x80_0000, (magnitude >> 23) as i32)
            };
            let shift = (smallest_normal - exponent) as u32 + dropped;
            if shift > 25 {
                0
            } else {
                let half = (1u32 << (shift - 1)) - 1 + ((fraction >> shift) & 1);
                (fraction + half) >> shift
            }
        };
        sign | rounded.min(above)
    }

    /// Whether a pattern is finite.
    pub const fn is_finite(self, pattern: u32) -> bool {
        pattern & (self.sign_bit() - 1) <= self.largest
    }

    /// The value of a pattern, exactly.
    pub fn widen(self, pattern: u32) -> f32 {
        let magnitude = pattern & (self.sign_bit() - 1);
        let sign = if pattern & self.sign_bit() == 0 { 1.0 } else { -1.0 };
        if magnitude > self.largest {
            return if self.infinity && magnitude == self.largest + 1 {
                sign * f32::INFINITY
            } else {
                f32::NAN
            };
        }
        let exponent = (magnitude >> self.mantissa) as i32;
        let fraction = magnitude & ((1 << self.mantissa) - 1);
        let (fraction, exponent) =
            if exponent == 0 { (fraction, 1) } else { (fraction | 1 << self.mantissa, exponent) };
        // fraction × 2^(exponent - bias - mantissa): exact in f64 and in f32
        let power = exponent - self.bias() - self.mantissa as i32;
        (f64::from(fraction) * f64::from_bits(((1023 + power) as u64) << 52)) as f32 * sign
    }
}

/// `value` rounded to f32 towards the odd mantissa where inexact, so that one more rounding to fewer than 22
/// bits is as if it had been done from f64 at once.
pub fn round_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    if f64::from(nearest) == value || nearest.is_nan() {
        return nearest;
    }
    // truncate, then set the last bit
    let bits = nearest.to_bits();
    let truncated = if f64::from(nearest).abs() > value.abs() { bits - 1 } else { bits };
    f32::from_bits(truncated | 1)
}

#[cfg(test)]
mod tests {
    use super::{NARROW_BF16, NARROW_E4M3, NARROW_E5M2, NARROW_F16, Narrow, round_to_odd};
    use half::{bf16, f16};

    /// Every value of a type, and its neighbours halfway.
    fn check(narrow: Narrow) {
        for pattern in 0..=narrow.largest() {
            let value = narrow.widen(pattern);
            assert_eq!(narrow.narrow(value), pattern);
            assert_eq!(
                narrow.narrow(-value),
                pattern | !narrow.magnitude_mask() & (narrow.magnitude_mask() + 1)
            );
            if pattern == narrow.largest() {
                break;
            }
            let next = f64::from(narrow.widen(pattern + 1));
            let middle = (f64::from(value) + next) / 2.0;
            let even = if pattern % 2 == 0 { pattern } else { pattern + 1 };
            for (wanted, at) in
                [(pattern, middle.next_down()), (even, middle), (pattern + 1, middle.next_up())]
            {
                assert_eq!(narrow.narrow(round_to_odd(at)), wanted, "{at:e}");
            }
        }
    }

    #[test]
    fn narrow_types_round_to_nearest_even() {
        [NARROW_F16, NARROW_BF16, NARROW_E4M3, NARROW_E5M2].into_iter().for_each(check);
        for pattern in 0..=u16::MAX {
            let (wide, brain) = (f16::from_bits(pattern), bf16::from_bits(pattern));
            let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            assert!(same(NARROW_F16.widen(u32::from(pattern)), wide.to_f32()));
            assert!(same(NARROW_BF16.widen(u32::from(pattern)), brain.to_f32()));
        }
        for bits in (0..=u32::MAX).step_by(65_521) {
            let value = f32::from_bits(bits);
            if !value.is_nan() {
                assert_eq!(NARROW_F16.narrow(value), u32::from(f16::from_f32(value).to_bits()), "{value:e}");
                assert_eq!(
                    NARROW_BF16.narrow(value),
                    u32::from(bf16::from_f32(value).to_bits()),
                    "{value:e}"
                );
            }
        }
    }

    #[test]
    fn fp8_ends_where_it_should() {
        assert_eq!(NARROW_E4M3.widen(0x7e), 448.0);
        assert_eq!(NARROW_E5M2.widen(0x7b), 57344.0);
        assert_eq!(NARROW_E4M3.narrow(464.0), 0x7e);
        assert_eq!(NARROW_E4M3.narrow(464.0f32.next_up()), 0x7f);
        assert!(NARROW_E4M3.widen(0x7f).is_nan() && NARROW_E5M2.widen(0x7d).is_nan());
        assert_eq!(NARROW_E5M2.widen(0xfc), f32::NEG_INFINITY);
        assert_eq!(NARROW_E4M3.widen(1), 2f32.powi(-9));
    }
}
