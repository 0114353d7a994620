//! Branches of braces that no tensor needs.

use std::collections::{BTreeMap, BTreeSet};

use super::glob::{accepts, texts};
use super::index::Index;
use super::walk::{Step, Takes, steps};
use crate::base::Span;
use crate::syntax::tree::{Choice, GlobPart, Segment, SegmentKind};

/// The branches of `segments` without which the path would match the same names: their places and texts, in source order.
pub(super) fn unused_choices(segments: &[Segment], index: &Index) -> Vec<(Span, String)> {
    let with_choices = |s: &Segment| match &s.kind {
        SegmentKind::Glob(parts) => parts.iter().any(|p| matches!(p, GlobPart::Choice(_))),
        _ => false,
    };
    if !segments.iter().any(with_choices) {
        return Vec::new();
    }
    let taken = taken(&steps(segments, index), index);
    let mut unused = Vec::new();
    for (number, segment) in segments.iter().enumerate().filter(|(_, s)| with_choices(s)) {
        let SegmentKind::Glob(parts) = &segment.kind else { continue };
        let taken = taken.get(&number);
        for (at, part) in parts.iter().enumerate() {
            let GlobPart::Choice(choices) = part else { continue };
            for choice in choices {
                let alone = with_one(parts, at, choice);
                let hit = |numbers: &BTreeSet<u32>| match texts(&alone) {
                    Some(texts) => {
                        texts.iter().any(|t| index.number(t).is_some_and(|n| numbers.contains(&n)))
                    }
                    None => numbers.iter().any(|n| accepts(&alone, index.text(*n))),
                };
                if !taken.is_some_and(hit) {
                    let kind = SegmentKind::Glob(choice.parts.clone());
                    let text = crate::syntax::segment_text(&Segment { kind, span: choice.span });
                    unused.push((choice.span, text));
                }
            }
        }
    }
    unused
}

/// The segment with only one branch of one of its braces.
fn with_one(parts: &[GlobPart], at: usize, choice: &Choice) -> SegmentKind {
    let one = |(i, part): (usize, &GlobPart)| match i == at {
        true => GlobPart::Choice(vec![choice.clone()]),
        false => part.clone(),
    };
    SegmentKind::Glob(parts.iter().enumerate().map(one).collect())
}

/// A step before a node of the index.
type Place = (u32, usize);

/// A way to go on: the segment of a name that is taken, if the step takes one of its own, and where that leads.
type Way = (Option<u32>, Place);

struct Frame {
    place: Place,
    ways: Vec<Way>,
    /// Ways that were followed.
    followed: usize,
    /// Whether a name can end behind it.
    ends: bool,
}

/// By number of a segment in the path: the segments of names that it takes in names that match. Each step is looked at once
/// before each node, however many branches there are.
fn taken(steps: &[Step<'_>], index: &Index) -> BTreeMap<usize, BTreeSet<u32>> {
    let mut taken: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    let mut known: BTreeMap<Place, bool> = BTreeMap::new();
    let frame = |place: Place| {
        let ends = place.1 == steps.len() && index.ends(place.0);
        Frame { place, ways: ways(steps, index, place), followed: 0, ends }
    };
    // By hand instead of a recursion: a name can have as many segments as a header has bytes.
    let mut frames = vec![frame((index.root().node(), 0))];
    while let Some(top) = frames.last_mut() {
        let Some((segment, to)) = top.ways.get(top.followed).copied() else {
            known.insert(top.place, top.ends);
            frames.pop();
            continue;
        };
        match known.get(&to) {
            // Looked at when it is known.
            None => frames.push(frame(to)),
            Some(ends) => {
                top.followed += 1;
                top.ends |= ends;
                if let (true, Some(segment), Some(step)) = (*ends, segment, steps.get(top.place.1)) {
                    taken.entry(step.number).or_default().insert(segment);
                }
            }
        }
    }
    taken
}

fn ways(steps: &[Step<'_>], index: &Index, (node, step): Place) -> Vec<Way> {
    let edges = index.edges(node);
    match steps.get(step).map(|s| &s.takes) {
        None => Vec::new(),
        Some(Takes::AnyDepth) => {
            let deeper = edges.iter().map(|e| (None, (e.node, step)));
            std::iter::once((None, (node, step + 1))).chain(deeper).collect()
        }
        Some(Takes::These(these)) if these.len() < edges.len() => {
            let found = these.iter().filter_map(|s| edges.binary_search_by_key(s, |e| e.segment).ok());
            let found = found.filter_map(|at| edges.get(at));
            found.map(|e| (Some(e.segment), (e.node, step + 1))).collect()
        }
        Some(Takes::These(these)) => {
            let found = edges.iter().filter(|e| these.binary_search(&e.segment).is_ok());
            found.map(|e| (Some(e.segment), (e.node, step + 1))).collect()
        }
        Some(Takes::Any) => edges.iter().map(|e| (Some(e.segment), (e.node, step + 1))).collect(),
        Some(Takes::Glob(glob)) => {
            let found = edges.iter().filter(|e| accepts(glob, index.text(e.segment)));
            found.map(|e| (Some(e.segment), (e.node, step + 1))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::walk;
    use crate::syntax::path;

    fn unused(pattern: &str, names: &[String]) -> Vec<String> {
        let index = Index::of_names(names.iter().map(String::as_str));
        unused_choices(&path(pattern).unwrap(), &index).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn branches_that_no_name_takes() {
        let names = ["a.0.w1", "a.1.w2", "b.0.w1"].map(str::to_owned);
        let none: [&str; 0] = [];
        assert_eq!(unused("a.*.w{1,2,3}", &names), ["3"]);
        assert_eq!(unused("b.*.w{1,2}", &names), ["2"], "`w2` is a name elsewhere");
        assert_eq!(unused("{a,b,c}.{0,1}.w{1,2}", &names), ["c"]);
        assert_eq!(unused("{a,b}.1.**", &names), ["b"]);
        assert_eq!(unused("**.{a,*1}", &names), ["a"]);
        assert_eq!(unused("**.{w*,x*}.**", &names), ["x*"]);
        assert_eq!(unused("**.{w,x}{1,2}", &names), ["x"]);
        assert_eq!(unused("a.**", &names), none);
    }

    #[test]
    fn many_branches_are_one_walk() {
        let names: Vec<String> = (0..20_000).map(|n| format!("layers.{n}.weight")).collect();
        let branches: Vec<String> = (1..=20_000).map(|n| n.to_string()).collect();
        for pattern in
            [format!("**.{{{}}}.weight", branches.join(",")), format!("layers.{{{}}}.*", branches.join(","))]
        {
            assert_eq!(unused(&pattern, &names), ["20000"]);
        }
        let index = Index::of_names(names.iter().map(String::as_str));
        assert_eq!(walk(&path(&format!("**.{{{}}}.**", branches.join(","))).unwrap(), &index).len(), 19_999);
    }
}
