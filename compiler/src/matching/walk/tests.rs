//! The machine against the definition, on names and paths of few segments.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::checkpoint::{Schema, parse_listing};
use crate::syntax::tree::GlobPart;

fn names(pattern: &'static str, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    let distinct = prop::collection::btree_set(pattern, count);
    distinct.prop_map(|names| names.into_iter().collect::<Vec<_>>()).prop_shuffle()
}

fn schema(names: &[String]) -> Schema {
    let lines: Vec<String> = names.iter().map(|n| format!("\"{n}\" f32 [1]\n")).collect();
    parse_listing("t", &lines.concat()).unwrap()
}

fn path(text: &str) -> Vec<Segment> {
    let segment = |s: &str| {
        let kind = match s {
            "**" => SegmentKind::AnyDepth,
            "*" => SegmentKind::Glob(vec![GlobPart::Star]),
            s => SegmentKind::Glob(vec![GlobPart::Literal(s.to_owned())]),
        };
        Segment { kind, span: Default::default() }
    };
    text.split('.').map(segment).collect()
}

/// Whether `segments` match `name`, by trying everything.
fn matches(segments: &[Segment], name: &[&str]) -> bool {
    match (segments.split_first(), name.split_first()) {
        (None, _) => name.is_empty(),
        (Some((s, rest)), _) if s.kind == SegmentKind::AnyDepth => {
            (0..=name.len()).any(|n| matches(rest, &name[n..]))
        }
        (Some(_), None) => false,
        (Some((s, rest)), Some((first, others))) => accepts(&s.kind, first) && matches(rest, others),
    }
}

fn words(separated: &str) -> Vec<&str> {
    if separated.is_empty() { Vec::new() } else { separated.split('.').collect() }
}

proptest! {
    #[test]
    fn finds_what_the_definition_says(
        names in names("[abc](\\.[abc]){0,4}", 0..24),
        pattern in "(\\*\\*|\\*|[abc])(\\.(\\*\\*|\\*|[abc])){0,4}",
    ) {
        let schema = schema(&names);
        let index = Index::new(&schema);
        let segments = path(&pattern);
        let walk = walk(&segments, &index);

        let mut found: Vec<u32> = walk.tensors(&index).collect();
        prop_assert_eq!(found.len(), walk.len());
        found.sort_unstable();
        let all = (0u32..).zip(&schema.tensors);
        let expected: Vec<u32> = all.filter(|(_, t)| matches(&segments, &words(&t.name))).map(|(i, _)| i).collect();
        prop_assert_eq!(found, expected);

        let mut known = BTreeSet::from([String::new()]);
        for name in &names {
            let ends = name.match_indices('.').map(|(i, _)| i).chain([name.len()]);
            known.extend(ends.map(|end| name[..end].to_owned()));
        }
        let found: Vec<&str> = prefixes(&segments, &index).iter().map(|p| index.path(*p, &schema)).collect();
        let distinct: BTreeSet<String> = found.iter().map(|p| (*p).to_owned()).collect();
        prop_assert_eq!(found.len(), distinct.len(), "each once");
        let expected: BTreeSet<String> = known.into_iter().filter(|p| matches(&segments, &words(p))).collect();
        prop_assert_eq!(distinct, expected);
    }

    #[test]
    fn an_index_has_all_names(names in names("[ab1](\\.[ab1]){0,5}", 1..40)) {
        let schema = schema(&names);
        let index = Index::new(&schema);
        let mut stack = vec![index.root()];
        let mut seen = BTreeSet::new();
        while let Some(prefix) = stack.pop() {
            let path = index.path(prefix, &schema);
            prop_assert!(path.is_empty() || path.rsplit('.').next() == Some(index.segment(prefix)));
            for tensor in index.below(prefix) {
                let rest = schema.tensors[tensor as usize].name.strip_prefix(path);
                prop_assert!(path.is_empty() || rest.is_some_and(|r| r.is_empty() || r.starts_with('.')));
            }
            if let Some(tensor) = index.tensor(prefix) {
                prop_assert_eq!(&schema.tensors[tensor as usize].name, path);
                prop_assert!(seen.insert(tensor));
            }
            stack.extend(index.children(prefix));
        }
        prop_assert_eq!(seen.len(), names.len());
    }
}

#[test]
fn layers_that_are_alike_are_one_subtree() {
    let names = (0..40).flat_map(|l| ["q", "k", "v"].map(|p| format!("layers.{l}.{p}.weight")));
    let schema = schema(&names.collect::<Vec<_>>());
    let index = Index::new(&schema);
    // A weight, one of q, k and v, a layer, all layers, the model.
    assert_eq!(index.len(), 5);
    let found = walk(&path("**.k.*"), &index);
    assert_eq!(found.len(), 40);
    let lost = walk(&path("layers.*.o.weight"), &index);
    assert!(lost.is_empty());
    assert_eq!((lost.furthest, lost.stuck.len()), (2, 1));
}
