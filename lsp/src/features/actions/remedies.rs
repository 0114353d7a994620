//! Fixes that take the text around an arm or an item into account, which the compiler's own edits do not.

use icpc::base::Span;
use icpc::check::misplaced_rest::MISPLACED_REST;
use icpc::check::shadowed_arm::SHADOWED_ARM;
use icpc::check::storage::NOT_A_FLOAT;
use icpc::diag::{Diagnostic, Loc, Place};
use icpc::hir::module::item_start;
use icpc::hir::problems::REPEATED_ITEM;
use icpc::plan::patterns::patterns_of;
use icpc::prune::problems::NOTHING_REMOVED;
use icpc::syntax::tree::{Arm, File, Item, Recipe, RecipeItem};

use super::arms;
use crate::edits::Edits;
use crate::state::World;
use crate::views::{Seen, Views};

/// What to do about a diagnostic of the file at `path`: titles and edits of that file.
pub(super) fn remedies(world: &World, path: &str, of: &Diagnostic) -> Vec<(String, Edits)> {
    let Place::Source(at) = &of.primary.place else { return Vec::new() };
    let (Some(tree), Some(text)) = (world.session.tree(path), world.session.text(path)) else {
        return Vec::new();
    };
    if at.file.as_ref() != path || at.item.is_some() {
        return Vec::new();
    }
    let titled = |title: &str, edits: Option<Edits>| edits.map(|edits| (title.to_owned(), edits));
    let mut found = Vec::new();
    if of.kind == &REPEATED_ITEM || of.kind == &NOTHING_REMOVED {
        let title = if of.kind == &REPEATED_ITEM { "remove this one" } else { "remove the pruning" };
        found.extend(titled(title, item_at(&tree, at).map(|span| vec![without(text, span)])));
    }
    let Some(place) = ArmPlace::new(&tree, text, at) else { return found };
    if of.kind == &MISPLACED_REST {
        found.extend(titled("move the `_` arm to the end", place.to_the_end()));
    }
    if of.kind == &SHADOWED_ARM || of.kind == &NOT_A_FLOAT {
        let views = Views::new(world, path);
        let seen = views.arm(place.number, place.arm.span.relative_to(place.start).start);
        let own = seen.into_iter().find(|seen| seen.own);
        if of.kind == &SHADOWED_ARM {
            found.extend(own.and_then(|seen| place.above_its_winners(path, seen)));
            found.extend(titled("remove the arm", place.removed()));
        } else {
            found.extend(own.and_then(|seen| place.integers_kept(seen)));
        }
    }
    found
}

/// An arm in the text.
struct ArmPlace<'a> {
    text: &'a str,
    recipe: &'a Recipe,
    arm: &'a Arm,
    /// Number of the recipe in its file.
    number: u32,
    /// Byte at which it starts.
    start: u32,
}

impl<'a> ArmPlace<'a> {
    fn new(tree: &'a File, text: &'a str, at: &Loc) -> Option<ArmPlace<'a>> {
        let inside = |arm: &&Arm| arm.span.start <= at.span.start && at.span.end <= arm.span.end;
        (0u32..).zip(&tree.items).find_map(|(number, item)| {
            let Item::Recipe(recipe) = item else { return None };
            let arm = arms::blocks(recipe).flat_map(|(_, arms)| arms).find(inside)?;
            Some(ArmPlace { text, recipe, arm, number, start: item_start(item) })
        })
    }

    fn written(&self) -> Option<&'a str> {
        self.text.get(self.arm.span.range())
    }

    fn to_the_end(&self) -> Option<Edits> {
        let (taken, comment) = arms::take(self.text, self.arm)?;
        let mut edits = arms::append(self.text, self.recipe, &[self.written()?.to_owned()], &comment)?;
        edits.push(taken);
        Some(edits)
    }

    fn removed(&self) -> Option<Edits> {
        let (taken, _) = arms::take(self.text, self.arm)?;
        Some(vec![taken])
    }

    /// Moves it above the arms that claim what it matches, if they then still get something.
    fn above_its_winners(&self, path: &str, seen: Seen<'_>) -> Option<(String, Edits)> {
        let ownership = &seen.view.checked.ownership;
        let lost = ownership.lost.get(seen.number)?;
        let keeps_some = |(owner, n): &(u32, u32)| {
            ownership.claimed.get(*owner as usize).is_some_and(|claimed| claimed.len() > *n as usize)
        };
        let first = lost.iter().map(|(owner, _)| *owner).min().filter(|_| lost.iter().all(keeps_some))?;
        let winner = seen.view.recipe.arms.get(first as usize)?;
        if winner.loc.file.as_ref() != path || winner.loc.item != Some(self.number) {
            return None;
        }
        let mut own = arms::blocks(self.recipe).flat_map(|(_, arms)| arms);
        let below = own.find(|arm| arm.span.relative_to(self.start) == winner.loc.span)?;
        let (taken, comment) = arms::take(self.text, self.arm)?;
        let added = arms::above(self.text, below, &[self.written()?.to_owned()], &comment)?;
        Some((format!("move it above `{}`", winner.pattern.text), vec![added, taken]))
    }

    /// An arm above it that keeps those of its tensors that are no floats.
    fn integers_kept(&self, seen: Seen<'_>) -> Option<(String, Edits)> {
        let claimed = seen.view.checked.ownership.claimed.get(seen.number)?;
        let tensors = claimed.iter().filter_map(|tensor| seen.view.schema.tensors.get(*tensor as usize));
        let names: Vec<&str> =
            tensors.filter(|t| !t.dtype.is_float()).map(|tensor| tensor.name.as_str()).collect();
        let patterns = patterns_of(names.iter().copied());
        let title = match patterns.as_slice() {
            [] => return None,
            [one] => format!("keep `{one}` by an arm above"),
            several => format!("keep what is no float by {} arms above", several.len()),
        };
        let new: Vec<String> = patterns.iter().map(|pattern| format!("{pattern} => keep")).collect();
        Some((title, vec![arms::above(self.text, self.arm, &new, "")?]))
    }
}

/// The item of a recipe in which a place is.
fn item_at(tree: &File, at: &Loc) -> Option<Span> {
    let recipes = tree.items.iter().filter_map(|item| match item {
        Item::Recipe(recipe) => Some(&recipe.items),
        _ => None,
    });
    let span = |item: &RecipeItem| match item {
        RecipeItem::Prune(prune) => prune.span,
        RecipeItem::Checkpoint { span, .. }
        | RecipeItem::Target { span, .. }
        | RecipeItem::Casts { span, .. }
        | RecipeItem::Set { span, .. }
        | RecipeItem::Assign { span, .. }
        | RecipeItem::Settings { span, .. }
        | RecipeItem::Require { span, .. }
        | RecipeItem::Emit { span, .. } => *span,
    };
    recipes.flatten().map(span).find(|span| span.start <= at.span.start && at.span.end <= span.end)
}

/// The edit that takes an item out, with its `;` and, if nothing else is on them, its lines.
fn without(text: &str, item: Span) -> (Span, String) {
    let (start, end) = (item.start as usize, item.end as usize);
    let next = arms::skip(text, end);
    let end = if text.get(next..).is_some_and(|t| t.starts_with(';')) { next + 1 } else { end };
    let span = match (arms::line_start(text, start), arms::rest_of_line(text, end)) {
        (Some(line), Some(line_end)) => {
            Span::new(line, (line_end + arms::newline(text).len()).min(text.len()))
        }
        _ => {
            let rest = text.get(end..).unwrap_or("");
            Span::new(start, end + rest.len() - rest.trim_start_matches(' ').len())
        }
    };
    (span, String::new())
}
