//! Members of families, each with a number: `layers.3` is one, `layers.3.moe.layer.experts.1` another.

use std::collections::BTreeMap;

use crate::arch::trie::Passed;
use crate::checkpoint::Schema;

/// Number of the instance that is the whole model.
pub(super) const ROOT: u32 = 0;
/// Family of [`ROOT`].
const NO_FAMILY: u32 = u32::MAX;
/// No instance yet.
const NOTHING: u32 = u32::MAX;
/// Indices up to here, or up to twice the members so far, are looked up in a table.
const SMALL: u64 = 1024;

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
    /// Families below it: family, and which of the tables.
    tables: Vec<(u32, u32)>,
}

/// All members that names of the checkpoint speak of.
#[derive(Debug)]
pub(super) struct Instances {
    list: Vec<Instance>,
    /// By index, the members of one family; mostly they are 0..n, so that no search is needed.
    tables: Vec<Vec<u32>>,
    /// By table and index, members that stand far from the others.
    scattered: BTreeMap<(u32, u64), u32>,
}

impl Instances {
    pub(super) fn new() -> Instances {
        let mut root = Instance::new(Passed { family: NO_FAMILY, index: 0, ends: (0, 0) }, ROOT, 0);
        root.live = true;
        Instances { list: vec![root], tables: Vec::new(), scattered: BTreeMap::new() }
    }

    /// The innermost member that `passed` leads to.
    pub(super) fn enter(&mut self, passed: &[Passed], tensor: usize) -> u32 {
        let mut at = ROOT;
        for p in passed {
            let next = u32::try_from(self.list.len()).unwrap_or(NOTHING);
            let Some(known) = self.member(at, p) else { return at };
            if *known == NOTHING {
                *known = next;
                self.list.push(Instance::new(*p, at, tensor));
                at = next;
            } else {
                at = *known;
            }
        }
        at
    }

    /// Where the number of a member is kept.
    fn member(&mut self, parent: u32, p: &Passed) -> Option<&mut u32> {
        let families = &mut self.list.get_mut(parent as usize)?.tables;
        let table = match families.iter().find(|(family, _)| *family == p.family) {
            Some((_, table)) => *table,
            None => {
                let table = u32::try_from(self.tables.len()).ok()?;
                families.push((p.family, table));
                self.tables.push(Vec::new());
                table
            }
        };
        let members = self.tables.get_mut(table as usize)?;
        let index = usize::try_from(p.index).ok();
        let near = index.filter(|_| p.index < SMALL.max(2 * members.len() as u64));
        let Some(index) = near else {
            return Some(self.scattered.entry((table, p.index)).or_insert(NOTHING));
        };
        if index >= members.len() {
            members.resize(index + 1, NOTHING);
        }
        let member = members.get_mut(index)?;
        if *member == NOTHING
            && let Some(number) = self.scattered.remove(&(table, p.index))
        {
            // The table has grown over a member that was far away when it came.
            *member = number;
        }
        Some(member)
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

impl Instance {
    fn new(passed: Passed, parent: u32, sample: usize) -> Instance {
        let Passed { family, index, ends } = passed;
        Instance { family, parent, index, sample, ends, live: false, tables: Vec::new() }
    }
}
