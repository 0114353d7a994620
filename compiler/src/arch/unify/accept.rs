//! Which declaration each tensor of the checkpoint is.

use super::choices::Choices;
use super::instances::Instances;
use crate::arch::decl::ArchDecl;
use crate::arch::trie::{Leaf, Node, Trie, Walker};
use crate::checkpoint::Schema;

/// A tensor of the checkpoint that is declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Index into [`ArchDecl::tensors`].
    pub decl: usize,
    /// Innermost member in which it stands.
    pub instance: u32,
    /// Whether its rank is the declared one.
    pub rank: bool,
}

/// Names matched.
pub(super) struct Accepted {
    /// For each tensor of the schema, what it is.
    pub tensors: Vec<Option<Found>>,
    /// Members of families.
    pub instances: Instances,
    /// Optional segments and branches.
    pub choices: Choices,
}

pub(super) fn accept(decl: &ArchDecl, schema: &Schema, trie: &Trie) -> Accepted {
    let mut instances = Instances::new();
    let mut choices = Choices::default();
    let mut walker = Walker::new(trie);
    let mut walked: Vec<Option<(&Node, u32)>> = Vec::with_capacity(schema.tensors.len());
    for (number, tensor) in schema.tensors.iter().enumerate() {
        walked.push(walker.walk(&tensor.name).map(|node| {
            let instance = instances.enter(&walker.passed, number);
            if !node.plain {
                // The rank tells branches apart that declare one name with different shapes.
                let fits = |leaf: &&Leaf| rank(decl, leaf) == Some(tensor.shape.rank());
                let some = node.leaves.iter().any(|leaf| fits(&leaf));
                let leaves = node.leaves.iter().filter(|leaf| !some || fits(leaf));
                choices.count(decl, leaves, instance, &instances);
            }
            (node, instance)
        }));
    }
    choices.decide(decl);

    let mut tensors = Vec::with_capacity(schema.tensors.len());
    for (number, (tensor, walked)) in schema.tensors.iter().zip(walked).enumerate() {
        let found = walked.and_then(|(node, instance)| {
            let chosen = |leaf: &&Leaf| {
                let Some(declared) = decl.tensors.get(leaf.tensor) else { return false };
                node.plain
                    || choices.spelled(decl, &leaf.switches, instance, &instances)
                        && choices.active(decl, &declared.inside, instance, &instances)
            };
            let rank = |leaf: &Leaf| rank(decl, leaf) == Some(tensor.shape.rank());
            let mut leaves = node.leaves.iter().filter(chosen);
            let leaf = match leaves.next() {
                Some(first) if !rank(first) => leaves.find(|l| rank(l)).unwrap_or(first),
                first => first?,
            };
            Some(Found { decl: leaf.tensor, instance, rank: rank(leaf) })
        });
        if let Some(found) = found
            && instances.get(found.instance).is_some_and(|i| !i.live)
        {
            walker.walk(&tensor.name);
            instances.enliven(found.instance, number, &walker.passed);
        }
        tensors.push(found);
    }
    choices.decide_empty(decl, schema, &instances);
    Accepted { tensors, instances, choices }
}

fn rank(decl: &ArchDecl, leaf: &Leaf) -> Option<usize> {
    decl.tensors.get(leaf.tensor).map(|t| t.shape.len())
}
