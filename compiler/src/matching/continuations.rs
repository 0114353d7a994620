//! How a path may go on: what stands below it in the trie of names.

use std::collections::BTreeMap;

use super::index::{Index, NodeId};
use super::resolve::walk;
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

/// Tensors behind one segment.
#[derive(Default)]
struct Behind {
    tensors: u32,
    ends: Vec<u32>,
}

impl Behind {
    fn add(&mut self, index: &Index, node: NodeId, counted: bool) {
        if !counted {
            self.tensors += index.count_below(node);
        }
        self.ends.extend(index.tensor(node));
    }
}

/// Ways to go on behind `prefix`, each segment once: first names in the order of the header, then numbers. Only the nodes
/// at which the prefix ends and their children are looked at. `stem` is the text of a segment before its braces: then
/// these are alternatives for the braces.
pub fn continuations(prefix: &[Segment], stem: Option<&str>, index: &Index) -> Vec<Continuation> {
    let nodes = walk(prefix, index).nodes;
    // Behind `**` one node may be below another, and what is below both counts once.
    let nested = prefix.iter().any(|s| s.kind == SegmentKind::AnyDepth);
    let mut reached = vec![false; if nested { index.len() } else { 0 }];
    for node in &nodes {
        if let Some(reached) = reached.get_mut(index.number(*node)) {
            *reached = true;
        }
    }
    let is_reached = |node: NodeId| reached.get(index.number(node)).copied().unwrap_or(false);

    let mut all = Behind::default();
    let mut in_numbers = 0;
    let mut found: Vec<Option<(NodeId, Behind)>> = Vec::new();
    found.resize_with(index.distinct_segments(), || None);
    let mut above: Vec<NodeId> = Vec::new();
    for node in nodes {
        above.clear();
        let mut at = node;
        while nested && at != Index::ROOT {
            if is_reached(index.parent(at)) {
                above.push(at);
            }
            at = index.parent(at);
        }
        for child in index.children(node) {
            let id = index.segment_id(child);
            let Some(slot) = found.get_mut(id) else { continue };
            let (_, behind) = slot.get_or_insert_with(|| (child, Behind::default()));
            behind.add(index, child, above.iter().any(|n| index.segment_id(*n) == id));
            all.add(index, child, !above.is_empty());
            if nested && is_number(index, child) && !above.iter().any(|n| is_number(index, *n)) {
                in_numbers += index.count_below(child);
            }
        }
    }

    let mut out = Vec::new();
    let mut numbers: BTreeMap<u64, Behind> = BTreeMap::new();
    for (first, behind) in found.into_iter().flatten() {
        let segment = index.segment(first);
        let Some(text) = segment.strip_prefix(stem.unwrap_or("")).filter(|t| !t.is_empty()) else { continue };
        match number(text) {
            Some(number) => {
                numbers.insert(number, behind);
            }
            None => out.extend(written(text, stem.is_some()).map(|text| Continuation {
                kind: ContinuationKind::Name,
                text,
                tensors: behind.tensors,
                ends: behind.ends,
            })),
        }
    }
    let together = if nested { in_numbers } else { numbers.values().map(|b| b.tensors).sum() };
    with_numbers(numbers, together, stem.is_some(), &mut out);
    if stem.is_none() {
        let depth = Continuation {
            kind: ContinuationKind::Depth,
            text: "**".into(),
            tensors: all.tensors,
            ends: Vec::new(),
        };
        let doubled = prefix.last().is_some_and(|s| s.kind == SegmentKind::AnyDepth);
        let one = Continuation {
            kind: ContinuationKind::One,
            text: "*".into(),
            tensors: all.tensors,
            ends: all.ends,
        };
        if one.tensors > 0 {
            out.push(one);
            out.extend((!doubled).then_some(depth));
        }
    }
    out
}

fn with_numbers(numbers: BTreeMap<u64, Behind>, together: u32, braces: bool, out: &mut Vec<Continuation>) {
    let all: Vec<u64> = numbers.keys().copied().collect();
    if all.len() > 1 {
        let set = number_set(&all);
        let inner = set.strip_prefix('{').and_then(|s| s.strip_suffix('}')).unwrap_or(&set);
        out.push(Continuation {
            kind: ContinuationKind::Numbers,
            text: if braces { inner.to_owned() } else { set.clone() },
            tensors: together,
            ends: numbers.values().flat_map(|b| b.ends.iter().copied()).collect(),
        });
    }
    out.extend(numbers.into_iter().map(|(number, behind)| Continuation {
        kind: ContinuationKind::Number(number),
        text: number.to_string(),
        tensors: behind.tensors,
        ends: behind.ends,
    }));
}

fn is_number(index: &Index, node: NodeId) -> bool {
    index.segment(node).starts_with(|c: char| c.is_ascii_digit()) && number(index.segment(node)).is_some()
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
        let nested = Index::of_names(["a.0.b.1", "a.0.b.2", "a.1.c"]);
        let found = continuations(&path("**").unwrap(), None, &nested);
        let numbers = found.iter().find(|c| c.kind == ContinuationKind::Numbers).unwrap();
        assert_eq!((numbers.text.as_str(), numbers.tensors), ("{0..=2}", 3));
    }
}
