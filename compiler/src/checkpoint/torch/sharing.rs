//! Tensors that share bytes: the same view under two names is a tie, anything else is worth a note.

use std::collections::BTreeMap;

use super::super::error::Shown;
use super::super::schema::TensorInfo;

/// Marks every tensor whose elements are those of an earlier one. Tensors without elements share nothing.
pub(super) fn tie(tensors: &mut [TensorInfo]) {
    let mut first: BTreeMap<_, u32> = BTreeMap::new();
    let mut ties = Vec::new();
    for (i, tensor) in (0u32..).zip(tensors.iter()).filter(|(_, t)| t.bytes > 0) {
        let Some(place) = &tensor.place else { continue };
        let same =
            (place.storage, place.offset, &tensor.shape, &place.strides, tensor.dtype, &tensor.stored_as);
        match first.get(&same) {
            Some(kept) => ties.push((i, *kept)),
            None => drop(first.insert(same, i)),
        }
    }
    for (i, kept) in ties {
        if let Some(tensor) = tensors.get_mut(i as usize) {
            tensor.tied_to = Some(kept);
        }
    }
}

/// Adds a note when untied tensors are views of overlapping bytes.
pub(super) fn note_overlaps(tensors: &[TensorInfo], notes: &mut Vec<String>) {
    let untied = tensors.iter().filter(|t| t.bytes > 0 && t.tied_to.is_none());
    let mut ranges: Vec<(u64, u64, u64, &str)> = untied.filter_map(range).collect();
    ranges.sort_unstable();
    let mut overlaps = 0u64;
    let mut shown = None;
    let mut reach = (0, 0, "");
    for (storage, start, end, name) in ranges {
        if storage == reach.0 && start < reach.1 {
            overlaps += 1;
            shown = shown.or(Some((reach.2, name)));
        }
        if storage != reach.0 || end > reach.1 {
            reach = (storage, end, name);
        }
    }
    if let Some((a, b)) = shown {
        let (a, b) = (Shown(a), Shown(b));
        let more = match overlaps {
            1 => String::new(),
            n => format!(", and {} more such pairs", n - 1),
        };
        notes.push(format!("`{a}` and `{b}` are views of overlapping bytes{more}: each is kept whole"));
    }
}

/// Storage, first byte, the byte behind the last, name.
fn range(tensor: &TensorInfo) -> Option<(u64, u64, u64, &str)> {
    let place = tensor.place.as_ref()?;
    let width = tensor.bytes.checked_div(tensor.shape.len()?)?;
    let span = match &place.strides {
        None => tensor.bytes,
        Some(strides) => {
            let steps = tensor.shape.0.iter().zip(strides).map(|(size, stride)| (size - 1) * stride);
            (steps.sum::<u64>() + 1) * width
        }
    };
    Some((place.storage, place.offset, place.offset + span, &tensor.name))
}
