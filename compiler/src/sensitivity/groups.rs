//! Which tensors are tried together.

use std::collections::BTreeMap;

use super::data::{By, Group};
use super::names::{layer_of, starred};
use crate::eval::{Model, Storage};

/// Groups of the tensors that can be put into a format, in the order in which they first occur. Buffers of integers are in
/// none.
pub fn groups(model: &Model, by: By) -> Vec<Group> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut out: Vec<Group> = Vec::new();
    for tensor in model.tensors().into_iter().filter(|t| t.dtype.is_float()) {
        let name = name(&tensor, by);
        let at = *places.entry(name.clone()).or_insert(out.len());
        if at == out.len() {
            out.push(Group { name, tensors: Vec::new(), elements: 0, bytes: 0 });
        }
        if let Some(group) = out.get_mut(at) {
            group.elements += tensor.shape.iter().fold(1u64, |n, d| n.saturating_mul(*d));
            group.bytes += tensor.bytes;
            group.tensors.push(tensor.name);
        }
    }
    out
}

fn name(tensor: &Storage, by: By) -> String {
    match by {
        By::Position => starred(&tensor.name),
        By::Tensor => tensor.name.clone(),
        By::Layer => layer_of(&tensor.name).unwrap_or_else(|| "beside the layers".to_owned()),
        By::Role if tensor.roles.is_empty() => "without a role".to_owned(),
        By::Role => tensor.roles.iter().map(|r| format!("@{r}")).collect::<Vec<_>>().join(" "),
    }
}
