//! Declared tensors that are not there, and ties that are none.

use std::collections::{BTreeMap, BTreeSet};

use super::accept::{Accepted, Found};
use super::instances::ROOT;
use super::members::Members;
use crate::arch::decl::{ArchDecl, TensorDecl};
use crate::arch::model::Conflict;
use crate::checkpoint::Schema;

/// Required tensors that the checkpoint lacks, one conflict for each declaration.
pub(super) fn missing(decl: &ArchDecl, accepted: &Accepted, families: &[Members]) -> Vec<Conflict> {
    let mut counts = vec![0usize; decl.tensors.len()];
    for found in accepted.tensors.iter().flatten() {
        if let Some(count) = counts.get_mut(found.decl) {
            *count += 1;
        }
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); decl.families.len()];
    for f in families {
        if let Some(all) = members.get_mut(f.family) {
            all.extend(&f.instances);
        }
    }
    let root = [ROOT];
    let places = |within: Option<usize>| match within {
        Some(family) => members.get(family).map_or(&[][..], Vec::as_slice),
        None => &root,
    };
    let active = |t: &TensorDecl, i: &u32| accepted.choices.active(decl, &t.inside, *i, &accepted.instances);
    let required = decl.tensors.iter().enumerate().filter(|(_, t)| !t.optional);
    let lacking: Vec<usize> = required
        .filter(|(number, t)| {
            let (all, found) = (places(t.within), counts.get(*number).copied().unwrap_or(0));
            // A tensor that is found is in an active branch, so as many as there are places leave none to look at.
            found < all.len() && found < all.iter().filter(|i| active(t, i)).count()
        })
        .map(|(number, _)| number)
        .collect();
    if lacking.is_empty() {
        return Vec::new();
    }
    let there = instances_of(decl, accepted, &lacking);
    let mut conflicts = Vec::new();
    for number in lacking {
        let (Some(tensor), Some(there)) = (decl.tensors.get(number), there.get(&number)) else { continue };
        let mut gone =
            places(tensor.within).iter().copied().filter(|i| !there.contains(i) && active(tensor, i));
        if let Some(first) = gone.next() {
            let name = accepted.choices.name(decl, &tensor.path, first, &accepted.instances);
            let others = gone.count() as u64;
            conflicts.push(Conflict::Missing { name, others, span: tensor.span });
        }
    }
    conflicts
}

/// Instances in which each of `wanted` is there, itself or an alias of it: savers keep either name of a tie.
fn instances_of(decl: &ArchDecl, accepted: &Accepted, wanted: &[usize]) -> BTreeMap<usize, BTreeSet<u32>> {
    let mut there: BTreeMap<usize, BTreeSet<u32>> = wanted.iter().map(|n| (*n, BTreeSet::new())).collect();
    for found in accepted.tensors.iter().flatten() {
        let alias_of = decl.tensors.get(found.decl).and_then(|t| t.alias_of);
        for number in [Some(found.decl), alias_of].into_iter().flatten() {
            if let Some(instances) = there.get_mut(&number) {
                instances.insert(found.instance);
            }
        }
    }
    there
}

/// Declared ties of which both tensors are there, each with its own storage.
pub(super) fn untied(decl: &ArchDecl, schema: &Schema, accepted: &Accepted) -> Vec<(usize, usize)> {
    // Declarations that take part in a tie: few, and looked up for each tensor.
    let mut tied = vec![false; decl.tensors.len()];
    for (alias, of) in decl.tensors.iter().enumerate().filter_map(|(n, t)| Some((n, t.alias_of?))) {
        for end in [alias, of] {
            if let Some(tied) = tied.get_mut(end) {
                *tied = true;
            }
        }
    }
    let found = accepted.tensors.iter().enumerate().filter_map(|(number, f)| Some((number, (*f)?)));
    let found: Vec<(usize, Found)> =
        found.filter(|(_, f)| tied.get(f.decl).copied().unwrap_or(false)).collect();
    let target: BTreeMap<(usize, u32), usize> =
        found.iter().map(|(number, f)| ((f.decl, f.instance), *number)).collect();
    let pair = |(alias, f): (usize, Found)| {
        let of = decl.tensors.get(f.decl)?.alias_of?;
        // An alias stands in the target's member, or outside of all.
        let target = *target.get(&(of, f.instance))?;
        (schema.kept(alias) != schema.kept(target)).then_some((alias, target))
    };
    found.into_iter().filter_map(pair).collect()
}
