//! Time limits as Slurm writes them.

use std::fmt;

/// A limit on the time of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// So many seconds.
    Seconds(u64),
    /// None.
    Unlimited,
}

impl Limit {
    /// Reads `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS`, and Slurm's words for no limit. Nothing where it
    /// is none of these.
    pub fn parse(text: &str) -> Option<Limit> {
        let text = text.trim();
        if ["UNLIMITED", "INFINITE"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Some(Limit::Unlimited);
        }
        let (days, rest) = match text.split_once('-') {
            Some((days, rest)) => (Some(number(days)?), rest),
            None => (None, text),
        };
        let parts: Vec<u64> = rest.split(':').map(number).collect::<Option<_>>()?;
        let (hours, minutes, seconds) = match (days, parts.as_slice()) {
            (Some(_), [h]) => (*h, 0, 0),
            (Some(_), [h, m]) => (*h, *m, 0),
            (_, [h, m, s]) => (*h, *m, *s),
            (None, [m]) => (0, *m, 0),
            (None, [m, s]) => (0, *m, *s),
            _ => return None,
        };
        let hours = days.unwrap_or(0).checked_mul(24)?.checked_add(hours)?;
        let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
        Some(Limit::Seconds(minutes.checked_mul(60)?.checked_add(seconds)?))
    }

    /// Seconds; nothing where there is no limit.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Limit::Seconds(seconds) => Some(seconds),
            Limit::Unlimited => None,
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit::Seconds(all) = self else { return f.write_str("UNLIMITED") };
        let (days, hours, minutes, seconds) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
        match days {
            0 => write!(f, "{hours:02}:{minutes:02}:{seconds:02}"),
            _ => write!(f, "{days}-{hours:02}:{minutes:02}:{seconds:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn all_forms_are_read() {
        for (text, seconds) in [
            ("5", 300),
            ("5:30", 330),
            ("01:00:00", 3600),
            ("1-0", 86_400),
            ("1-2:30", 95_400),
            ("2-00:00:01", 172_801),
        ] {
            assert_eq!(Limit::parse(text), Some(Limit::Seconds(seconds)), "{text}");
        }
        assert_eq!(Limit::parse("UNLIMITED"), Some(Limit::Unlimited));
        for text in ["", "-", "1h", "1-", "1:2:3:4", "+5", "99999999999999999999", "NONE"] {
            assert_eq!(Limit::parse(text), None, "{text}");
        }
        assert!(Limit::Seconds(u64::MAX) < Limit::Unlimited);
    }

    #[test]
    fn limits_read_back() {
        for seconds in [0, 59, 300, 86_399, 86_400, 1_000_000] {
            let limit = Limit::Seconds(seconds);
            assert_eq!(Limit::parse(&limit.to_string()), Some(limit));
        }
        assert_eq!(Limit::Seconds(95_400).to_string(), "1-02:30:00");
    }
}
