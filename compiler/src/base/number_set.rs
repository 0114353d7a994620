//! Sets of numbers as patterns write them.

/// Sorted, different numbers as a segment of a pattern: `3`, `{0..=3}`, `{0,2,5}`.
pub fn number_set(numbers: &[u64]) -> String {
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if first == last => first.to_string(),
        (Some(first), Some(last)) if last - first + 1 == numbers.len() as u64 => {
            format!("{{{first}..={last}}}")
        }
        _ => format!("{{{}}}", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
    }
}
