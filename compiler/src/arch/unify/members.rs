//! How many members each family has.

use super::accept::Accepted;
use super::instances::{Instances, ROOT};
use crate::arch::decl::ArchDecl;
use crate::arch::model::{Conflict, Family};
use crate::checkpoint::Schema;

/// One family of the checkpoint: `layers.1.moe.layer.experts`.
pub(super) struct Members {
    /// Index into [`ArchDecl::families`].
    pub family: usize,
    /// Its name.
    pub path: String,
    /// Largest index and one; 0 where it has no member.
    pub members: u64,
    /// First index below that has no tensor.
    pub missing: Option<u64>,
    /// One of its tensors.
    pub sample: Option<usize>,
    /// Members that have a tensor, by index.
    pub instances: Vec<u32>,
}

/// All families, outer ones before inner ones, in the order of their indices.
pub(super) fn members(decl: &ArchDecl, schema: &Schema, accepted: &Accepted) -> Vec<Members> {
    let instances = &accepted.instances;
    let mut by_family: Vec<Vec<u32>> = vec![Vec::new(); decl.families.len()];
    for (number, instance) in instances.live() {
        if let Some(members) = by_family.get_mut(instance.family as usize) {
            members.push(number);
        }
    }
    // Position of each instance in the order of indices; parents are ranked before their children.
    let mut rank = vec![0u32; instances.len()];
    let mut found = Vec::new();
    for family in 0..decl.families.len() {
        let Some(declared) = decl.families.get(family) else { continue };
        let mut all = by_family.get(family).cloned().unwrap_or_default();
        let at = |i: u32| instances.get(i).map(|i| (rank.get(i.parent as usize).copied(), i.index));
        all.sort_by_key(|i| at(*i));
        for (position, instance) in (0u32..).zip(&all) {
            if let Some(rank) = rank.get_mut(*instance as usize) {
                *rank = position;
            }
        }
        let parents = match declared.within {
            Some(outer) => by_family.get(outer).cloned().unwrap_or_default(),
            None => vec![ROOT],
        };
        let mut rest = all.as_slice();
        for parent in parents {
            let here = |i: &u32| instances.get(*i).is_some_and(|i| i.parent == parent);
            let (own, others) = rest.split_at(rest.iter().take_while(|i| here(i)).count());
            rest = others;
            if !own.is_empty() {
                found.push(counted(family, own, instances, schema));
            } else if accepted.choices.active(decl, &declared.inside, parent, instances) {
                let path = declared.path.split_last().map_or(&[][..], |(_, path)| path);
                let path = accepted.choices.name(decl, path, parent, instances);
                found.push(Members {
                    family,
                    path,
                    members: 0,
                    missing: None,
                    sample: None,
                    instances: Vec::new(),
                });
            }
        }
        if let Some(sorted) = by_family.get_mut(family) {
            *sorted = all;
        }
    }
    found
}

fn counted(family: usize, own: &[u32], instances: &Instances, schema: &Schema) -> Members {
    let indices = || own.iter().filter_map(|i| instances.get(*i)).map(|i| i.index);
    let gap = (0u64..).zip(indices()).find(|(expected, index)| expected != index);
    let first = own.first().copied().unwrap_or(ROOT);
    Members {
        family,
        path: instances.family_path(first, schema).to_owned(),
        members: indices().max().map_or(0, |last| last.saturating_add(1)),
        missing: gap.map(|(expected, _)| expected),
        sample: instances.get(first).map(|i| i.sample),
        instances: own.to_vec(),
    }
}

/// Families whose members are not 0..n. A family without members is one where its dim is not 0.
pub(super) fn gaps(decl: &ArchDecl, families: &[Members], dims: &[Option<u64>]) -> Vec<Conflict> {
    let gap = |f: &Members| match f.sample {
        Some(_) => f.missing,
        None => {
            let dim = decl.families.get(f.family).map(|d| d.dim);
            let required =
                |t: &&crate::arch::decl::TensorDecl| !t.optional && decl.chain(t.within).contains(&f.family);
            match dim.and_then(|d| dims.get(d).copied().flatten()) {
                Some(0) => None,
                Some(_) => Some(0),
                None => decl.tensors.iter().find(required).map(|_| 0),
            }
        }
    };
    let gaps = families.iter().filter_map(|f| Some((f, gap(f)?)));
    gaps.map(|(f, missing)| Conflict::Gap { family: f.path.clone(), missing }).collect()
}

/// Families as the model shows them.
pub(super) fn families(decl: &ArchDecl, families: Vec<Members>) -> Vec<Family> {
    let shown = families.into_iter().map(|f| {
        let dim = decl.families.get(f.family).and_then(|d| decl.dims.get(d.dim));
        Family { path: f.path, dim: dim.map_or_else(String::new, |d| d.name.clone()), members: f.members }
    });
    shown.collect()
}
