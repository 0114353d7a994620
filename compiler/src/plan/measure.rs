//! Sizes without offsets: what a check of a large checkpoint shows, when nothing asks where the bytes will be.

use std::collections::BTreeMap;

use super::ir::{OutputContainer, Plan};
use super::parts::stored_parts;
use crate::hir::{Metric, Recipe};

/// Below this many tensors a layout costs nothing that a person would notice.
const FEW: usize = 4096;
/// Above this many the header could be longer than readers accept, which only a layout tells.
const MANY: usize = 100_000;
/// How the keys of added arrays end: a tensor that is called so might collide with one.
pub(super) const SUFFIXES: [&str; 6] =
    [".scale", ".zero_point", ".absmax", ".nested_absmax", ".nested_offset", ".activation_scale"];

/// Whether checking `plan` needs its exact layout: a requirement on bytes, a container or shards that can refuse, or
/// names that could collide. Without any of these the layout cannot refuse what the checks let pass.
pub fn needs_layout(plan: &Plan, recipe: &Recipe) -> bool {
    let bytes = |metric| matches!(metric, Metric::Size | Metric::Compression | Metric::Memory);
    let collides = |name: &String| name == "__metadata__" || SUFFIXES.iter().any(|s| name.ends_with(s));
    !(FEW..=MANY).contains(&plan.tensors.len())
        || plan.container != OutputContainer::Safetensors
        || plan.shard_bytes.is_some()
        || recipe.requirements.iter().any(|r| bytes(r.metric))
        || plan.tensors.iter().any(|t| collides(&t.name) || t.aliases.iter().any(collides))
}

/// Bytes of all stored arrays, as [`super::OutputLayout::stored_bytes`]; `None` where a layout would refuse.
pub fn stored_bytes(plan: &Plan) -> Option<u64> {
    // Experts by the thousand share a few formats and shapes.
    let mut known: BTreeMap<(icpc_kernels::Format, &[u64], icpc_kernels::DType), u64> = BTreeMap::new();
    let mut total = 0u64;
    for tensor in &plan.tensors {
        let key = (tensor.format, tensor.shape.as_slice(), tensor.dtype);
        let bytes = match known.get(&key) {
            Some(bytes) => *bytes,
            None => {
                let parts = stored_parts(plan.container, tensor).ok()?;
                let bytes = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.bytes))?;
                known.insert(key, bytes);
                bytes
            }
        };
        total = total.checked_add(bytes)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{OutputLayout, sample};

    #[test]
    fn the_sum_is_the_layouts() {
        let plan = sample::moe();
        assert_eq!(stored_bytes(&plan), Some(OutputLayout::of(&plan).unwrap().stored_bytes));
    }
}
