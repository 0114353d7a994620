//! Optional segments and branches: one choice for each instance of the block in which they stand.

use super::instances::Instances;
use super::places::ByPlace;
use crate::arch::decl::{ArchDecl, BranchRef, PathStep};
use crate::arch::model::Conflict;
use crate::arch::trie::Leaf;
use crate::checkpoint::Schema;

/// What was chosen, by the number of tensors that agree.
#[derive(Default)]
pub(super) struct Choices {
    /// By switch: tensors without and with the segment.
    switches: ByPlace<[u64; 2]>,
    /// By either: tensors in each branch, and those of them that it requires outside of families.
    branches: ByPlace<Vec<[u64; 2]>>,
    /// By either; `None` where no branch fits.
    chosen: ByPlace<Option<usize>>,
    /// Branches in which the tensor at hand was counted; here so that it is allocated once.
    counted: Vec<BranchRef>,
    /// Where no branch fits.
    pub conflicts: Vec<Conflict>,
}

impl Choices {
    /// Counts a tensor that may be one of `leaves`.
    pub(super) fn count<'t>(
        &mut self,
        decl: &ArchDecl,
        leaves: impl Iterator<Item = &'t Leaf>,
        instance: u32,
        instances: &Instances,
    ) {
        self.counted.clear();
        for leaf in leaves {
            for (switch, there) in &leaf.switches {
                let within = decl.switches.get(*switch).and_then(|s| s.within);
                let Some(around) = instances.around(instance, within) else { continue };
                let votes = self.switches.get_or((*switch, around), || [0; 2]);
                if let Some(vote) = votes.and_then(|v| v.get_mut(usize::from(*there))) {
                    *vote += 1;
                }
            }
            let Some(declared) = decl.tensors.get(leaf.tensor) else { continue };
            for branch in &declared.inside {
                if self.counted.contains(branch) {
                    continue;
                }
                self.counted.push(*branch);
                let Some(either) = decl.eithers.get(branch.either) else { continue };
                let Some(around) = instances.around(instance, either.within) else { continue };
                let votes = self.branches.get_or((branch.either, around), || vec![[0; 2]; either.branches]);
                if let Some([vote, required]) = votes.and_then(|v| v.get_mut(branch.branch)) {
                    *vote += 1;
                    *required += u64::from(!declared.optional && declared.within == either.within);
                }
            }
        }
    }

    /// Takes the branches that most tensors stand in; of equal ones that which lacks fewer, then the first.
    pub(super) fn decide(&mut self, decl: &ArchDecl) {
        // By either and branch, how many tensors it requires outside of families.
        let mut sizes: Vec<Vec<u64>> = decl.eithers.iter().map(|e| vec![0; e.branches]).collect();
        for tensor in decl.tensors.iter().filter(|t| !t.optional) {
            for b in &tensor.inside {
                let here = decl.eithers.get(b.either).is_some_and(|e| e.within == tensor.within);
                if let Some(size) = sizes.get_mut(b.either).and_then(|s| s.get_mut(b.branch)) {
                    *size += u64::from(here);
                }
            }
        }
        for ((either, instance), votes) in self.branches.iter() {
            let size = |branch: usize| sizes.get(either).and_then(|s| s.get(branch)).copied().unwrap_or(0);
            let most = votes.iter().map(|[vote, _]| *vote).max();
            let leading = votes.iter().enumerate().filter(|(_, [vote, _])| Some(*vote) == most);
            let best = leading.min_by_key(|(branch, [_, there])| size(*branch).saturating_sub(*there));
            self.chosen.get_or((either, instance), || best.map(|(branch, _)| branch));
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
                    || self.chosen.get((either, instance)).is_some()
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
                self.chosen.get_or((either, instance), || empty);
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
            around.is_some_and(|i| self.chosen.get((b.either, i)) == Some(&Some(b.branch)))
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
        let votes = around.and_then(|around| self.switches.get((switch, around)));
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
