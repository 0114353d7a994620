//! The tensors of a pattern: how many, whose, what they cost.

use std::sync::Arc;

use icpc::base::{DType, Shape, Span, count, human_bytes, plural, with_thousands};
use icpc::checkpoint::{Schema, TensorInfo};
use icpc::db::{self, Checked};
use icpc::hir::{OutputContainer, Pattern, Prune, Recipe};
use icpc::matching::resolve::{Matched, nodes, resolve};
use icpc::plan::collapse::{Row, collapse};
use icpc::plan::cost::{ArmCost, arm_cost, cost_of_shapes};
use icpc::syntax::part::{Part, Token, Within};
use icpc::syntax::tree::{self, GlobPart, SegmentKind};

use crate::features::target::{Seen, Target};
use crate::markup::{Text, name, table};

/// Most rows of a table of tensors.
const ROWS: usize = 12;
/// Most arms that are named as owners.
const OWNERS: usize = 4;

/// A pattern of an arm or of a pruning.
pub(super) fn show(target: &Target<'_>, part: &Part<'_>) -> Option<Text> {
    let seen = target.seen(part.item)?;
    let wildcard = Text::default().say(match part.token {
        Token::Segment(_, segment) => wildcard(segment).unwrap_or(""),
        _ => "",
    });
    let about = match part.within {
        Within::Arm(arm) => {
            let number = seen.arm(&target.path, &target.tree, part.item, arm.span)?;
            let pattern = &seen.recipe.arms.get(number)?.pattern;
            match excepted(&arm.pattern, pattern, part.span) {
                Some(except) => some_tensors(target, &seen, except, "taken out"),
                None => of_arm(target, &seen, number)
                    .map(|text| text.then(alone(target, &seen, pattern, part, arm))),
            }
        }
        Within::Prune(prune) => {
            let number = seen.prune(&target.path, &target.tree, part.item, prune.span)?;
            of_prune(target, &seen, number)
        }
        _ => None,
    };
    Some(wildcard.then(about?))
}

/// What one of several alternatives matches.
fn alone(target: &Target<'_>, seen: &Seen, pattern: &Pattern, part: &Part<'_>, arm: &tree::Arm) -> Text {
    let tokens = arm.pattern.alternatives.iter().zip(&pattern.tree.alternatives);
    let holds = |a: &tree::Alternative| {
        let (tree::Alternative::Path { span, .. }
        | tree::Alternative::Role { span, .. }
        | tree::Alternative::Rest { span }) = a;
        span.start <= part.span.start && part.span.end <= span.end
    };
    let Some((_, one)) = tokens.clone().find(|(written, _)| holds(written)).filter(|_| tokens.count() > 1)
    else {
        return Text::default();
    };
    let mut tree = tree::Pattern::clone(&pattern.tree);
    tree.alternatives = vec![one.clone()];
    let one = Pattern { tree: Arc::new(tree), ..pattern.clone() };
    let Some((found, _)) = matched(target, seen, &one) else { return Text::default() };
    let written = target.slice(part.span);
    let shown =
        if matches!(part.token, Token::Role(_)) { name(written) } else { "This alternative".to_owned() };
    Text::new(format!("{shown} matches {} by itself.", count(found.len() as u64, "tensor")))
}

/// What a segment that is no plain name accepts.
fn wildcard(segment: &tree::Segment) -> Option<&'static str> {
    match &segment.kind {
        SegmentKind::AnyDepth => Some("`**`: any number of segments, also none."),
        SegmentKind::Glob(parts) => match parts.as_slice() {
            [GlobPart::Star] => Some("`*`: exactly one segment."),
            [GlobPart::Range { .. }] => Some("One segment that is an integer in the range."),
            [GlobPart::Literal(_)] => None,
            _ => Some("One segment; `*` is any text in it, `?` one character, `{a,b}` either."),
        },
        SegmentKind::Quoted(_) => Some("Exactly this segment."),
    }
}

/// The `except` in which a span lies, if it is in one.
fn excepted<'p>(tree: &tree::Pattern, pattern: &'p Pattern, span: Span) -> Option<&'p Pattern> {
    let (tree, pattern) = (tree.except.as_ref()?, pattern.except.as_ref()?);
    let inside = tree.span.start <= span.start && span.end <= tree.span.end;
    excepted(tree, pattern, span).or_else(|| inside.then_some(pattern))
}

/// An arm: what it matches, what it owns, who has the rest, bytes.
fn of_arm(target: &Target<'_>, seen: &Seen, number: usize) -> Option<Text> {
    let arm = seen.recipe.arms.get(number)?;
    let shown = name(&arm.pattern.text);
    if arm.pattern.broken {
        return Some(Text::new(format!("{shown} has an error, so it claims no tensor.")));
    }
    let (Some(checked), Some(schema)) = (seen.checked.as_deref(), seen.schema.as_deref()) else {
        return Some(Text::new(format!("{shown}: {}", unknown(target, seen))));
    };
    let matched = checked.arms.get(number)?;
    let claimed = checked.ownership.claimed.get(number)?;
    let all = matched.tensors.len() as u64;
    if all == 0 {
        return Some(Text::new(format!("{shown} matches no tensor of {}.", name(&schema.source))));
    }
    let owned = claimed.len() as u64;
    let owns = match owned {
        0 => "owns none of them".to_owned(),
        n if n == all && n == 1 => "owns it".to_owned(),
        n if n == all => "owns all of them".to_owned(),
        n => format!("owns {}", with_thousands(n)),
    };
    let through = if seen.path == target.path { String::new() } else { format!(" in {}", name(&seen.name)) };
    let headline = format!(
        "{shown} matches {} of {}; arm {}{through} {owns}.",
        count(all, "tensor"),
        name(&schema.source),
        number + 1
    );
    let listed = if claimed.is_empty() { &matched.tensors } else { claimed };
    Some(
        Text::new(headline)
            .say(others(seen, checked, number, matched))
            .say(bytes(target, seen, number).map_or(String::new(), |b| format!("{b}.")))
            .code(tensors(schema, Some(checked), listed)),
    )
}

/// Who has what an arm matches and does not own.
fn others(seen: &Seen, checked: &Checked, number: usize, matched: &Matched) -> String {
    let lost = checked.ownership.lost.get(number).map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<String> = Vec::new();
    for (owner, n) in lost.iter().take(OWNERS) {
        let pattern = seen.recipe.arms.get(*owner as usize).map_or("", |a| &*a.pattern.text);
        let belong = if *n == 1 { "belongs" } else { "belong" };
        parts.push(format!(
            "{} {belong} to arm {} {}",
            with_thousands(u64::from(*n)),
            owner + 1,
            name(pattern)
        ));
    }
    let further: u64 = lost.iter().skip(OWNERS).map(|(_, n)| u64::from(*n)).sum();
    if further > 0 {
        parts.push(format!("{} to other arms above", with_thousands(further)));
    }
    let owned = checked.ownership.claimed.get(number).map_or(0, Vec::len) as u64;
    let elsewhere: u64 = lost.iter().map(|(_, n)| u64::from(*n)).sum();
    let again = (matched.tensors.len() as u64).saturating_sub(owned + elsewhere);
    match again {
        0 => {}
        1 => parts.push("1 is another name of a tensor it owns".to_owned()),
        n => parts.push(format!("{} are other names of tensors it owns", with_thousands(n))),
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!("{}.", parts.join("; ")),
    }
}

/// `1.20 MB → 320 kB (3.76x) as ...`; `None` when the arm owns nothing.
fn bytes(target: &Target<'_>, seen: &Seen, number: usize) -> Option<String> {
    let (before, cost) = cost(target, seen, number)?;
    let format = seen.recipe.arms.get(number)?.format.as_ref();
    let format = format.map_or(String::new(), |f| format!(" as {}", name(&f.to_string())));
    Some(match cost {
        Some(cost) => format!(
            "{} → {}{}{format}",
            human_bytes(before),
            human_bytes(cost.bytes),
            ratio(before, cost.bytes)
        ),
        None => format!("{} before", human_bytes(before)),
    })
}

/// ` (2.45x)`.
pub(super) fn ratio(before: u64, after: u64) -> String {
    if after == 0 { String::new() } else { format!(" ({:.2}x)", before as f64 / after as f64) }
}

/// Bytes of an arm's tensors in the source, and exactly in the output where that is known; `None` when it owns none.
pub(super) fn cost(target: &Target<'_>, seen: &Seen, number: usize) -> Option<(u64, Option<ArmCost>)> {
    let (checked, schema) = (seen.checked.as_deref()?, seen.schema.as_deref()?);
    let claimed = checked.ownership.claimed.get(number).filter(|c| !c.is_empty())?;
    let before = infos(schema, claimed).fold(0u64, |sum, (_, t)| sum.saturating_add(t.bytes));
    Some((before, after(target, seen, number, claimed)))
}

fn after(target: &Target<'_>, seen: &Seen, number: usize, claimed: &[u32]) -> Option<ArmCost> {
    let (checked, schema) = (seen.checked.as_deref()?, seen.schema.as_deref()?);
    let recipe: &Recipe = &seen.recipe;
    let container = recipe.emit.as_ref().map_or(Some(OutputContainer::Safetensors), |e| e.container)?;
    if container != OutputContainer::Safetensors {
        // What another container adds to each tensor only the plan knows.
        let analysis = target.world.session.analysis(&seen.path, &seen.name)?;
        return arm_cost(analysis.plan.as_ref()?, u32::try_from(number + 1).ok()?);
    }
    if recipe.prunes.iter().any(|p| p.how.is_none()) {
        return None;
    }
    // All members of a family have one shape, so that those which stay count whichever they are.
    let stays = |tensor: &usize| {
        let member = checked.pruned.members.get(tensor);
        member.is_none_or(|m| checked.pruned.selections.get(m.selection).is_some_and(|s| m.index < s.keep))
    };
    let tensors = infos(schema, claimed).filter(|(tensor, _)| stays(tensor));
    let format = recipe.arms.get(number)?.format.as_ref()?;
    cost_of_shapes(format, tensors.map(|(tensor, info)| (shape(checked, tensor, info), info.dtype)))
}

/// Bytes of all stored tensors: of the source, and of the output where every arm's are known.
pub(super) fn stored(target: &Target<'_>, seen: &Seen) -> Option<(u64, u64)> {
    let (checked, schema) = (seen.checked.as_deref()?, seen.schema.as_deref()?);
    if !checked.plannable {
        return None;
    }
    let claimed = checked.ownership.claimed.iter().enumerate();
    let costs = claimed.map(|(number, claimed)| Some(after(target, seen, number, claimed)?.bytes));
    Some((schema.tensor_bytes(), costs.sum::<Option<u64>>()?))
}

/// The tensors themselves, by number.
pub(super) fn infos<'s>(
    schema: &'s Schema,
    tensors: &'s [u32],
) -> impl Iterator<Item = (usize, &'s TensorInfo)> + Clone {
    tensors.iter().filter_map(|t| Some((*t as usize, schema.tensors.get(*t as usize)?)))
}

/// Shape behind the prunings.
pub(super) fn shape<'a>(checked: &'a Checked, tensor: usize, info: &'a TensorInfo) -> &'a [u64] {
    checked.pruned.shape(tensor).unwrap_or(&info.shape.0)
}

/// What tensors on one row share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Facts<'s> {
    stored_as: Option<&'s str>,
    dtype: DType,
    before: &'s [u64],
    after: &'s [u64],
}

impl std::fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dtype = self.stored_as.unwrap_or(self.dtype.name());
        write!(f, "{dtype} {}", Shape(self.before.into()))?;
        match self.before == self.after {
            true => Ok(()),
            false => write!(f, " → {}", Shape(self.after.into())),
        }
    }
}

/// A table of tensors, those that differ in numbers only on one row.
pub(super) fn tensors(schema: &Schema, checked: Option<&Checked>, tensors: &[u32]) -> String {
    let names = infos(schema, tensors).map(|(tensor, info)| {
        let before = &info.shape.0[..];
        let after = checked.map_or(before, |a| shape(a, tensor, info));
        let facts = Facts { stored_as: info.stored_as.as_deref(), dtype: info.dtype, before, after };
        (info.name.as_str(), facts)
    });
    let (rows, left) = collapse(names, ROWS);
    let row = |row: Row<Facts<'_>>| {
        let times = if row.count > 1 { format!("×{}", with_thousands(row.count)) } else { String::new() };
        vec![row.pattern, row.facts.to_string(), times]
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(row).collect();
    let more = match left {
        0 => String::new(),
        n => format!("and {} more {}\n", with_thousands(n), plural(n, "tensor")),
    };
    format!("{}{more}", table(&rows, &[]))
}

/// Tensors that a pattern matches by itself.
fn some_tensors(target: &Target<'_>, seen: &Seen, pattern: &Pattern, what: &str) -> Option<Text> {
    let shown = name(&pattern.text);
    let Some((matched, schema)) = matched(target, seen, pattern) else {
        return Some(Text::new(format!("{shown}: {}", unknown(target, seen))));
    };
    let all = count(matched.len() as u64, "tensor");
    let text = Text::new(format!("{shown} matches {all} of {}, which are {what}.", name(&schema.source)));
    Some(text.code(tensors(schema, None, &matched)))
}

/// Tensors that a pattern matches by itself, ascending, with the checkpoint's header.
pub(in crate::features) fn matched<'s>(
    target: &Target<'_>,
    seen: &'s Seen,
    pattern: &Pattern,
) -> Option<(Vec<u32>, &'s Schema)> {
    let session = &target.world.session;
    let database = session.database();
    let checkpoint = *session.workspace().checkpoints(database).get(seen.checkpoint.as_ref()?)?;
    let (index, schema) = (db::index(database, checkpoint).as_ref()?, seen.schema.as_deref()?);
    let mut found = resolve(pattern, index, schema, seen.model()).tensors;
    // A pruning may name a family or a block.
    if found.is_empty() && pattern.condition.is_none() {
        found = nodes(&pattern.tree, index).into_iter().flat_map(|node| index.below(node)).collect();
        found.sort_unstable();
        found.dedup();
    }
    Some((found, schema))
}

/// A pruning: which indices go, where.
fn of_prune(target: &Target<'_>, seen: &Seen, number: usize) -> Option<Text> {
    let prune: &Prune = seen.recipe.prunes.get(number)?;
    let shown = name(&prune.pattern.text);
    let Some((matched, schema)) = matched(target, seen, &prune.pattern) else {
        return Some(Text::new(format!("{shown}: {}", unknown(target, seen))));
    };
    if matched.is_empty() {
        return Some(Text::new(format!("{shown} matches no tensor of {}.", name(&schema.source))));
    }
    let checked = seen.checked.as_deref();
    let all = count(matched.len() as u64, "tensor");
    let mut text = Text::new(format!("{shown} holds {all} of {}.", name(&schema.source)));
    let ours: Vec<(String, String)> = checked
        .into_iter()
        .flat_map(|a| &a.pruned.selections)
        .filter(|s| checked.and_then(|a| a.pruned.pruning_of(&s.dim)) == Some(number))
        .map(|s| {
            let place = if s.scope.is_empty() { "the model" } else { s.scope.as_str() };
            (place.to_owned(), format!("keeps {} of {} {}", s.keep, s.of, name(&s.dim)))
        })
        .collect();
    let (rows, left) = collapse(ours.iter().map(|(place, what)| (place.as_str(), what.as_str())), OWNERS);
    for row in rows {
        let times = if row.count > 1 { format!(" ×{}", row.count) } else { String::new() };
        text = text.say(format!("In {}{times} it {}.", name(&row.pattern), row.facts));
    }
    if left > 0 {
        text = text.say(format!("And in {} more places.", with_thousands(left)));
    }
    Some(text.code(tensors(schema, checked, &matched)))
}

/// Why nothing is known of a recipe's tensors.
pub(super) fn unknown(target: &Target<'_>, seen: &Seen) -> String {
    let Some(path) = &seen.checkpoint else {
        return "no recipe that uses it names a checkpoint, so its tensors are not known.".to_owned();
    };
    let reason = target.world.session.checkpoint(path).and_then(|state| state.current().err());
    match reason {
        Some(reason) => format!("its tensors are not known: {reason}."),
        None => format!("its tensors are not known: {} was not read yet.", name(path)),
    }
}
