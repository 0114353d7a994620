//! Uniqueness of many names, without a sort of long strings that begin alike.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Position of a name that occurs before it, the earliest such position; `None` when all differ.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut keyed: Vec<(u64, usize, &str)> =
        names.enumerate().map(|(i, name)| (hasher.hash_one(name), i, name)).collect();
    // Names decide between equal hashes, so that colliding names cost a sort and not a square.
    keyed.sort_unstable_by(|a, b| (a.0, a.2, a.1).cmp(&(b.0, b.2, b.1)));
    let pairs = keyed.iter().zip(keyed.iter().skip(1));
    pairs.filter(|(a, b)| a.0 == b.0 && a.2 == b.2).map(|(_, b)| b.1).min()
}
