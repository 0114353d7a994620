//! A pattern, or a part of one, that matches no tensor: a rule that would silently do nothing.

use std::collections::BTreeSet;

use super::Context;
use crate::base::{count, list};
use crate::diag::suggest::closest;
use crate::diag::{Certainty, Diagnostic, Loc, Place, declare};
use crate::hir::Pattern;
use crate::matching::nearest::nearest;
use crate::matching::resolve::Miss;
use crate::matching::{Matched, Prefix, resolve, walk};
use crate::syntax::tree::{Alternative, GlobPart, Segment, SegmentKind};

declare!(
    /// A pattern that matches nothing.
    UNMATCHED_PATTERN, "unmatched-pattern", E0301, Error
);
declare!(
    /// A role that does not exist, or that no tensor has here.
    UNKNOWN_ROLE, "unknown-role", E0306, Error
);

/// Paths of a recipe for which a correction is looked for: each is some seventy walks along the names. A recipe with more of
/// them is for another checkpoint. They are fewer where names are not alike, of which each [`WAYS`] count as one more.
const MOST_EXPLAINED: usize = 64;
/// Ways of an index that are walked in no time.
const WAYS: usize = 4096;

/// Misses of all arms and prunings.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let arms = context.recipe.arms.iter().map(|a| &a.pattern).zip(context.arms);
    let mut left = MOST_EXPLAINED;
    let mut found: Vec<Diagnostic> =
        arms.flat_map(|(pattern, matched)| report(context, pattern, matched, false, &mut left)).collect();
    for (prune, matched) in context.recipe.prunes.iter().zip(context.prunes) {
        // A pruning may name a family or a block; the prune check looks at those.
        let inner = !resolve::nodes(&prune.pattern.tree, context.index).is_empty();
        if !inner {
            let inner = prune.dim.is_some() || removes(prune);
            found.extend(report(context, &prune.pattern, matched, inner, &mut left));
        }
    }
    found
}

fn removes(prune: &crate::hir::Prune) -> bool {
    matches!(prune.how, Some(crate::hir::PruneHow::Keep(..)))
}

fn report(
    context: &Context<'_>,
    pattern: &Pattern,
    matched: &Matched,
    inner: bool,
    left: &mut usize,
) -> Vec<Diagnostic> {
    matched.misses.iter().map(|miss| one(context, pattern, miss, inner, left)).collect()
}

fn one(context: &Context<'_>, pattern: &Pattern, miss: &Miss, inner: bool, left: &mut usize) -> Diagnostic {
    match miss {
        Miss::Path { at, alternative, depth, .. } => {
            let explain = *left > 0;
            *left = left.saturating_sub(1 + context.index.ways() / WAYS);
            let mut of = pattern;
            for _ in 0..*depth {
                if let Some(except) = &of.except {
                    of = except;
                }
            }
            match of.tree.alternatives.get(*alternative) {
                Some(Alternative::Path { segments, span }) => {
                    let whole = Loc { span: *span, ..pattern.loc.clone() };
                    let d = unmatched(pattern.at(*at), segments, *depth > 0);
                    if explain { explained(context, d, whole, segments, inner) } else { d }
                }
                _ => Diagnostic::new(&UNMATCHED_PATTERN, pattern.at(*at), "the pattern matches no tensor"),
            }
        }
        Miss::Choice { at, text } => {
            Diagnostic::new(&UNMATCHED_PATTERN, pattern.at(*at), format!("`{text}` matches no tensor"))
                .label("no name has it at this place")
                .help("remove it from the braces")
        }
        Miss::Role { at, role: name } => role(context, pattern.at(*at), name),
        Miss::Condition { at, .. } if unknown_role_of(context, pattern).is_some() => {
            let name = unknown_role_of(context, pattern).unwrap_or_default();
            // The place is the whole pattern, which a fix for the role alone must not replace.
            Diagnostic { fixes: Vec::new(), ..role(context, pattern.at(*at), &name) }
        }
        Miss::Condition { at, before } => {
            Diagnostic::new(&UNMATCHED_PATTERN, pattern.at(*at), "the condition holds for no tensor")
                .label(format!("{} by name, none by `where`", matches_words(*before)))
                .help("write `?` behind the pattern if that is meant")
        }
        Miss::ExceptAll { at, before } => {
            Diagnostic::new(&UNMATCHED_PATTERN, pattern.at(*at), "`except` takes every tensor away")
                .label(match before {
                    1 => "covers the one tensor of the pattern".to_owned(),
                    n => format!("covers all {} of the pattern", count(*n as u64, "tensor")),
                })
                .help("remove the arm, or narrow the `except`")
        }
        Miss::ExceptNone { at } => {
            Diagnostic::new(&UNMATCHED_PATTERN, pattern.at(*at), "`except` takes no tensor away")
                .label("matches only tensors that the pattern does not")
                .help("remove the `except`, or write `?` behind it if that is meant")
        }
    }
}

fn matches_words(n: usize) -> String {
    format!("{} matched", count(n as u64, "tensor"))
}

fn unmatched(at: Loc, segments: &[Segment], except: bool) -> Diagnostic {
    let text: String = segments.iter().map(crate::syntax::segment_text).collect::<Vec<_>>().join(".");
    let what = if except { "`except` pattern" } else { "pattern" };
    Diagnostic::new(&UNMATCHED_PATTERN, at, format!("the {what} `{text}` matches no tensor"))
}

/// The same with what the names have there, and what was probably meant.
fn explained(
    context: &Context<'_>,
    d: Diagnostic,
    whole: Loc,
    segments: &[Segment],
    inner: bool,
) -> Diagnostic {
    let known = known_at(context, segments);
    let is_whole = d.primary.place == Place::Source(whole.clone());
    let d = match known.as_slice() {
        [] if is_whole => d.label("names go on below this"),
        [] => d,
        known => d.label(format!("here the names have {}", list(known))),
    };
    if let Some(text) = meant_as_optional(segments) {
        return d
            .because("behind a name, `?` stands for one character")
            .help("write a space before the `?` if matching nothing is fine")
            .fix(Certainty::Unsafe, format!("write `{text}`"), whole, text);
    }
    match nearest(segments, context.index, inner) {
        Some(s) => {
            let d = match s.why {
                Some(why) => d.because(why),
                None => d,
            };
            d.help(format!("did you mean `{}`? it matches {}", s.text, count(s.tensors as u64, "tensor")))
                .fix(Certainty::Unsafe, format!("replace with `{}`", s.text), whole, s.text)
        }
        None if context.schema.tensors.is_empty() => d.help("the checkpoint holds no tensor"),
        None if class_name(segments) => {
            d.help("patterns are tensor names, not classes: use a role, such as `@linear`")
        }
        None => d,
    }
}

/// The alternative with its last `?` as the mark of a pattern that may match nothing.
fn meant_as_optional(segments: &[Segment]) -> Option<String> {
    let (last, before) = segments.split_last()?;
    let SegmentKind::Glob(parts) = &last.kind else { return None };
    let [kept @ .., GlobPart::Literal(_), GlobPart::One] = parts.as_slice() else { return None };
    let kept = parts.get(..kept.len() + 1)?.to_vec();
    let last = Segment { kind: SegmentKind::Glob(kept), span: last.span };
    let names: Vec<String> = before.iter().chain([&last]).map(crate::syntax::segment_text).collect();
    Some(format!("{} ?", names.join(".")))
}

/// A role in the condition that no tensor has.
fn unknown_role_of(context: &Context<'_>, pattern: &Pattern) -> Option<String> {
    let has = |role: &str| {
        let facts = context.model.into_iter().flat_map(|m| m.tensors.iter().flatten());
        facts.flat_map(|f| f.roles.iter()).any(|r| r == role)
    };
    pattern.condition.as_ref()?.roles().into_iter().find(|r| !has(r)).map(str::to_owned)
}

/// Segments that do occur where the pattern fails, in the order of the file, with integers collapsed.
fn known_at(context: &Context<'_>, segments: &[Segment]) -> Vec<String> {
    let walk = walk(segments, context.index);
    let mut children: Vec<Prefix> = walk.stuck.iter().flat_map(|p| context.index.children(*p)).collect();
    children.sort_by_cached_key(|child| context.index.first_below(*child));
    let (mut known, mut seen) = (Vec::new(), BTreeSet::new());
    for child in children {
        let segment = context.index.segment(child);
        let shown = if segment.parse::<u64>().is_ok() { "0".to_owned() } else { segment.to_owned() };
        if seen.insert(shown.clone()) {
            known.push(shown);
        }
    }
    known
}

fn class_name(segments: &[Segment]) -> bool {
    let first = segments.first().and_then(|s| crate::matching::glob::literal(&s.kind));
    segments.len() == 1 && first.is_some_and(|t| t.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn role(context: &Context<'_>, at: Loc, role: &str) -> Diagnostic {
    let Some(model) = context.model else {
        return Diagnostic::new(&UNKNOWN_ROLE, at, format!("`@{role}` needs an architecture"))
            .label("no architecture fits this checkpoint")
            .help("name one with `for`, or write the tensors' names");
    };
    let mut known: Vec<&str> =
        model.tensors.iter().flatten().flat_map(|f| f.roles.iter().map(String::as_str)).collect();
    known.sort_unstable();
    known.dedup();
    let d = Diagnostic::new(&UNKNOWN_ROLE, at.clone(), format!("no tensor has the role `@{role}`"))
        .label(format!("not in `{}`", model.name));
    match closest(role, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `@{near}`?")).fix(
            Certainty::Unsafe,
            format!("replace with `@{near}`"),
            at,
            format!("@{near}"),
        ),
        None => d.help(format!(
            "`{}` has {}",
            model.name,
            known.iter().map(|r| format!("@{r}")).collect::<Vec<_>>().join(", ")
        )),
    }
}
