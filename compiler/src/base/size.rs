//! Numbers as people read them in messages, plans and reports.

/// `1,234,567`.
pub fn with_thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes in decimal units, three significant digits: `948 B`, `12.4 kB`, `2.95 MB`, `140 GB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 and up would round to a fourth digit, so it moves to the next unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("PB");
    match (unit, value) {
        (0, _) => format!("{bytes} B"),
        (_, v) if v < 9.995 => format!("{v:.2} {name}"),
        (_, v) if v < 99.95 => format!("{v:.1} {name}"),
        (_, v) => format!("{v:.0} {name}"),
    }
}

/// Bytes before and after, the unit once where both have it: `12.4 → 3.30 GB`, `131 kB → 36 B`, `512 B` if they read alike.
pub fn human_change(before: u64, after: u64) -> String {
    let (from, to) = (human_bytes(before), human_bytes(after));
    match (from.split_once(' '), to.split_once(' ')) {
        _ if from == to => to,
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number} → {to}"),
        _ => format!("{from} → {to}"),
    }
}

/// `1 tensor`, `2 tensors`, `1,204 tensors`.
pub fn count(n: u64, noun: &str) -> String {
    format!("{} {}", with_thousands(n), plural(n, noun))
}

/// The noun in the number that `n` asks for (regular plurals, and `-x`, `-y`).
pub fn plural(n: u64, noun: &str) -> String {
    match noun.chars().last() {
        _ if n == 1 => noun.to_owned(),
        Some('y') => format!("{}ies", noun.strip_suffix('y').unwrap_or(noun)),
        Some('x' | 's') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// Up to three items, then `and N more`; each in backticks.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    let shown: Vec<String> = items.iter().take(3).map(|s| format!("`{}`", s.as_ref())).collect();
    match items.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let shown: Vec<String> =
            [0, 999, 1000, 999_499, 999_500, 2_949_120, 12_400_000_000].map(human_bytes).to_vec();
        assert_eq!(shown.join(" · "), "0 B · 999 B · 1.00 kB · 999 kB · 1.00 MB · 2.95 MB · 12.4 GB");
    }

    #[test]
    fn a_change_has_its_unit_once() {
        let shown =
            [(12_400_000_000, 3_300_000_000), (131_072, 36), (512, 512), (495_200, 494_680), (512, 0)];
        let shown: Vec<String> = shown.iter().map(|(a, b)| human_change(*a, *b)).collect();
        assert_eq!(shown.join(" · "), "12.4 → 3.30 GB · 131 kB → 36 B · 512 B · 495 kB · 512 → 0 B");
    }

    #[test]
    fn lists_stop_after_three() {
        assert_eq!(list(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
        assert_eq!(count(1, "tensor"), "1 tensor");
        assert_eq!(count(1204, "dtype"), "1,204 dtypes");
    }
}
