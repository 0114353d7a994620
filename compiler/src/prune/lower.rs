//! From prunings to cuts, masks and choices; everything that cannot be meant is a diagnostic.

use std::collections::BTreeMap;

use super::dims::{Instance, instances};
use super::problems::*;
use super::{Cut, Member, Pruned, Selection, Slice, Voter};
use crate::arch::model::{ArchModel, Dim};
use crate::base::{count, list};
use crate::checkpoint::Schema;
use crate::diag::{Diagnostic, Loc};
use crate::hir::{Keep, Mask, Norm, Prune, PruneHow, Recipe};
use crate::matching::{Index, Matched, resolve};

/// What the prunings are lowered against.
pub struct Inputs<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Its checkpoint.
    pub schema: &'a Schema,
    /// Trie of names.
    pub index: &'a Index,
    /// Architecture, if one fits.
    pub model: Option<&'a ArchModel>,
    /// What each pruning's pattern matches.
    pub matched: &'a [&'a Matched],
}

/// Lowers all prunings of a recipe.
pub fn lower(inputs: &Inputs<'_>) -> (Pruned, Vec<Diagnostic>) {
    let mut lowering = Lowering { inputs, pruned: Pruned::default(), problems: Vec::new() };
    for (number, prune) in inputs.recipe.prunes.iter().enumerate() {
        let nodes = resolve::nodes(&prune.pattern.tree, inputs.index);
        let matched = inputs.matched.get(number);
        let misses = matched.is_none_or(|m| !m.misses.is_empty()) && nodes.is_empty();
        if prune.pattern.broken || misses {
            continue; // reported with the pattern
        }
        // `?` behind the pattern: matching nothing is fine.
        let empty = nodes.is_empty() && matched.is_none_or(|m| m.tensors.is_empty());
        if empty && prune.pattern.tree.optional.is_some() {
            continue;
        }
        match prune.how {
            Some(PruneHow::Mask(mask)) => {
                lowering.mask(number, prune, mask, matched.map_or(&[], |m| &m.tensors))
            }
            Some(PruneHow::Keep(keep, by)) => {
                let paths: Vec<&str> = nodes.iter().map(|n| inputs.index.path(*n, inputs.schema)).collect();
                lowering.keep(number, prune, keep, by, &paths);
            }
            None => {}
        }
    }
    lowering.shapes();
    (lowering.pruned, lowering.problems)
}

struct Lowering<'a> {
    inputs: &'a Inputs<'a>,
    pruned: Pruned,
    problems: Vec<Diagnostic>,
}

impl Lowering<'_> {
    fn mask(&mut self, pruning: usize, prune: &Prune, mask: Mask, tensors: &[u32]) {
        let at = prune.pattern.loc.clone();
        if let Some((_, at)) = &prune.dim {
            let help = "name the tensors without `dim`, or remove indices of the dim with `keep: 75%`";
            self.problems.push(nothing(at.clone(), "zeroing values takes no `dim`", help));
            return;
        }
        if tensors.is_empty() {
            let help = "a sparsity is for tensors: write `**` behind it, or `keep` to remove indices";
            self.problems.push(nothing(at, format!("`{}` names no tensor", prune.pattern.text), help));
            return;
        }
        let mut masked = Vec::with_capacity(tensors.len());
        for number in tensors {
            // A tied tensor is one tensor, whatever name found it.
            let number = self.inputs.schema.kept(*number as usize);
            let Some(tensor) = self.inputs.schema.tensors.get(number) else { continue };
            if !tensor.dtype.is_float() {
                let headline = format!("`{}` holds {}, which has no magnitude", tensor.name, tensor.dtype);
                self.problems.push(
                    nothing(at.clone(), headline, "narrow the pattern with `where` or `except`").tensor(
                        number,
                        None,
                        "this tensor",
                    ),
                );
                return;
            }
            if let Mask::NOfM { of, .. } = mask {
                let last = tensor.shape.rank().checked_sub(1);
                let length = last.and_then(|axis| tensor.shape.dim(axis)).unwrap_or(1);
                if !length.is_multiple_of(u64::from(of)) {
                    let value = prune.amount.as_ref().map_or(&prune.loc, |a| &a.loc).clone();
                    self.problems.push(
                        Diagnostic::new(
                            &RUNS_DO_NOT_DIVIDE,
                            value,
                            format!("runs of {of} do not divide an axis of {length}"),
                        )
                        .label(format!(
                            "{length} = {} × {of} + {}",
                            length / u64::from(of),
                            length % u64::from(of)
                        ))
                        .tensor(number, last, "the last axis"),
                    );
                    return;
                }
            }
            if self.pruned.masks.insert(number, mask).is_some_and(|before| before != mask) {
                let headline = format!("`{}` is pruned twice", tensor.name);
                self.problems.push(
                    Diagnostic::new(&PRUNED_TWICE, at.clone(), headline)
                        .tensor(number, None, "another pruning sets its values to zero, too")
                        .help("let each tensor have one `sparsity` or `n of m`"),
                );
                return;
            }
            masked.push(number);
        }
        masked.sort_unstable();
        masked.dedup();
        self.pruned.masked.insert(pruning, masked);
    }

    fn keep(&mut self, number: usize, prune: &Prune, keep: Keep, by: Norm, paths: &[&str]) {
        let at = prune.dim.as_ref().map_or_else(|| prune.pattern.loc.clone(), |(_, at)| at.clone());
        // A dim is cut in every tensor where it stands: there is nothing that a filter on tensors could choose.
        if prune.pattern.condition.is_some() || prune.pattern.except.is_some() {
            let headline = "`keep` takes no `where` and no `except`";
            let help = "name the places of the dim by a path, such as `layers.*`";
            self.problems.push(nothing(prune.pattern.loc.clone(), headline, help));
            return;
        }
        let Some(model) = self.inputs.model.filter(|m| m.fits()) else {
            let help = "name an architecture with `for`: it says which tensors share a dim";
            self.problems.push(nothing(at, "removing indices needs an architecture that fits", help));
            return;
        };
        let Some(dim) = self.dim(prune, model, paths, &at) else { return };
        if !self.prunable(dim, model, &at) {
            return;
        }
        let all = instances(&dim.name, &dim.scope, model, self.inputs.schema);
        let chosen: BTreeMap<&String, &Instance> =
            all.iter().filter(|(_, instance)| self.is_named(instance, paths)).collect();
        let Some(extent) = dim.value.filter(|_| !chosen.is_empty()) else {
            let help = format!("`{}` stands in {}", dim.name, list(&all.keys().collect::<Vec<_>>()));
            let headline = format!("the dim `{}` does not stand there", dim.name);
            self.problems.push(nothing(prune.pattern.loc.clone(), headline, help));
            return;
        };
        if chosen.len() < all.len() {
            let left: Vec<&String> = all.keys().filter(|k| !chosen.contains_key(k)).collect();
            self.problems.push(
                Diagnostic::new(
                    &SPLIT_DIM,
                    prune.pattern.loc.clone(),
                    format!("`{}` would have two extents in one model", dim.name),
                )
                .label(format!("covers {} of {}", chosen.len(), count(all.len() as u64, "place")))
                .because(format!("not covered: {}", list(&left)))
                .help("widen the pattern: a model has one number for it"),
            );
            return;
        }
        let kept = match keep {
            Keep::Count(n) => n,
            Keep::Share(share) => {
                let n = share.floor_times(i128::from(extent)).and_then(|n| u64::try_from(n).ok());
                n.unwrap_or(1).max(1)
            }
        };
        if kept >= extent {
            let value = prune.amount.as_ref().map_or(&prune.loc, |a| &a.loc).clone();
            let d =
                Diagnostic::new(&NOTHING_REMOVED, value, format!("keeps {kept} of {extent} `{}`", dim.name));
            self.problems
                .push(with_origin(d, dim).help(format!("keep less than {extent}, or remove the pruning")));
            return;
        }
        if self.pruned.dims.contains_key(&dim.name) {
            let headline = format!("`{}` is pruned twice", dim.name);
            self.problems.push(Diagnostic::new(&PRUNED_TWICE, at, headline).help("keep one of the prunings"));
            return;
        }
        self.pruned.dims.insert(dim.name.clone(), number);
        if let Some(tensor) = chosen.values().find_map(|i| i.unclear.first()) {
            let headline = format!("`{}` cannot be cut by itself", dim.name);
            let problem = nothing(at, headline, "prune a dim that has its axes to itself");
            self.problems.push(problem.tensor(*tensor, None, "holds it twice, or times another dim"));
            return;
        }
        for (scope, instance) in chosen {
            self.cut(dim, scope, instance, (extent, kept, by), &at, model);
        }
    }

    /// The dim that is meant: named, or the one that counts the family at `paths`.
    fn dim<'m>(&mut self, prune: &Prune, model: &'m ArchModel, paths: &[&str], at: &Loc) -> Option<&'m Dim> {
        if let Some((name, at)) = &prune.dim {
            if let Some(dim) = model.dim(name) {
                return Some(dim);
            }
            let known: Vec<&str> = model.dims.iter().map(|d| d.name.as_str()).collect();
            self.problems.push(crate::hir::problems::unknown_name(at.clone(), "dim", name, &known));
            return None;
        }
        let family = model.families.iter().find(|f| paths.contains(&f.path.as_str()));
        match family.and_then(|f| model.dim(&f.dim)) {
            Some(dim) => Some(dim),
            None => {
                let mut families: Vec<String> = model.families.iter().map(|f| starred(&f.path)).collect();
                families.sort();
                families.dedup();
                let headline = format!("`{}` is no family of indices", prune.pattern.text);
                let help =
                    "name a dim: `prune dim inner in layers.* { ... }`, or zero values with `sparsity`";
                self.problems.push(
                    nothing(at.clone(), headline, help).because(format!("families: {}", list(&families))),
                );
                None
            }
        }
    }

    fn prunable(&mut self, dim: &Dim, model: &ArchModel, at: &Loc) -> bool {
        let d = if dim.recurrent {
            Diagnostic::new(&RECURRENT_DIM, at.clone(), format!("`{}` is a recurrent state", dim.name))
                .label(format!("declared `recurrent` in `{}`", model.name))
                .help("its indices feed back into themselves from token to token; prune another dim")
        } else if dim.residual || dim.scope.is_empty() {
            let headline = format!("`{}` is shared by the whole model", dim.name);
            let why =
                if dim.residual { "every block reads and writes it" } else { "stands outside of all layers" };
            Diagnostic::new(&RESIDUAL_DIM, at.clone(), headline)
                .label(why)
                .help(format!("prune a dim inside of a block: {}", list(&inner_dims(model))))
        } else {
            return true;
        };
        self.problems.push(with_origin(d, dim));
        false
    }

    /// Whether one of the instance's tensors stands at or below one of `paths`.
    fn is_named(&self, instance: &Instance, paths: &[&str]) -> bool {
        let tensors = instance.axes.iter().map(|(t, _)| *t).chain(instance.members.iter().map(|(t, ..)| *t));
        let tensors = tensors.chain(instance.unclear.iter().copied());
        let mut names = tensors.filter_map(|t| self.inputs.schema.tensors.get(t)).map(|t| t.name.as_str());
        names.any(|name| {
            paths.iter().any(|p| name.strip_prefix(p).is_some_and(|r| r.is_empty() || r.starts_with('.')))
        })
    }

    fn cut(
        &mut self,
        dim: &Dim,
        scope: &str,
        instance: &Instance,
        (of, keep, by): (u64, u64, Norm),
        at: &Loc,
        model: &ArchModel,
    ) {
        let selection = self.pruned.selections.len();
        let rank = |t: usize| self.inputs.schema.tensors.get(t).map_or(0, |t| t.shape.rank());
        let votes = |t: usize| {
            let float = self.inputs.schema.tensors.get(t).is_some_and(|t| t.dtype.is_float());
            let facts = model.tensors.get(t).and_then(Option::as_ref);
            float && rank(t) >= 2 && facts.is_none_or(|f| !f.roles.iter().any(|r| r == "buffer"))
        };
        let axes = instance.axes.iter().filter(|(t, _)| votes(*t));
        let members = instance.members.iter().filter(|(t, ..)| votes(*t));
        let voters = axes
            .map(|(tensor, slice)| Voter::Axis { tensor: *tensor, slice: *slice })
            .chain(members.map(|(tensor, index, _)| Voter::Member { tensor: *tensor, index: *index }));
        let voters = voters.collect();
        self.pruned.selections.push(Selection {
            dim: dim.name.clone(),
            scope: scope.to_owned(),
            of,
            keep,
            by,
            voters,
        });
        for (tensor, slice) in &instance.axes {
            let cuts = self.pruned.cuts.entry(*tensor).or_default();
            if cuts.iter().any(|c| c.slice.axis == slice.axis) {
                self.problems.push(
                    Diagnostic::new(&PRUNED_TWICE, at.clone(), "one axis would be cut by two dims")
                        .tensor(*tensor, Some(slice.axis), "both stand in this axis")
                        .help("prune one of them"),
                );
                continue;
            }
            cuts.push(Cut { selection, slice: *slice });
        }
        for (tensor, index, family) in &instance.members {
            let Some(info) = self.inputs.schema.tensors.get(*tensor) else { continue };
            let suffix = info.name.strip_prefix(&format!("{family}.{index}")).unwrap_or("").to_owned();
            let member = Member { selection, index: *index, family: family.clone(), suffix };
            if self.pruned.members.insert(*tensor, member).is_some() {
                self.problems.push(
                    Diagnostic::new(
                        &PRUNED_TWICE,
                        at.clone(),
                        format!("`{}` is in two pruned families", info.name),
                    )
                    .help("prune one of them"),
                );
            }
        }
        self.equal_members(instance, at);
    }

    /// A kept member takes the place of another, so all must be alike.
    fn equal_members(&mut self, instance: &Instance, at: &Loc) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (tensor, ..) in &instance.members {
            let Some(member) = self.pruned.members.get(tensor) else { continue };
            let other = *first.entry(member.suffix.as_str()).or_insert(*tensor);
            let tensors = &self.inputs.schema.tensors;
            let (Some(a), Some(b)) = (tensors.get(other), tensors.get(*tensor)) else { continue };
            if a.dtype != b.dtype || a.shape != b.shape {
                let headline = format!("`{}` and `{}` differ", a.name, b.name);
                self.problems.push(
                    Diagnostic::new(&UNEQUAL_MEMBERS, at.clone(), headline)
                        .label("which ones are kept is known only in the run")
                        .tensor(other, None, "one kind")
                        .tensor(*tensor, None, "another kind"),
                );
                return;
            }
        }
    }

    fn shapes(&mut self) {
        for (tensor, cuts) in &self.pruned.cuts {
            let Some(info) = self.inputs.schema.tensors.get(*tensor) else { continue };
            let mut shape = info.shape.0.to_vec();
            for Cut { selection, slice } in cuts {
                let Some(chosen) = self.pruned.selections.get(*selection) else { continue };
                if let Some(extent) = shape.get_mut(slice.axis) {
                    *extent = cut_extent(slice, chosen.keep);
                }
            }
            self.pruned.shapes.insert(*tensor, shape);
            if self.pruned.members.contains_key(tensor) {
                // The member that is kept would need its own choice of rows, which no plan can name ahead.
                let at = self
                    .inputs
                    .recipe
                    .prunes
                    .first()
                    .map_or_else(|| self.inputs.recipe.loc.clone(), |p| p.loc.clone());
                self.problems.push(
                    Diagnostic::new(
                        &PRUNED_TWICE,
                        at,
                        format!("`{}` loses rows and may be removed", info.name),
                    )
                    .help("prune the members of the family or the dim inside of them, in two recipes"),
                );
                return;
            }
        }
    }
}

/// Length of an axis of which `keep` indices stay.
pub fn cut_extent(slice: &Slice, keep: u64) -> u64 {
    let rows = slice.outer.saturating_mul(keep).saturating_mul(slice.inner);
    rows.saturating_add(slice.before).saturating_add(slice.after)
}

fn with_origin(d: Diagnostic, dim: &Dim) -> Diagnostic {
    use crate::arch::model::Origin;
    match (&dim.origin, dim.value) {
        (Some(Origin::Axis { tensor, axis, .. }), Some(n)) => {
            d.tensor(*tensor, Some(*axis), format!("{} = {n}", dim.name))
        }
        (Some(Origin::Members { tensor, family }), Some(n)) => {
            d.tensor(*tensor, None, format!("{n} members of `{family}`"))
        }
        _ => d,
    }
}

fn inner_dims(model: &ArchModel) -> Vec<&str> {
    let inner =
        model.dims.iter().filter(|d| !d.recurrent && !d.residual && !d.scope.is_empty() && d.value.is_some());
    inner.map(|d| d.name.as_str()).collect()
}

/// `layers.1.moe.layer.experts` as `layers.*.moe.layer.experts`.
fn starred(path: &str) -> String {
    path.split('.').map(|s| if s.parse::<u64>().is_ok() { "*" } else { s }).collect::<Vec<_>>().join(".")
}
