//! Did-you-mean for tensor paths: the domain's mistakes first, then spelling; only what matches is suggested.

use super::glob::literal;
use super::index::{Index, Prefix};
use super::walk::{prefixes, walk};
use crate::base::Span;
use crate::diag::suggest::closest;
use crate::syntax::tree::{GlobPart, Segment, SegmentKind};

/// A corrected path and what it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Text of the whole alternative.
    pub text: String,
    /// Tensors it matches; for a prefix of names, the tensors below.
    pub tensors: usize,
    /// The mistake in words, if it is one that the domain knows.
    pub why: Option<&'static str>,
}

/// Wrapper segments that frameworks put around a module.
const WRAPPERS: &[&str] =
    &["layer", "moe", "module", "model", "_orig_mod", "base_model", "transformer", "mixer", "block"];
/// Prefixes that a saved model has or lacks.
const PREFIXES: &[&str] =
    &["model", "module", "transformer", "backbone", "bert", "base_model.model", "_orig_mod"];

/// The best correction of `segments`, which match nothing. `families` asks for inner nodes (a `prune` target)
/// instead of tensors.
pub fn nearest(segments: &[Segment], index: &Index, families: bool) -> Option<Suggestion> {
    candidates(segments, index).into_iter().find_map(|(candidate, why)| {
        let tensors = hits(&candidate, index, families);
        (tensors > 0).then(|| Suggestion { text: text(&candidate), tensors, why })
    })
}

fn hits(segments: &[Segment], index: &Index, families: bool) -> usize {
    if families {
        let found = prefixes(segments, index).into_iter().filter(|p| is_family(index, *p));
        found.map(|p| index.places(p).len()).sum()
    } else {
        walk(segments, index).len()
    }
}

/// Whether all segments behind a prefix are integers, at least one.
pub fn is_family(index: &Index, prefix: Prefix) -> bool {
    let mut children = index.children(prefix).peekable();
    children.peek().is_some() && children.all(|c| index.segment(c).parse::<u64>().is_ok())
}

fn text(segments: &[Segment]) -> String {
    segments.iter().map(crate::syntax::segment_text).collect::<Vec<_>>().join(".")
}

fn name(text: &str) -> Segment {
    Segment { kind: SegmentKind::Glob(vec![GlobPart::Literal(text.to_owned())]), span: Span::default() }
}

fn any_depth() -> Segment {
    Segment { kind: SegmentKind::AnyDepth, span: Span::default() }
}

type Candidate = (Vec<Segment>, Option<&'static str>);

/// Corrections in the order in which they are tried.
fn candidates(segments: &[Segment], index: &Index) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    wrong_prefixes(segments, &mut found);
    missing_suffixes(segments, &mut found);
    wrappers(segments, index, &mut found);
    foreign_syntax(segments, &mut found);
    if let Some(spelled) = respell(segments, index) {
        found.push((spelled, None));
    }
    found
}

fn wrong_prefixes(segments: &[Segment], found: &mut Vec<Candidate>) {
    for prefix in PREFIXES {
        let parts: Vec<Segment> = prefix.split('.').map(name).collect();
        let mut longer = parts.clone();
        longer.extend_from_slice(segments);
        found.push((longer, Some("the names have a prefix here")));
        let starts = parts.iter().zip(segments).all(|(a, b)| a.kind == b.kind);
        if starts && let Some(shorter) = segments.get(parts.len()..) {
            found.push((shorter.to_vec(), Some("the names have no such prefix here")));
        }
    }
}

fn missing_suffixes(segments: &[Segment], found: &mut Vec<Candidate>) {
    let mut longer = segments.to_vec();
    longer.push(name("weight"));
    found.push((longer, Some("a layer's tensor is called `.weight`")));
    let mut deeper = segments.to_vec();
    deeper.push(any_depth());
    found.push((deeper, Some("the names go on below")));
}

/// Replaces, removes and inserts wrapper segments, one at a time.
fn wrappers(segments: &[Segment], index: &Index, found: &mut Vec<Candidate>) {
    let stuck = walk(segments, index);
    let last = stuck.furthest.min(segments.len());
    // Near the segment where the matches were lost: there the wrong name is.
    let from = last.saturating_sub(1);
    for at in from..=last {
        for wrapper in WRAPPERS {
            if let (Some(before), Some(after)) = (segments.get(..at), segments.get(at + 1..)) {
                let mut replaced = before.to_vec();
                replaced.push(name(wrapper));
                replaced.extend_from_slice(after);
                found.push((replaced, Some("the wrapper has another name here")));
            }
        }
        for wrapper in WRAPPERS {
            if let (Some(before), Some(after)) = (segments.get(..at), segments.get(at..)) {
                let mut inserted = before.to_vec();
                inserted.push(name(wrapper));
                inserted.extend_from_slice(after);
                found.push((inserted, Some("a segment is missing")));
            }
        }
        if let (Some(before), Some(after), Some(gone)) =
            (segments.get(..at), segments.get(at + 1..), segments.get(at))
            && literal(&gone.kind).is_some()
        {
            let mut removed = before.to_vec();
            removed.extend_from_slice(after);
            if !removed.is_empty() {
                found.push((removed, Some("there is no such segment here")));
            }
        }
    }
}

/// `"layers.0.ssm"` and `layers/0/ssm`.
fn foreign_syntax(segments: &[Segment], found: &mut Vec<Candidate>) {
    let dots = segments.iter().any(|s| matches!(&s.kind, SegmentKind::Quoted(t) if t.contains('.')));
    if dots {
        let split = segments.iter().flat_map(|s| match &s.kind {
            SegmentKind::Quoted(text) => text.split('.').map(name).collect(),
            _ => vec![s.clone()],
        });
        found.push((split.collect(), Some("a quoted text is one segment, without dots")));
    }
    let slashes = segments.iter().any(|s| literal(&s.kind).is_some_and(|t| t.contains('/')));
    if slashes {
        let split = segments.iter().flat_map(|s| match literal(&s.kind) {
            Some(text) => text.split('/').map(name).collect(),
            None => vec![s.clone()],
        });
        found.push((split.collect(), Some("segments are separated by `.`")));
    }
}

/// Walks down and respells each segment that fails by the closest child, twice at most.
fn respell(segments: &[Segment], index: &Index) -> Option<Vec<Segment>> {
    let mut corrected = segments.to_vec();
    for _ in 0..2 {
        let stuck = walk(&corrected, index);
        if !stuck.is_empty() || stuck.furthest >= corrected.len() {
            break;
        }
        let wrong = corrected.get_mut(stuck.furthest)?;
        let word = literal(&wrong.kind)?.to_owned();
        let mut children: Vec<&str> = stuck
            .stuck
            .iter()
            .flat_map(|n| index.children(*n))
            .map(|c| index.segment(c))
            .filter(|s| s.parse::<u64>().is_err())
            .collect();
        children.sort_unstable();
        children.dedup();
        wrong.kind = name(closest(&word, children.iter().copied())?).kind;
    }
    Some(corrected)
}
