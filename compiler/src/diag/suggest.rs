//! Did you mean: the nearest of a few names, if one is near enough.

/// The candidate that `word` most likely meant: the same letters in another case or with other `_`/`-` first, then the
/// smallest edit distance within [`threshold`]; of equal ones the first. `None` if none is near.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = threshold(word);
    if word.len() > 4 * LONGEST {
        return None;
    }
    let folded = fold(word);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates.into_iter().take(MOST) {
        let found = if candidate == word {
            continue;
        } else if fold(candidate) == folded {
            Some(0)
        } else {
            distance(&folded, &fold(candidate), limit)
        };
        match (found, best) {
            (Some(d), Some((least, _))) if d >= least => {}
            (Some(d), _) => best = Some((d, candidate)),
            (None, _) => {}
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Candidates that are looked at: names by the thousand are made by a program, and a file may have a thousand wrong ones.
const MOST: usize = 512;

/// Longer words are not compared, in characters: the table has a cell for each pair of letters.
const LONGEST: usize = 256;

/// Edits that still count as a slip: one in three letters, at most three, none in words of one letter.
pub fn threshold(word: &str) -> usize {
    match word.chars().count() {
        0 | 1 => 0,
        2..=5 => 1,
        n => (n / 3).min(3),
    }
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours from `a` to `b` (optimal string alignment), if at most
/// `limit`.
pub fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > limit || a.len() > LONGEST {
        return None;
    }
    // Rows of the table for the prefix of `a` two letters shorter, one shorter, and this one.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous: Option<char> = None;
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        let mut left = i + 1;
        row.push(left);
        let mut y_before: Option<char> = None;
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&above, j) + usize::from(x != y);
            let mut least = replaced.min(at(&above, j + 1) + 1).min(left + 1);
            if previous == Some(*y) && y_before == Some(*x) && x != y {
                least = least.min(at(&before, j.saturating_sub(1)) + 1);
            }
            row.push(least);
            left = least;
            y_before = Some(*y);
        }
        if row.iter().all(|d| *d > limit) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
        previous = Some(*x);
    }
    above.last().copied().filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let formats = ["keep", "fp32", "fp16", "bf16", "int8", "int4", "nf4", "fp4", "drop"];
        let table = [
            ("Int8", Some("int8")),
            ("int_8", Some("int8")),
            ("itn8", Some("int8")),
            ("nf44", Some("nf4")),
            ("kep", Some("keep")),
            ("fp61", Some("fp16")),
            ("gptq", None),
            ("x", None),
            ("", None),
        ];
        for (word, expected) in table {
            assert_eq!(closest(word, formats), expected, "{word}");
        }
        assert_eq!(closest("max_lenght", ["samples", "max_length", "batch"]), Some("max_length"));
        assert_eq!(closest("percntile", ["minmax", "percentile", "mse"]), Some("percentile"));
        assert_eq!(closest("keep", ["keep"]), None, "what is right already is no suggestion");
    }

    /// The recursive definition, slow and obvious.
    fn plain(a: &[char], b: &[char]) -> usize {
        let (Some((x, a0)), Some((y, b0))) = (a.split_last(), b.split_last()) else {
            return a.len().max(b.len());
        };
        let mut least = (plain(a0, b0) + usize::from(x != y)).min(plain(a0, b) + 1).min(plain(a, b0) + 1);
        if let (Some((x1, a1)), Some((y1, b1))) = (a0.split_last(), b0.split_last())
            && x == y1
            && y == x1
            && x != y
        {
            least = least.min(plain(a1, b1) + 1);
        }
        least
    }

    proptest! {
        #[test]
        fn distance_is_its_definition(a in "[abc]{0,6}", b in "[abc]{0,6}", limit in 0usize..5) {
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let expected = plain(&x, &y);
            prop_assert_eq!(distance(&a, &b, limit), (expected <= limit).then_some(expected));
        }
    }
}
