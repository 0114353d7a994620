//! An exact percentile, and where it lies among order statistics.

use std::fmt;

/// A percentile above 0% and at most 100%, exact to 10⁻⁷ of a percent, so that formats compare and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile {
    /// In 10⁻⁹ of the whole: 99.99% is 999 900 000.
    billionths: u32,
}

impl Percentile {
    /// From parts per billion of the whole (99.99% is 999 900 000); nothing when 0 or above 10⁹.
    pub const fn from_billionths(billionths: u32) -> Option<Percentile> {
        if billionths == 0 || billionths > 1_000_000_000 { None } else { Some(Percentile { billionths }) }
    }

    /// From the decimal text of a percentage, `99.99` or `99.99%`; nothing when it is not a plain decimal,
    /// has more than 7 decimals that are not 0, or is out of range.
    pub fn from_percent(text: &str) -> Option<Percentile> {
        let text = text.trim();
        let text = text.strip_suffix('%').unwrap_or(text).trim_end();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.trim_end_matches('0');
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || decimals.len() > 7 || !digits(whole) || !digits(decimals) {
            return None;
        }
        let scaled: u64 = format!("{whole}{decimals:0<7}").parse().ok()?;
        Percentile::from_billionths(u32::try_from(scaled).ok()?)
    }

    /// Parts per billion of the whole.
    pub const fn billionths(self) -> u32 {
        self.billionths
    }

    /// Where the percentile of `n` values lies: the lower rank (0-based, ascending) and the fraction of the
    /// way to the next one. As `numpy.percentile` with linear interpolation: `(n - 1) * (percent / 100)` in f64.
    /// `n` is at least 1.
    pub fn position(self, n: u64) -> (u64, f64) {
        let percent = f64::from(self.billionths) / 1e7;
        let last = n.saturating_sub(1);
        let position = last as f64 * (percent / 100.0);
        let rank = (position.floor() as u64).min(last);
        (rank, if rank == last { 0.0 } else { position - position.floor() })
    }

    /// The interpolated value between two order statistics, in f64 as numpy does it, rounded to f32.
    pub fn between(low: f32, high: f32, fraction: f64) -> f32 {
        let (low, high) = (f64::from(low), f64::from(high));
        let step = high - low;
        let value = if fraction >= 0.5 { high - step * (1.0 - fraction) } else { low + step * fraction };
        value as f32
    }

    /// Whether a group of `n` values is too small for anything to be cut off: fewer than `1 / (1 - p)` values.
    /// 99.99% needs 10 000. 100% never cuts.
    pub const fn cuts_nothing(self, n: u64) -> bool {
        (n as u128) * ((1_000_000_000 - self.billionths) as u128) < 1_000_000_000
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.billionths / 10_000_000, self.billionths % 10_000_000);
        if decimals == 0 {
            return write!(f, "{whole}%");
        }
        let text = format!("{decimals:07}");
        write!(f, "{whole}.{}%", text.trim_end_matches('0'))
    }
}
