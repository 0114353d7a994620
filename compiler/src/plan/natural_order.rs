//! The order in which people count: `layers.2` before `layers.10`.

/// Bytes whose plain order is the natural order of the name: a run of digits becomes its length and its digits
/// without leading zeros. Its first byte is a digit still, so that it stands among other characters as before.
fn key(name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 8);
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if !first.is_ascii_digit() {
            key.push(*first);
            rest = after;
            continue;
        }
        let end = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let zeros = run.iter().take_while(|b| **b == b'0').count();
        let digits = run.get(zeros..).unwrap_or_default();
        key.push(b'0');
        key.extend_from_slice(&u32::try_from(digits.len()).unwrap_or(u32::MAX).to_be_bytes());
        key.extend_from_slice(digits);
        rest = after;
    }
    key
}

/// Rank of every name in natural order; names that count as equal stand in the order of their bytes.
pub(super) fn natural_ranks<'a>(names: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut order: Vec<(Vec<u8>, &str, usize)> =
        names.enumerate().map(|(i, name)| (key(name), name, i)).collect();
    order.sort_unstable();
    let mut ranks: Vec<(usize, usize)> = order.iter().enumerate().map(|(rank, (.., i))| (*i, rank)).collect();
    ranks.sort_unstable();
    ranks.into_iter().map(|(_, rank)| rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let names =
            ["", "a", "layers.2", "layers.2.b", "layers.02.w", "layers.2.w", "layers.10.w", "layers.b"];
        assert_eq!(natural_ranks(names.into_iter()), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(natural_ranks(["b", "a10", "a9"].into_iter()), [2, 1, 0]);
    }
}
