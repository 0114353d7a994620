//! First match wins: which arm owns each tensor.

use super::resolve::Matched;
use crate::checkpoint::Schema;

/// Owners of all tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Arm of each tensor, by index; aliases have the owner of their storage.
    pub owner: Vec<Option<u32>>,
    /// For each arm, the tensors it owns, ascending; of tied names the one it matched.
    pub claimed: Vec<Vec<u32>>,
    /// For each arm, the earlier arms that claimed some of what it matches, with how many.
    pub lost: Vec<Vec<(u32, u32)>>,
    /// Arms that disagree on tied names: (owner, name it matched, later arm, name it matched).
    pub tie_disputes: Vec<TieDispute>,
}

/// Two arms that name one storage by different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TieDispute {
    pub owner: u32,
    pub owned_as: u32,
    pub other: u32,
    pub other_as: u32,
}

/// For each tensor the first name of its storage (itself, if it is not an alias).
pub fn storages(schema: &Schema) -> Vec<u32> {
    (0u32..).zip(&schema.tensors).map(|(number, t)| t.tied_to.unwrap_or(number)).collect()
}

/// Gives each tensor to the first arm that matches any of its names.
pub fn own(matched: &[&Matched], schema: &Schema) -> Ownership {
    let storage = storages(schema);
    let mut owner_of_storage: Vec<Option<(u32, u32)>> = vec![None; schema.tensors.len()];
    let mut result = Ownership {
        owner: Vec::new(),
        claimed: vec![Vec::new(); matched.len()],
        lost: vec![Vec::new(); matched.len()],
        tie_disputes: Vec::new(),
    };
    for ((arm, matched), (claimed, lost)) in
        (0u32..).zip(matched).zip(result.claimed.iter_mut().zip(result.lost.iter_mut()))
    {
        let mut lost_to: std::collections::BTreeMap<u32, u32> = std::collections::BTreeMap::new();
        for tensor in &matched.tensors {
            let Some(kept) = storage.get(*tensor as usize) else { continue };
            let Some(slot) = owner_of_storage.get_mut(*kept as usize) else { continue };
            match *slot {
                None => {
                    *slot = Some((arm, *tensor));
                    claimed.push(*tensor);
                }
                // The same arm under another name of the storage.
                Some((owner, _)) if owner == arm => {}
                Some((owner, owned_as)) => {
                    *lost_to.entry(owner).or_default() += 1;
                    // `_` asks for what is left; every other pattern that names this storage only by another name
                    // means that tensor, and does not get it.
                    let names_it_too = matched.tensors.binary_search(&owned_as).is_ok();
                    if owned_as != *tensor && !matched.rest && !names_it_too {
                        result.tie_disputes.push(TieDispute {
                            owner,
                            owned_as,
                            other: arm,
                            other_as: *tensor,
                        });
                    }
                }
            }
        }
        *lost = lost_to.into_iter().collect();
    }
    let owner_at = |kept: &u32| owner_of_storage.get(*kept as usize).copied().flatten().map(|(arm, _)| arm);
    result.owner = storage.iter().map(owner_at).collect();
    result
}
