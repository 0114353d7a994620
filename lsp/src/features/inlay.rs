//! `textDocument/inlayHint`: behind a pattern what its arm gets and what becomes of it, behind a pruning what it removes,
//! behind a parameter the values that other recipes give it. `inlayHint/resolve` adds the table of the tensors.

use icpc::base::{Shape, Span, count, human_bytes, human_change, list, plural, with_thousands};
use icpc::hir::module::item_start;
use icpc::hir::{Mask, PruneHow};
use icpc::plan::collapse::collapse;
use icpc::prune::{self, Removed};
use icpc::syntax::tree::{Arm, Item, Recipe, RecipeItem};
use serde::{Deserialize, Serialize};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::*;

use super::Feature;
use crate::client::ClientInfo;
use crate::convert::{self, Positions};
use crate::markup::{self, Text};
use crate::state::World;
use crate::views::{Seen, Views};

/// Most lines of a tooltip's table.
const ROWS: usize = 8;

/// So many arms before and behind the asked ones count for a column of hints. Editors ask for what is in sight.
const IN_SIGHT: usize = 100;

/// A hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Behind which byte.
    pub at: u32,
    /// What is shown.
    pub label: String,
    /// More of it, without the table.
    pub more: Text,
    /// What it is about.
    pub of: Option<Of>,
}

/// What a hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The arm that starts at byte `1` of item `0` of the file.
    Arm(u32, u32),
    /// The pruning there.
    Prune(u32, u32),
}

/// The hints behind the bytes of `range`, ascending.
pub fn hints(world: &World, path: &str, range: Span) -> Vec<Hint> {
    let Some(tree) = world.session.tree(path) else { return Vec::new() };
    let Some(text) = world.session.text(path) else { return Vec::new() };
    let views = Views::new(world, path);
    let mut found = Vec::new();
    for (number, item) in (0u32..).zip(&tree.items) {
        let Item::Recipe(recipe) = item else { continue };
        if recipe.span.end < range.start || range.end < recipe.span.start {
            continue;
        }
        let start = item_start(item);
        for entry in &recipe.items {
            match entry {
                RecipeItem::Assign { arms, .. } => {
                    let hint = |arm: &Arm| {
                        let of = Of::Arm(number, arm.span.relative_to(start).start);
                        arm_hint(world, &views, arm.pattern.span.end, of)
                    };
                    found.extend(in_columns(text, arms, range, hint));
                }
                RecipeItem::Prune(prune) if range.touches(prune.pattern.span.end) => {
                    let of = Of::Prune(number, prune.span.relative_to(start).start);
                    found.extend(prune_hint(&views, prune.pattern.span.end, of));
                }
                _ => {}
            }
        }
        found.extend(param_hints(world, path, recipe).filter(|h| range.touches(h.at)));
    }
    found.sort_by_key(|hint| hint.at);
    found
}

/// Hints of the arms in `range`. Those of arms whose `=>` stand below each other are a column themselves, each as wide as
/// the widest: the `=>` stay where the formatter put them.
fn in_columns(text: &str, arms: &[Arm], range: Span, hint: impl Fn(&Arm) -> Option<Hint>) -> Vec<Hint> {
    let asked = |arm: &Arm| range.touches(arm.pattern.span.end);
    let Some(first) = arms.iter().position(asked) else { return Vec::new() };
    let end = arms.iter().rposition(asked).map_or(first, |last| last + 1);
    let seen = first.saturating_sub(IN_SIGHT)..arms.len().min(end + IN_SIGHT);
    let arms: Vec<(&Arm, Option<Arrow>)> =
        arms.get(seen).unwrap_or_default().iter().map(|arm| (arm, arrow(text, arm))).collect();
    let mut found = Vec::new();
    for run in arms.chunk_by(|(_, a), (_, b)| a.is_some_and(|a| b.is_some_and(|b| a.column == b.column))) {
        if run.iter().all(|(arm, _)| !asked(arm)) {
            continue;
        }
        let hints: Vec<(&Arm, Option<Arrow>, Hint)> =
            run.iter().filter_map(|(arm, arrow)| Some((*arm, *arrow, hint(arm)?))).collect();
        let width = hints.iter().map(|(.., hint)| hint.label.chars().count()).max().unwrap_or(0);
        for (_, arrow, mut hint) in hints.into_iter().filter(|(arm, ..)| asked(arm)) {
            if let Some(arrow) = arrow.filter(|_| run.len() > 1) {
                hint.at = arrow.gap;
                let blanks = width.saturating_sub(hint.label.chars().count());
                hint.label.push_str(&" ".repeat(blanks));
            }
            found.push(hint);
        }
    }
    found
}

/// The `=>` of an arm that stands on one line with its pattern.
#[derive(Clone, Copy)]
struct Arrow {
    /// Its column, in characters.
    column: usize,
    /// The byte before the blank in front of it.
    gap: u32,
}

fn arrow(text: &str, arm: &Arm) -> Option<Arrow> {
    let (start, end) = (arm.span.start as usize, arm.pattern.span.end as usize);
    let rest = text.get(end..)?;
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    rest.get(blanks..)?.starts_with("=>").then_some(())?;
    let line = text.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let before = text.get(line..end + blanks)?;
    let gap = u32::try_from(end + blanks.saturating_sub(1)).ok()?;
    (!before.contains('\n')).then(|| Arrow { column: before.chars().count(), gap })
}

/// Recipes of one file can build on one that names no checkpoint: the hint is of the first, its name behind it.
fn named(label: String, all: &[Seen<'_>], seen: Seen<'_>) -> String {
    match (seen.own, all.len()) {
        (true, _) => label,
        (_, 1) => format!("{label} in {}", seen.view.name),
        (_, n) => format!("{label} in {} and {} more", seen.view.name, n - 1),
    }
}

fn arm_hint(world: &World, views: &Views, at: u32, of: Of) -> Option<Hint> {
    let Of::Arm(item, start) = of else { return None };
    let all = views.arm(item, start);
    let seen = *all.first()?;
    let arm = seen.view.recipe.arms.get(seen.number)?;
    if arm.pattern.broken {
        return None;
    }
    let sum = *world.session.sums(&seen.view.path, &seen.view.name)?.arms.get(seen.number)?;
    let (label, more) = match (sum.tensors, sum.after) {
        (0, _) => ("→ no tensor".to_owned(), Text::default()),
        (n, None) => {
            let tensors = count(n, "tensor");
            let more = Text::new(format!("{tensors}, {} B", with_thousands(sum.before)));
            (format!("→ {tensors} · {}", human_bytes(sum.before)), more)
        }
        (n, Some(after)) => {
            let (tensors, change) = (count(n, "tensor"), human_change(sum.before, after));
            let bytes = match sum.before == after {
                true => with_thousands(after),
                false => format!("{} → {}", with_thousands(sum.before), with_thousands(after)),
            };
            let format = arm.format.map(|f| markup::name(&f.to_string())).unwrap_or_default();
            (format!("→ {tensors} · {change}"), Text::new(format!("{tensors}, {bytes} B as {format}")))
        }
    };
    Some(Hint { at, label: named(label, &all, seen), more: more.say(lost(seen)), of: Some(of) })
}

/// What an arm matches and does not get, and why.
fn lost(seen: Seen<'_>) -> String {
    let checked = &seen.view.checked;
    let (Some(arm), Some(matched), Some(claimed), Some(lost)) = (
        seen.view.recipe.arms.get(seen.number),
        checked.arms.get(seen.number),
        checked.ownership.claimed.get(seen.number),
        checked.ownership.lost.get(seen.number),
    ) else {
        return String::new();
    };
    match (matched.tensors.len(), lost.as_slice()) {
        (0, _) if arm.pattern.tree.optional.is_some() => {
            "the pattern matches nothing, as its `?` allows".to_owned()
        }
        (0, _) => "the pattern matches no tensor".to_owned(),
        (_, []) => String::new(),
        _ if matched.rest && claimed.is_empty() => "nothing is left for it".to_owned(),
        _ if matched.rest => String::new(),
        (matches, lost) => {
            let number: u64 = lost.iter().map(|(_, n)| u64::from(*n)).sum();
            let by = |(owner, n): &(u32, u32)| {
                let owner = seen.view.recipe.arms.get(*owner as usize)?;
                Some(format!("{} by {}", with_thousands(u64::from(*n)), markup::name(&owner.pattern.text)))
            };
            let by: Vec<String> = lost.iter().take(3).filter_map(by).collect();
            let others = match lost.len().saturating_sub(by.len()) {
                0 => String::new(),
                n => format!(", the rest by {n} other {}", plural(n as u64, "arm")),
            };
            let matches = count(matches as u64, "tensor");
            let those = match (claimed.is_empty(), number) {
                (true, 1) => "the only tensor that it matches is".to_owned(),
                (true, _) => format!("all {matches} that it matches are"),
                (false, 1) => format!("1 of the {matches} that it matches is"),
                (false, n) => format!("{} of the {matches} that it matches are", with_thousands(n)),
            };
            format!("{those} claimed above: {}{others}", by.join(", "))
        }
    }
}

fn prune_hint(views: &Views, at: u32, of: Of) -> Option<Hint> {
    let Of::Prune(item, start) = of else { return None };
    let all = views.prune(item, start);
    let seen = *all.first()?;
    let removed = removed(seen)?;
    let tensors = count(removed.tensors.len() as u64, "tensor");
    let (label, more) = match (&removed.dim, seen.view.recipe.prunes.get(seen.number)?.how?) {
        (Some((dim, of, keep, places)), _) => {
            let places = match places {
                1 => String::new(),
                n => format!(" · {}", count(*n, "place")),
            };
            let removed_bytes = human_bytes(removed.bytes);
            (
                format!("→ {dim} {of} → {keep}{places} · −{removed_bytes}"),
                format!(
                    "removes {} of {of} `{dim}`: {tensors}, {} B of the checkpoint",
                    of - keep,
                    with_thousands(removed.bytes)
                ),
            )
        }
        (None, PruneHow::Mask(Mask::NOfM { keep, of })) => {
            (format!("→ {tensors} · {keep} of {of} stay"), format!("zeroes values of {tensors}"))
        }
        (None, PruneHow::Mask(Mask::Magnitude { millionths })) => {
            let percent = f64::from(millionths) / 1e4;
            (format!("→ {tensors} · {percent}% zero"), format!("zeroes values of {tensors}"))
        }
        (None, PruneHow::Keep(..)) => return None,
    };
    Some(Hint { at, label: named(label, &all, seen), more: Text::new(more), of: Some(of) })
}

fn removed(seen: Seen<'_>) -> Option<Removed> {
    prune::removed(&seen.view.checked.pruned, &seen.view.schema, seen.number)
}

/// Values that recipes of the same file give the parameters of `base`.
fn param_hints<'a>(world: &'a World, path: &'a str, base: &'a Recipe) -> impl Iterator<Item = Hint> + 'a {
    let tree = world.session.tree(path);
    let text = world.session.text(path);
    base.params.iter().filter_map(move |param| {
        let mut given: Vec<(&str, &str)> = Vec::new();
        for item in &tree.as_ref()?.items {
            let Item::Recipe(other) = item else { continue };
            let Some(extends) = other.extends.as_ref() else { continue };
            if extends.base.segments.last().is_none_or(|s| s.text != base.name.text) {
                continue;
            }
            let arg =
                extends.args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == param.name.text));
            if let Some(value) = arg.and_then(|arg| text?.get(arg.value.span.range())) {
                given.push((value, other.name.text.as_str()));
            }
        }
        let (value, by) = *given.first()?;
        let others: Vec<&str> = given.iter().map(|(_, by)| *by).collect();
        let more = if given.len() > 1 { format!(" and {} more", given.len() - 1) } else { String::new() };
        Some(Hint {
            at: param.span.end,
            label: format!("{} in {by}{more}", value.split_whitespace().collect::<Vec<_>>().join(" ")),
            more: Text::new(format!("given by {}", list(&others))),
            of: None,
        })
    })
}

/// All that a tooltip says.
fn whole_tooltip(world: &World, path: &str, of: Of) -> Option<Text> {
    let views = Views::new(world, path);
    let hint = match of {
        Of::Arm(..) => arm_hint(world, &views, 0, of),
        Of::Prune(..) => prune_hint(&views, 0, of),
    };
    Some(hint?.more.code(table(&views, of).unwrap_or_default()))
}

/// The tensors that a hint is about, those that differ in numbers only on one line.
fn table(views: &Views, of: Of) -> Option<String> {
    let (seen, tensors): (Seen<'_>, Vec<usize>) = match of {
        Of::Arm(item, start) => {
            let seen = *views.arm(item, start).first()?;
            let claimed = seen.view.checked.ownership.claimed.get(seen.number)?;
            (seen, claimed.iter().map(|t| *t as usize).collect())
        }
        Of::Prune(item, start) => {
            let seen = *views.prune(item, start).first()?;
            (seen, removed(seen)?.tensors)
        }
    };
    let schema = &seen.view.schema;
    let names = tensors.iter().filter_map(|number| {
        let tensor = schema.tensors.get(*number)?;
        Some((tensor.name.as_str(), (&tensor.shape.0[..], tensor.dtype)))
    });
    let (rows, left) = collapse(names, ROWS);
    let line = |row: &icpc::plan::collapse::Row<(&[u64], icpc::base::DType)>| {
        let times = if row.count > 1 { format!("×{}", with_thousands(row.count)) } else { String::new() };
        let (shape, dtype) = row.facts;
        vec![row.pattern.clone(), Shape(shape.into()).to_string(), dtype.to_string(), times]
    };
    let mut text = markup::table(&rows.iter().map(line).collect::<Vec<_>>(), &[]);
    if left > 0 {
        text.push_str(&format!("and {} more\n", with_thousands(left)));
    }
    Some(text)
}

/// What comes back with `inlayHint/resolve`.
#[derive(Serialize, Deserialize)]
struct Unresolved {
    uri: Uri,
    version: Option<i32>,
    of: Of,
}

/// `textDocument/inlayHint`.
pub struct InlayHints;

impl Feature for InlayHints {
    type Params = InlayHintParams;
    type Answer = Option<Vec<InlayHint>>;
    const NEEDS_FILES: bool = true;

    fn document(params: &InlayHintParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        let options = InlayHintOptions { resolve_provider: Some(true), ..InlayHintOptions::default() };
        capabilities.inlay_hint_provider = Some(OneOf::Right(InlayHintServerCapabilities::Options(options)));
    }

    fn answer(world: &World, params: &InlayHintParams) -> Result<Self::Answer> {
        let uri = &params.text_document.uri;
        let path = convert::path_of(uri);
        let Some(source) = world.source(&path) else { return Ok(None) };
        let mut positions = Positions::new(&source);
        let hint = |hint: Hint| {
            let lazy = hint.of.filter(|_| world.client.lazy_tooltips).map(|of| Unresolved {
                uri: uri.clone(),
                version: world.version(&path),
                of,
            });
            InlayHint {
                position: positions.at(hint.at),
                label: InlayHintLabel::String(hint.label),
                kind: None,
                text_edits: None,
                tooltip: if lazy.is_some() { None } else { tooltip(world, &hint.more) },
                padding_left: Some(true),
                padding_right: None,
                data: lazy.and_then(|data| serde_json::to_value(data).ok()),
            }
        };
        Ok(Some(hints(world, &path, source.bytes(params.range)).into_iter().map(hint).collect()))
    }
}

fn tooltip(world: &World, text: &Text) -> Option<InlayHintTooltip> {
    (!text.is_empty()).then(|| InlayHintTooltip::MarkupContent(text.content(world.client.markdown)))
}

/// `inlayHint/resolve`.
pub struct ResolveHint;

impl Feature for ResolveHint {
    type Params = InlayHint;
    type Answer = InlayHint;
    const NEEDS_FILES: bool = true;

    fn document(_: &InlayHint) -> Option<&Uri> {
        None
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &InlayHint) -> Result<InlayHint> {
        let mut hint = params.clone();
        let Some(data) = hint.data.take().and_then(|data| serde_json::from_value::<Unresolved>(data).ok())
        else {
            return Ok(hint);
        };
        let path = convert::path_of(&data.uri);
        // The arm is where it was only in the text that the hint is of.
        if world.version(&path) == data.version {
            hint.tooltip = whole_tooltip(world, &path, data.of).and_then(|text| tooltip(world, &text));
        }
        Ok(hint)
    }
}
