//! What one pruning takes from the checkpoint, in indices and bytes.

use super::lower::cut_extent;
use super::{Pruned, Slice};
use crate::checkpoint::Schema;

/// What a pruning removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Dim, extent before and after, and in how many places it stands; `None` for a pruning that zeroes values.
    pub dim: Option<(String, u64, u64, u64)>,
    /// Tensors that become smaller, go, or get zeros, ascending.
    pub tensors: Vec<usize>,
    /// Bytes of the checkpoint that go, if nothing else were pruned; zeros take as much as other values.
    pub bytes: u64,
}

/// What pruning `number` removes; `None` if it was refused, or removes nothing.
pub fn removed(pruned: &Pruned, schema: &Schema, number: usize) -> Option<Removed> {
    if let Some(tensors) = pruned.masked.get(&number) {
        return Some(Removed { tensors: tensors.clone(), ..Removed::default() });
    }
    let (dim, _) = pruned.dims.iter().find(|(_, by)| **by == number)?;
    let mine = |selection: usize| pruned.selections.get(selection).filter(|s| s.dim == *dim);
    let places = pruned.selections.iter().filter(|s| s.dim == *dim).count() as u64;
    let first = pruned.selections.iter().find(|s| s.dim == *dim)?;
    let mut found = Removed { dim: Some((dim.clone(), first.of, first.keep, places)), ..Removed::default() };
    for (tensor, cuts) in &pruned.cuts {
        let Some(info) = schema.tensors.get(*tensor) else { continue };
        for cut in cuts {
            let Some(selection) = mine(cut.selection) else { continue };
            let kept = part(info.bytes, &cut.slice, selection.of, selection.keep);
            found.bytes = found.bytes.saturating_add(info.bytes.saturating_sub(kept));
            found.tensors.push(*tensor);
        }
    }
    for (tensor, member) in &pruned.members {
        let (Some(info), Some(selection)) = (schema.tensors.get(*tensor), mine(member.selection)) else {
            continue;
        };
        found.tensors.push(*tensor);
        // Which ones go is known only in the run, but all are of one size.
        if member.index >= selection.keep {
            found.bytes = found.bytes.saturating_add(info.bytes);
        }
    }
    found.tensors.sort_unstable();
    found.tensors.dedup();
    Some(found)
}

/// Bytes that stay of a tensor of `bytes`.
fn part(bytes: u64, slice: &Slice, of: u64, keep: u64) -> u64 {
    let (before, after) = (cut_extent(slice, of), cut_extent(slice, keep));
    let kept = u128::from(bytes) * u128::from(after) / u128::from(before.max(1));
    u64::try_from(kept).unwrap_or(bytes)
}
