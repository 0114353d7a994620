//! Names as numbers of their segments.

use std::collections::BTreeMap;

use crate::base::common_prefix;

/// The segments of many names; equal ones have equal numbers, in order of first appearance.
pub(super) struct Words<'a> {
    /// Distinct segments.
    pub distinct: Vec<&'a str>,
    /// Numbers of the segments of all names, one name behind the other.
    numbers: Vec<u32>,
    /// Where the numbers of each name end.
    ends: Vec<usize>,
}

impl<'a> Words<'a> {
    /// Splits `names` at their dots.
    ///
    /// Names are nearly periodic: the same segments follow each other again and again. So a segment is expected to be the
    /// one of the name before, or what took its place the last time; only where both fail it is searched.
    pub(super) fn new(names: impl Iterator<Item = &'a str>) -> Words<'a> {
        let mut words = Words { distinct: Vec::new(), numbers: Vec::new(), ends: Vec::new() };
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        // By segment: what took its place the last time.
        let mut successor: Vec<u32> = Vec::new();
        let mut before = (0..0, "");
        for name in names {
            let start = words.numbers.len();
            let (mut earlier, previous) = before;
            let same = common_prefix(name.as_bytes(), previous.as_bytes());
            // Whole segments only: up to the last dot that both have.
            let shared = name.get(..same).and_then(|s| s.rfind('.')).map_or(0, |dot| dot + 1);
            let kept = name.bytes().take(shared).filter(|b| *b == b'.').count();
            words.numbers.extend_from_within(earlier.start..earlier.start + kept);
            earlier.start += kept;
            for segment in name.get(shared..).unwrap_or_default().split('.') {
                let expected = earlier.next().and_then(|i| words.numbers.get(i)).copied();
                let next = expected.and_then(|e| successor.get(e as usize)).copied();
                let is = |n: &u32| words.distinct.get(*n as usize).is_some_and(|s| *s == segment);
                let number = expected.filter(is).or_else(|| next.filter(is)).unwrap_or_else(|| {
                    let fresh = u32::try_from(words.distinct.len()).unwrap_or(u32::MAX);
                    *known.entry(segment).or_insert(fresh)
                });
                if number as usize == words.distinct.len() {
                    words.distinct.push(segment);
                    successor.push(number);
                }
                if let Some(next) = expected.and_then(|e| successor.get_mut(e as usize)) {
                    *next = number;
                }
                words.numbers.push(number);
            }
            words.ends.push(words.numbers.len());
            before = (start..words.numbers.len(), name);
        }
        words
    }

    /// Number of names.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Segments of a name.
    pub(super) fn of(&self, name: u32) -> &[u32] {
        let name = name as usize;
        let start = name.checked_sub(1).and_then(|n| self.ends.get(n)).copied().unwrap_or(0);
        let end = self.ends.get(name).copied().unwrap_or(start);
        self.numbers.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_back() {
        let names = ["a.b.c", "a.b", "a.b.c.c", "ab.b", "", ".", "a..b", "x.1.w", "x.2.w", "x.1.v", "x.2.v"];
        let words = Words::new(names.into_iter());
        for (i, name) in (0u32..).zip(names) {
            let segments: Vec<&str> = words.of(i).iter().map(|n| words.distinct[*n as usize]).collect();
            assert_eq!(segments.join("."), name);
        }
        assert_eq!(words.distinct, ["a", "b", "c", "ab", "", "x", "1", "w", "2", "v"]);
    }
}
