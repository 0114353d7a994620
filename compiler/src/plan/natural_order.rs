//! The order in which people count: `layers.2` before `layers.10`.

use std::cmp::Ordering;

/// Compares names; runs of digits compare as numbers, ties by the plain bytes.
pub(super) fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.bytes().peekable(), b.bytes().peekable());
    loop {
        match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let order = digits(&mut left).cmp(&digits(&mut right));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (Some(x), Some(y)) if x == y => {
                left.next();
                right.next();
            }
            (Some(x), Some(y)) => return x.cmp(&y),
        }
    }
}

/// A run of digits without leading zeros; a longer one is the larger number.
fn digits(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> (usize, Vec<u8>) {
    let mut run = Vec::new();
    while let Some(byte) = bytes.next_if(u8::is_ascii_digit) {
        if byte != b'0' || !run.is_empty() {
            run.push(byte);
        }
    }
    (run.len(), run)
}

/// Rank of every name in natural order.
pub(super) fn natural_ranks<'a>(names: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut order: Vec<(usize, &str)> = names.enumerate().collect();
    order.sort_by(|a, b| natural_cmp(a.1, b.1));
    let mut ranks: Vec<(usize, usize)> = order.iter().enumerate().map(|(rank, (i, _))| (*i, rank)).collect();
    ranks.sort_unstable();
    ranks.into_iter().map(|(_, rank)| rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let mut names = ["layers.10.w", "layers.2.w", "a", "layers.2", "layers.02.w", "layers.2.b", ""];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(names, ["", "a", "layers.2", "layers.2.b", "layers.02.w", "layers.2.w", "layers.10.w"]);
        assert_eq!(natural_ranks(["b", "a10", "a9"].into_iter()), [2, 1, 0]);
    }
}
