//! Uniqueness of many names, without a sort of long strings that begin alike.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Position of a name that occurs before it, the earliest such position; `None` when all differ.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut hashes: Vec<u64> = names.clone().map(|name| hasher.hash_one(name)).collect();
    hashes.sort_unstable();
    let twice: BTreeSet<u64> =
        hashes.iter().zip(hashes.iter().skip(1)).filter(|(a, b)| a == b).map(|(a, _)| *a).collect();
    if twice.is_empty() {
        return None;
    }
    // Only names whose hashes collide are compared, through a tree: many collisions cost no square.
    let mut seen = BTreeSet::new();
    let mut suspects = names.enumerate().filter(|(_, name)| twice.contains(&hasher.hash_one(name)));
    suspects.find(|(_, name)| !seen.insert(*name)).map(|(i, _)| i)
}
