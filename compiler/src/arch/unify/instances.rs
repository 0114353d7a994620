//! Members of families, each with a number: `layers.3` is one, `layers.3.moe.layer.experts.1` another.

use std::collections::BTreeMap;

use crate::arch::trie::Passed;
use crate::checkpoint::Schema;

/// Number of the instance that is the whole model.
pub(super) const ROOT: u32 = 0;
/// Family of [`ROOT`].
const NO_FAMILY: u32 = u32::MAX;

/// One member of one family.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub family: u32,
    pub parent: u32,
    pub index: u64,
    /// A tensor below it; an accepted one as soon as there is one.
    pub sample: usize,
    /// In the sample's name, where the family's name ends and where the index does.
    pub ends: (u32, u32),
    /// Whether an accepted tensor stands below it.
    pub live: bool,
}

type Key = (u32, u32, u64);

/// All members that names of the checkpoint speak of.
#[derive(Debug)]
pub(super) struct Instances {
    list: Vec<Instance>,
    known: BTreeMap<Key, u32>,
    /// The last member of each depth: neighbours in a file are mostly in the same one.
    recent: Vec<(Key, u32)>,
}

impl Instances {
    pub(super) fn new() -> Instances {
        let root =
            Instance { family: NO_FAMILY, parent: ROOT, index: 0, sample: 0, ends: (0, 0), live: true };
        Instances { list: vec![root], known: BTreeMap::new(), recent: Vec::new() }
    }

    /// The innermost member that `passed` leads to.
    pub(super) fn enter(&mut self, passed: &[Passed], tensor: usize) -> u32 {
        let mut at = ROOT;
        for (depth, p) in passed.iter().enumerate() {
            let key = (p.family, at, p.index);
            at = match self.recent.get(depth) {
                Some((recent, instance)) if *recent == key => *instance,
                _ => {
                    let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
                    let instance = *self.known.entry(key).or_insert(next);
                    if instance == next {
                        let Passed { family, index, ends } = *p;
                        let parent = at;
                        self.list.push(Instance { family, parent, index, sample: tensor, ends, live: false });
                    }
                    self.recent.truncate(depth);
                    self.recent.push((key, instance));
                    instance
                }
            };
        }
        at
    }

    /// Says that an accepted tensor stands in `instance`; `passed` is the way to it.
    pub(super) fn enliven(&mut self, instance: u32, tensor: usize, passed: &[Passed]) {
        let mut at = instance;
        for p in passed.iter().rev() {
            let Some(instance) = self.list.get_mut(at as usize) else { return };
            if std::mem::replace(&mut instance.live, true) {
                return;
            }
            instance.sample = tensor;
            instance.ends = p.ends;
            at = instance.parent;
        }
    }

    pub(super) fn get(&self, instance: u32) -> Option<&Instance> {
        self.list.get(instance as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Members with an accepted tensor, and the model itself.
    pub(super) fn live(&self) -> impl Iterator<Item = (u32, &Instance)> {
        (0u32..).zip(&self.list).filter(|(_, i)| i.live)
    }

    /// `instance` or the one around it that is a member of `family`; the whole model for `None`.
    pub(super) fn around(&self, instance: u32, family: Option<usize>) -> Option<u32> {
        let Some(family) = family else { return Some(ROOT) };
        self.chain(instance).find(|(_, i)| i.family as usize == family).map(|(number, _)| number)
    }

    /// `instance` and those around it, innermost first, without the whole model.
    pub(super) fn chain(&self, instance: u32) -> impl Iterator<Item = (u32, &Instance)> {
        let mut at = instance;
        std::iter::from_fn(move || {
            let found = self.get(at).filter(|_| at != ROOT)?;
            let number = std::mem::replace(&mut at, found.parent);
            Some((number, found))
        })
    }

    /// `layers.1.moe.layer.experts`: the family's name of a member.
    pub(super) fn family_path<'s>(&self, instance: u32, schema: &'s Schema) -> &'s str {
        let end = self.get(instance).map(|i| (i.sample, i.ends.0));
        end.and_then(|(sample, end)| schema.tensors.get(sample)?.name.get(..end as usize)).unwrap_or("")
    }
}
