//! The nearest known word.

/// The candidate that is nearest to `word`, if it is near enough and no other is as near.
///
/// Near enough: at most one edit for up to four letters, two for up to eight, three above. An edit inserts,
/// deletes or replaces a letter, or swaps two neighbours; case is free.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A longer word is no typing mistake, and the distance below is quadratic.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let allowed = match lower.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &str)> = None;
    let mut tied = false;
    for candidate in candidates {
        let edits = distance(&lower, &candidate.to_lowercase());
        match best {
            _ if edits > allowed => {}
            Some((least, known)) if edits == least => tied |= known != candidate,
            Some((least, _)) if edits > least => {}
            _ => {
                best = Some((edits, candidate));
                tied = false;
            }
        }
    }
    best.filter(|_| !tied).map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let get = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = vec![];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut least =
                (get(&last, j) + usize::from(ca != cb)).min(get(&last, j + 1) + 1).min(get(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            if swapped {
                least = least.min(get(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    get(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words() {
        let words = ["assign", "calibrate", "emit", "set"];
        let found: Vec<_> = ["asign", "asisgn", "calibration", "Emit", "emti", "sat", "xyz"]
            .map(|w| nearest(w, words))
            .to_vec();
        assert_eq!(
            found,
            [
                Some("assign"),
                Some("assign"),
                Some("calibrate"),
                Some("emit"),
                Some("emit"),
                Some("set"),
                None
            ]
        );
    }
}
