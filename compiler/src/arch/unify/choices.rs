//! Optional segments and branches: one choice for each instance of the block in which they stand.

use std::collections::BTreeMap;

use super::instances::Instances;
use crate::arch::decl::{ArchDecl, BranchRef, PathStep};
use crate::arch::model::Conflict;
use crate::arch::trie::Leaf;
use crate::checkpoint::Schema;

/// What was chosen, by the number of tensors that agree.
#[derive(Default)]
pub(super) struct Choices {
    /// By switch and instance: tensors without and with the segment.
    switches: BTreeMap<(usize, u32), [u64; 2]>,
    /// By either and instance: tensors in each branch, and those of them that it requires outside of families.
    branches: BTreeMap<(usize, u32), Vec<[u64; 2]>>,
    /// By either and instance; `None` where no branch fits.
    chosen: BTreeMap<(usize, u32), Option<usize>>,
    /// Where no branch fits.
    pub conflicts: Vec<Conflict>,
}

impl Choices {
    /// Counts a tensor that may be one of `leaves`.
    pub(super) fn count(&mut self, decl: &ArchDecl, leaves: &[&Leaf], instance: u32, instances: &Instances) {
        let mut counted: Vec<BranchRef> = Vec::new();
        for leaf in leaves {
            for (switch, there) in &leaf.switches {
                let within = decl.switches.get(*switch).and_then(|s| s.within);
                let Some(around) = instances.around(instance, within) else { continue };
                let votes = self.switches.entry((*switch, around)).or_default();
                if let Some(vote) = votes.get_mut(usize::from(*there)) {
                    *vote += 1;
                }
            }
            let Some(declared) = decl.tensors.get(leaf.tensor) else { continue };
            for branch in &declared.inside {
                if counted.contains(branch) {
                    continue;
                }
                counted.push(*branch);
                let Some(either) = decl.eithers.get(branch.either) else { continue };
                let Some(around) = instances.around(instance, either.within) else { continue };
                let votes =
                    self.branches.entry((branch.either, around)).or_insert_with(|| vec![[0; 2]; either.branches]);
                if let Some([vote, required]) = votes.get_mut(branch.branch) {
                    *vote += 1;
                    *required += u64::from(!declared.optional && declared.within == either.within);
                }
            }
        }
    }

    /// Takes the branches that most tensors stand in; of equal ones that which lacks fewer, then the first.
    pub(super) fn decide(&mut self, decl: &ArchDecl) {
        for ((either, instance), votes) in &self.branches {
            let within = decl.eithers.get(*either).and_then(|e| e.within);
            let lacks = |branch: usize, there: u64| {
                let branch = BranchRef { either: *either, branch };
                let required = decl.tensors.iter().filter(|t| !t.optional && t.within == within);
                (required.filter(|t| t.inside.contains(&branch)).count() as u64).saturating_sub(there)
            };
            let most = votes.iter().map(|[vote, _]| *vote).max();
            let leading = votes.iter().enumerate().filter(|(_, [vote, _])| Some(*vote) == most);
            let best = leading.min_by_key(|(branch, [_, there])| lacks(*branch, *there));
            self.chosen.insert((*either, *instance), best.map(|(branch, _)| branch));
        }
    }

    /// Decides for blocks of which no tensor is in any branch: an empty branch fits, otherwise none does.
    pub(super) fn decide_empty(&mut self, decl: &ArchDecl, schema: &Schema, instances: &Instances) {
        for (either, declared) in decl.eithers.iter().enumerate() {
            for (instance, member) in instances.live() {
                let here = match declared.within {
                    Some(family) => member.family as usize == family,
                    None => instance == super::instances::ROOT,
                };
                if !here
                    || self.chosen.contains_key(&(either, instance))
                    || !self.active(decl, &declared.inside, instance, instances)
                {
                    continue;
                }
                let lacking: Vec<Option<String>> = (0..declared.branches)
                    .map(|branch| {
                        let branch = BranchRef { either, branch };
                        let mut required = decl.tensors.iter().filter(|t| !t.optional);
                        let first = required.find(|t| t.inside.contains(&branch))?;
                        Some(self.name(decl, &first.path, instance, instances))
                    })
                    .collect();
                let empty = lacking.iter().position(Option::is_none);
                self.chosen.insert((either, instance), empty);
                if empty.is_none() {
                    let below = self.name(decl, &declared.path, instance, instances);
                    let prefix = if below.is_empty() { schema.source.clone() } else { below };
                    let lacking = lacking.into_iter().flatten().collect();
                    self.conflicts.push(Conflict::Branch { prefix, lacking });
                }
            }
        }
    }

    /// Whether all of `inside` are the chosen branches around `instance`.
    pub(super) fn active(
        &self,
        decl: &ArchDecl,
        inside: &[BranchRef],
        instance: u32,
        instances: &Instances,
    ) -> bool {
        inside.iter().all(|b| {
            let within = decl.eithers.get(b.either).and_then(|e| e.within);
            let around = instances.around(instance, within);
            around.is_some_and(|i| self.chosen.get(&(b.either, i)) == Some(&Some(b.branch)))
        })
    }

    /// Whether a spelling is the chosen one.
    pub(super) fn spelled(
        &self,
        decl: &ArchDecl,
        switches: &[(usize, bool)],
        instance: u32,
        instances: &Instances,
    ) -> bool {
        switches.iter().all(|(switch, there)| self.there(decl, *switch, instance, instances) == *there)
    }

    /// Whether an optional segment is there; as declared where no tensor tells.
    fn there(&self, decl: &ArchDecl, switch: usize, instance: u32, instances: &Instances) -> bool {
        let within = decl.switches.get(switch).and_then(|s| s.within);
        let around = instances.around(instance, within);
        let votes = around.and_then(|around| self.switches.get(&(switch, around)));
        votes.is_none_or(|[without, with]| with >= without)
    }

    /// Full name of `path` in `instance`; families that it does not stand in have their member 0.
    pub(super) fn name(
        &self,
        decl: &ArchDecl,
        path: &[PathStep],
        instance: u32,
        instances: &Instances,
    ) -> String {
        let mut name = String::new();
        for step in path {
            let number;
            let segment = match step {
                PathStep::Name(segment) => segment,
                PathStep::Optional { switch, name } => match self.there(decl, *switch, instance, instances) {
                    true => name,
                    false => continue,
                },
                PathStep::Index { family } => {
                    let around = instances.around(instance, Some(*family)).and_then(|i| instances.get(i));
                    number = around.map_or(0, |i| i.index).to_string();
                    &number
                }
            };
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(segment);
        }
        name
    }
}
