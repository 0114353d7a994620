//! Exact decimal numbers: `99.99%` is not the nearest binary fraction, it is 99.99%.

use std::cmp::Ordering;
use std::fmt;

/// `mantissa / 10^scale`, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Largest scale a written number may have; keeps all arithmetic inside `i128`.
const MAX_SCALE: u32 = 15;

impl Decimal {
    /// `n`.
    pub fn integer(n: i64) -> Decimal {
        Decimal { mantissa: i128::from(n), scale: 0 }
    }

    /// `mantissa / 10^scale`, reduced. `None` beyond 15 decimals.
    pub fn new(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        (scale <= MAX_SCALE).then_some(Decimal { mantissa, scale })
    }

    /// Number as written: `-12`, `0.5`, `1e-5`. `None` when it has more than 15 digits either side.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.len() + fraction.len() > 18 || exponent.abs() > 18 {
            return None;
        }
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()? - exponent;
        match u32::try_from(scale) {
            Ok(scale) => Decimal::new(mantissa, scale),
            Err(_) => {
                let factor = 10i128.checked_pow(scale.unsigned_abs())?;
                Decimal::new(mantissa.checked_mul(factor)?, 0)
            }
        }
    }

    /// The number times `factor` as an integer, if it is one.
    pub fn times(self, factor: i128) -> Option<i128> {
        let product = self.mantissa.checked_mul(factor)?;
        let divisor = 10i128.checked_pow(self.scale)?;
        (product % divisor == 0).then(|| product / divisor)
    }

    /// `floor(self * factor)`.
    pub fn floor_times(self, factor: i128) -> Option<i128> {
        let product = self.mantissa.checked_mul(factor)?;
        Some(product.div_euclid(10i128.checked_pow(self.scale)?))
    }

    /// As an integer, if it is one.
    pub fn to_i64(self) -> Option<i64> {
        self.times(1).and_then(|n| i64::try_from(n).ok())
    }

    /// Nearest binary number, for messages and comparisons with measured figures.
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// `self / 10^digits`.
    pub fn shifted(self, digits: u32) -> Option<Decimal> {
        Decimal::new(self.mantissa, self.scale.checked_add(digits)?)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        // Mantissas have at most 36 digits after scaling, so this does not overflow for parsed numbers.
        let left = self.mantissa.saturating_mul(10i128.saturating_pow(other.scale));
        let right = other.mantissa.saturating_mul(10i128.saturating_pow(self.scale));
        left.cmp(&right)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.mantissa);
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = self.scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_are_exact() {
        let show = |t: &str| Decimal::parse(t).map(|d| d.to_string());
        assert_eq!(show("99.990").as_deref(), Some("99.99"));
        assert_eq!(show("-0.5").as_deref(), Some("-0.5"));
        assert_eq!(show("1e-5").as_deref(), Some("0.00001"));
        assert_eq!(show("2.5e3").as_deref(), Some("2500"));
        assert_eq!(show("99999999999999999999"), None);
        assert_eq!(Decimal::parse("0.75").and_then(|d| d.floor_times(5)), Some(3));
        assert!(Decimal::parse("99.9") < Decimal::parse("99.99"));
    }
}
