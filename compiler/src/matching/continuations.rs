//! How a path may go on: what follows it in the names of a checkpoint.

use std::collections::BTreeMap;
use std::ops::Range;

use super::index::{Index, Prefix};
use super::walk::prefixes;
use crate::base::number_set;
use crate::syntax::segment_text;
use crate::syntax::tree::{Segment, SegmentKind};

/// One way to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// What it is.
    pub kind: ContinuationKind,
    /// As a pattern writes it; in braces, what stands between them.
    pub text: String,
    /// Tensors to which it leads.
    pub tensors: u32,
    /// Those whose names end with it.
    pub ends: Vec<u32>,
}

/// What a [`Continuation`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContinuationKind {
    /// A name.
    Name,
    /// All numbers that occur.
    Numbers,
    /// `*`: any one segment.
    One,
    /// `**`: any number of them.
    Depth,
    /// One number.
    Number(u64),
}

/// What is behind one segment.
#[derive(Default)]
struct Behind {
    /// Places of the names.
    places: Vec<Range<u32>>,
    /// Tensors whose names end with it.
    ends: Vec<u32>,
}

impl Behind {
    fn add(&mut self, index: &Index, prefix: Prefix) {
        let places = index.places(prefix);
        match self.places.last_mut() {
            Some(last) if last.end == places.start => last.end = places.end,
            _ => self.places.push(places),
        }
        self.ends.extend(index.tensor(prefix));
    }

    fn join(&mut self, other: &Behind) {
        self.places.extend(other.places.iter().cloned());
        self.ends.extend(&other.ends);
    }

    /// Number of names; behind `**` one prefix may be a part of another, and what has both counts once.
    fn tensors(&mut self) -> u32 {
        self.places.sort_unstable_by_key(|p| (p.start, p.end));
        let (mut sum, mut counted) = (0, 0);
        for places in &self.places {
            sum += places.end.saturating_sub(places.start.max(counted));
            counted = counted.max(places.end);
        }
        sum
    }
}

/// Ways to go on behind `prefix`, each segment once: first names in the order of the header, then numbers. `stem` is the
/// text of a segment before its braces: then these are alternatives for the braces.
pub fn continuations(prefix: &[Segment], stem: Option<&str>, index: &Index) -> Vec<Continuation> {
    let mut all = Behind::default();
    let mut found: Vec<Option<(Prefix, Behind)>> = Vec::new();
    found.resize_with(index.distinct_segments(), || None);
    for prefix in prefixes(prefix, index) {
        for child in index.children(prefix) {
            let Some(slot) = found.get_mut(child.last() as usize) else { continue };
            slot.get_or_insert_with(|| (child, Behind::default())).1.add(index, child);
            all.add(index, child);
        }
    }

    let mut out = Vec::new();
    let mut numbers: BTreeMap<u64, Behind> = BTreeMap::new();
    for (first, mut behind) in found.into_iter().flatten() {
        let segment = index.segment(first);
        let Some(text) = segment.strip_prefix(stem.unwrap_or("")).filter(|t| !t.is_empty()) else { continue };
        match number(text) {
            Some(number) => {
                numbers.insert(number, behind);
            }
            None => out.extend(written(text, stem.is_some()).map(|text| Continuation {
                kind: ContinuationKind::Name,
                text,
                tensors: behind.tensors(),
                ends: behind.ends,
            })),
        }
    }
    with_numbers(numbers, stem.is_some(), &mut out);
    let tensors = all.tensors();
    if stem.is_none() && tensors > 0 {
        let any = |kind, text: &str, ends| Continuation { kind, text: text.to_owned(), tensors, ends };
        out.push(any(ContinuationKind::One, "*", all.ends));
        // `**.**` is `**`.
        let doubled = prefix.last().is_some_and(|s| s.kind == SegmentKind::AnyDepth);
        out.extend((!doubled).then(|| any(ContinuationKind::Depth, "**", Vec::new())));
    }
    out
}

fn with_numbers(numbers: BTreeMap<u64, Behind>, braces: bool, out: &mut Vec<Continuation>) {
    let all: Vec<u64> = numbers.keys().copied().collect();
    if all.len() > 1 {
        let mut together = Behind::default();
        numbers.values().for_each(|behind| together.join(behind));
        let set = number_set(&all);
        let inner = set.strip_prefix('{').and_then(|s| s.strip_suffix('}')).unwrap_or(&set);
        out.push(Continuation {
            kind: ContinuationKind::Numbers,
            text: if braces { inner.to_owned() } else { set.clone() },
            tensors: together.tensors(),
            ends: together.ends,
        });
    }
    out.extend(numbers.into_iter().map(|(number, mut behind)| Continuation {
        kind: ContinuationKind::Number(number),
        text: number.to_string(),
        tensors: behind.tensors(),
        ends: behind.ends,
    }));
}

/// A number as ranges know it: without leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text.len() == 1 || !text.starts_with('0');
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|_| plain)
}

/// A name as a pattern writes it; in braces, only what needs no quotes.
fn written(name: &str, braces: bool) -> Option<String> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && !name.contains("--")
        && name != "_";
    match (plain, braces) {
        (true, _) => Some(name.to_owned()),
        (false, true) => None,
        (false, false) => {
            let segment = Segment { kind: SegmentKind::Quoted(name.to_owned()), span: Default::default() };
            Some(segment_text(&segment))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::path;

    fn show(prefix: &str, stem: Option<&str>) -> String {
        let mut names: Vec<String> = Vec::new();
        for layer in 0..3 {
            for name in ["ssm.ssm.A", "ssm.norm.weight", "mlp.w1", "mlp.w2", "odd name"] {
                names.push(format!("layers.{layer}.{name}"));
            }
        }
        names.push("head".into());
        let index = Index::of_names(names.iter().map(String::as_str));
        let shown = continuations(&path(prefix).unwrap(), stem, &index).into_iter().map(|c| {
            let ends = if c.ends.is_empty() { String::new() } else { format!("!{}", c.ends.len()) };
            format!("{}:{}{ends}", c.text, c.tensors)
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn segments_and_numbers() {
        assert_eq!(show("", None), "layers:15 head:1!1 *:16!1 **:16");
        assert_eq!(show("layers", None), "{0..=2}:15 0:5 1:5 2:5 *:15 **:15");
        assert_eq!(show("layers.{0,2}", None), r#"ssm:4 mlp:4 "odd name":2!2 *:10!2 **:10"#);
        assert_eq!(show("layers.*.mlp", None), "w1:3!3 w2:3!3 *:6!6 **:6");
        assert_eq!(show("nowhere", None), "");
        assert_eq!(show("head", None), "");
    }

    #[test]
    fn braces() {
        assert_eq!(show("layers", Some("")), "0..=2:15 0:5 1:5 2:5");
        assert_eq!(show("layers.*.mlp", Some("w")), "1..=2:6!6 1:3!3 2:3!3");
        assert_eq!(show("layers.*", Some("")), "ssm:6 mlp:6");
    }

    #[test]
    fn what_is_below_two_nodes_counts_once() {
        // `ssm` is below `ssm`.
        assert!(show("**", None).contains("ssm:6 "), "{}", show("**", None));
        assert!(show("**", None).ends_with(" *:16!16"), "{}", show("**", None));
        let nested = Index::of_names(["a.0.b.1", "a.0.b.2", "a.1.c"].into_iter());
        let found = continuations(&path("**").unwrap(), None, &nested);
        let numbers = found.iter().find(|c| c.kind == ContinuationKind::Numbers).unwrap();
        assert_eq!((numbers.text.as_str(), numbers.tensors), ("{0..=2}", 3));
    }
}
