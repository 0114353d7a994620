//! Which of the known architectures a checkpoint has.

use super::decl::ArchDecl;
use super::model::{ArchModel, Conflict};
use super::trie::{Trie, Walker};
use super::unify::unify;
use crate::checkpoint::Schema;

/// Names that are looked at before an architecture is unified: enough that one which fits is not overlooked.
const SAMPLE: usize = 512;

/// Result of trying all known architectures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// The one that fits: its index among those given, and its model.
    pub fits: Option<(usize, ArchModel)>,
    /// What was tried, the best first; when one fits, only those tried before it.
    pub tried: Vec<Tried>,
}

/// An architecture that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Index among those given.
    pub arch: usize,
    /// Its name.
    pub name: String,
    /// Tensors of the checkpoint that it declares.
    pub found: u64,
    /// Tensors of the checkpoint that it does not declare.
    pub unknown: u64,
    /// Names that it declares and the checkpoint lacks.
    pub missing: u64,
    /// Other disagreements: dims, ranks, branches, gaps.
    pub conflicts: u64,
}

/// Tries `decls` on a header until one fits, those first that declare more of its names. Of two that fit equally well the
/// first given is taken.
pub fn choose(decls: &[&ArchDecl], schema: &Schema) -> Choice {
    let step = schema.tensors.len().div_ceil(SAMPLE).max(1);
    let mut order: Vec<(usize, usize, &ArchDecl)> = Vec::new();
    for (arch, decl) in decls.iter().enumerate() {
        let trie = Trie::new(decl);
        let sample = schema.tensors.iter().step_by(step);
        let mut walker = Walker::new(&trie);
        let hits = sample.filter(|t| walker.walk(&t.name).is_some()).count();
        order.push((hits, arch, decl));
    }
    order.sort_by_key(|(hits, arch, _)| (std::cmp::Reverse(*hits), *arch));
    let mut choice = Choice::default();
    let all = schema.tensors.len() as u64;
    for (hits, arch, decl) in order {
        if hits == 0 {
            let missing = decl.tensors.iter().filter(|t| !t.optional).count() as u64;
            let name = decl.name.clone();
            choice.tried.push(Tried { arch, name, found: 0, unknown: all, missing, conflicts: 0 });
            continue;
        }
        let model = unify(decl, schema, &[]);
        if model.fits() {
            choice.fits = Some((arch, model));
            break;
        }
        choice.tried.push(tried(arch, &model));
    }
    choice.tried.sort_by_key(|t| (std::cmp::Reverse(t.found), t.conflicts + t.missing, t.arch));
    choice
}

fn tried(arch: usize, model: &ArchModel) -> Tried {
    let found = model.tensors.iter().flatten().count() as u64;
    let mut tried = Tried {
        arch,
        name: model.name.clone(),
        found,
        unknown: model.tensors.len() as u64 - found,
        missing: 0,
        conflicts: 0,
    };
    for conflict in &model.conflicts {
        match conflict {
            Conflict::Missing { others, .. } => tried.missing += others.saturating_add(1),
            Conflict::Unknown { .. } => {}
            _ => tried.conflicts += 1,
        }
    }
    tried
}
