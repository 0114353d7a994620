//! A smaller shape of a checkpoint: the header that it has, and where each of its elements comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{ArchModel, AxisDims, Factor};
use crate::base::checked_bytes;
use crate::checkpoint::{Schema, TensorInfo};

/// A smaller shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its header, without places: its elements are made of those of the larger one.
    pub schema: Arc<Schema>,
    /// For each tensor of it, where its elements come from.
    pub sources: Vec<Source>,
}

/// Source of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Tensor of the larger header.
    pub tensor: usize,
    /// By axis, the indices that stay, ascending; all where `None`.
    pub axes: Vec<Option<Vec<u64>>>,
}

/// Why there is no such shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No dim has this name, or none has an extent here.
    Unknown(String),
    /// The extent of a dim is larger than that of the checkpoint.
    Larger(String, u64),
}

/// The indices of a dim that stay: evenly spaced members of a family, both ends among them; of any other dim the first.
fn kept(of: u64, keep: u64, family: bool) -> Vec<u64> {
    if !family || keep <= 1 {
        return (0..keep).collect();
    }
    let (last, gaps) = (of.saturating_sub(1), keep - 1);
    (0..keep).map(|i| (2 * i * last + gaps) / (2 * gaps)).collect()
}

/// The shape of `schema` in which the dims `dims` have these extents. `model` is the architecture unified with it.
///
/// # Errors
/// A dim that there is not, or that is smaller in the checkpoint.
pub fn derive(schema: &Schema, model: &ArchModel, dims: &[(String, u64)]) -> Result<Shape, Refused> {
    let mut chosen: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (name, keep) in dims {
        let of = model.dim(name).and_then(|d| d.value).ok_or_else(|| Refused::Unknown(name.clone()))?;
        if *keep > of {
            return Err(Refused::Larger(name.clone(), of));
        }
        let family = model.families.iter().any(|f| f.dim == *name);
        chosen.insert(name, kept(of, *keep, family));
    }
    let mut number_of: BTreeMap<usize, u32> = BTreeMap::new();
    let (mut tensors, mut sources) = (Vec::new(), Vec::new());
    for (number, (tensor, facts)) in schema.tensors.iter().zip(&model.tensors).enumerate() {
        let Some(facts) = facts else { continue };
        let mut segments: Vec<String> = tensor.name.split('.').map(str::to_owned).collect();
        let mut stays = true;
        for member in facts.indices.iter() {
            let Some(chosen) = chosen.get(&*member.dim) else { continue };
            let place = chosen.iter().position(|index| *index == member.index);
            stays &= place.is_some();
            let segment = segments.get_mut(member.family.split('.').count());
            if let (Some(place), Some(segment)) = (place, segment) {
                *segment = place.to_string();
            }
        }
        if !stays {
            continue;
        }
        let axes: Vec<Option<Vec<u64>>> = facts.axes.iter().map(|axis| indices(axis, &chosen)).collect();
        let shape: Vec<u64> = (tensor.shape.0.iter().enumerate())
            .map(|(axis, extent)| {
                axes.get(axis).and_then(Option::as_ref).map_or(*extent, |kept| kept.len() as u64)
            })
            .collect();
        let at = u32::try_from(tensors.len()).unwrap_or(u32::MAX);
        number_of.insert(number, at);
        tensors.push(TensorInfo {
            name: segments.join(".").into(),
            bytes: checked_bytes(&shape, tensor.dtype).unwrap_or(u64::MAX),
            shape: shape.into(),
            place: None,
            tied_to: tensor.tied_to.and_then(|kept| number_of.get(&(kept as usize)).copied()),
            line: at,
            ..tensor.clone()
        });
        sources.push(Source { tensor: number, axes });
    }
    let mut small = Schema {
        tensors,
        entries: Vec::new(),
        config_problem: (!schema.config.is_empty())
            .then(|| "it says the shape of the larger model".to_owned()),
        header_hash: String::new(),
        ..schema.clone()
    };
    small.header_hash = small.listing_hash(&schema.header_hash);
    Ok(Shape { schema: Arc::new(small), sources })
}

/// The indices of an axis that stay; `None` where all do.
fn indices(axis: &AxisDims, chosen: &BTreeMap<&str, Vec<u64>>) -> Option<Vec<u64>> {
    let is_chosen = |f: &Factor| matches!(f, Factor::Dim(name, _) if chosen.contains_key(name.as_str()));
    if !axis.terms.iter().flat_map(|t| &t.factors).any(is_chosen) {
        return None;
    }
    let (mut before, mut found) = (0u64, Vec::new());
    for term in &axis.terms {
        // outermost first: each factor multiplies what is known by its extent
        let mut inside = vec![0u64];
        for factor in &term.factors {
            let (extent, some) = match factor {
                Factor::Const(n) => (*n, None),
                Factor::Dim(name, n) => (*n, chosen.get(name.as_str())),
            };
            let each: Vec<u64> = some.map_or_else(|| (0..extent).collect(), Clone::clone);
            inside = inside.iter().flat_map(|outer| each.iter().map(move |i| outer * extent + i)).collect();
        }
        found.extend(inside.into_iter().map(|index| before + index));
        before = before.saturating_add(term.value);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn members_are_evenly_spaced_and_others_are_the_first() {
        assert_eq!(kept(4, 3, true), [0, 2, 3]);
        assert_eq!(kept(12, 6, true), [0, 2, 4, 7, 9, 11]);
        assert_eq!(kept(12, 12, true), (0..12).collect::<Vec<_>>());
        assert_eq!(kept(12, 1, true), [0]);
        assert_eq!(kept(4, 3, false), [0, 1, 2]);
    }
}
