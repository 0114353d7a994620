//! What planning will report, told without a plan: while one types in a recipe for 100,000 tensors, nobody asks for the
//! plan, and most recipes hold nothing that it could refuse.

use std::collections::BTreeMap;

use icpc_kernels::DType;
use icpc_kernels::format::Format;

use super::header::{self, HEADER_LIMIT};
use super::ir::{ArmRef, OutputContainer, TensorPlan, TensorSource};
use super::measure::SUFFIXES;
use super::metadata::FormatRecord;
use super::parts::stored_parts;
use super::requirement;
use crate::check::Context;
use crate::checkpoint::Schema;
use crate::diag::Diagnostic;

/// Characters of an entry of a header beside its key, its type and its shape, with two offsets of 20 digits.
const ENTRY: usize = 96;
/// Characters of a header beside its entries.
const FIXED: usize = 512;

/// Whether no name of a checkpoint could collide with the key of an added array, and none needs escapes.
pub fn plain_names(schema: &Schema) -> bool {
    schema.tensors.iter().all(|tensor| {
        let name = &*tensor.name;
        let plain = name.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\');
        plain && name != "__metadata__" && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
    })
}

/// What planning will say.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// Its problems.
    pub problems: Vec<Diagnostic>,
    /// Bytes of what it stores of the tensors of each arm.
    pub stored: Vec<u64>,
}

/// What planning a recipe will say; its checks have found no error. `None` where only the plan tells: other containers,
/// shards, members of a pruned family, sizes near a bound.
pub fn foresee(context: &Context<'_>, plain_names: bool) -> Option<Foreseen> {
    let emit = context.recipe.emit.as_ref();
    let plain = emit.is_none_or(|e| {
        e.container.unwrap_or(OutputContainer::Safetensors) == OutputContainer::Safetensors
            && e.shard_bytes.is_none()
    });
    if !plain || !plain_names || !context.pruned.members.is_empty() {
        return None;
    }
    let (stored, most_header) = bytes(context)?;
    let stored_bytes = stored.iter().try_fold(0u64, |sum, bytes| sum.checked_add(*bytes))?;
    if most_header > HEADER_LIMIT {
        return None;
    }
    let problems =
        requirement::foresee(context.recipe, stored_bytes, most_header, context.schema.tensor_bytes())?;
    Some(Foreseen { problems, stored })
}

/// Tensors that are stored alike: experts by the thousand share a few formats and shapes.
type Class<'a> = (Format, &'a [u64], DType);

/// Bytes of the stored arrays of each arm, and of headers at most.
fn bytes(context: &Context<'_>) -> Option<(Vec<u64>, u64)> {
    let mut known: BTreeMap<Class<'_>, (u64, u64, u64)> = BTreeMap::new();
    let mut last: Option<(Class<'_>, (u64, u64, u64))> = None;
    let (mut stored, mut text) = (vec![0u64; context.recipe.arms.len()], FIXED as u64);
    let tensors = context.schema.tensors.iter().zip(&context.ownership.owner).enumerate();
    for (number, (tensor, owner)) in tensors {
        let name = tensor.name.len() as u64;
        if let Some(kept) = tensor.tied_to {
            // `"alias":"name",`, quoted once more.
            let kept = context.schema.tensors.get(kept as usize)?.name.len() as u64;
            text = text.checked_add(2 * (name + kept) + 16)?;
            continue;
        }
        let Some(owner) = owner else { continue };
        let format = context.recipe.arms.get(*owner as usize)?.format?;
        if format == Format::Drop {
            continue;
        }
        let shape = context.pruned.shape(number).unwrap_or(&tensor.shape.0);
        let class = (format, shape, tensor.dtype);
        let (bytes, parts, written) = match last {
            Some((same, costs)) if same == class => costs,
            _ => match known.get(&class) {
                Some(costs) => *costs,
                None => {
                    let costs = costs(&class)?;
                    known.insert(class, costs);
                    costs
                }
            },
        };
        last = Some((class, (bytes, parts, written)));
        let sum = stored.get_mut(*owner as usize)?;
        *sum = sum.checked_add(bytes)?;
        // The name is in the key of each part, and in the record of its format, quoted once more.
        text = text.checked_add(name.checked_mul(parts + 2)?)?.checked_add(written)?;
    }
    Some((stored, text))
}

/// Bytes of a tensor's arrays, their number, and characters about them in a header without the name.
fn costs((format, shape, dtype): &Class<'_>) -> Option<(u64, u64, u64)> {
    let tensor = TensorPlan {
        name: String::new(),
        aliases: Vec::new(),
        source: TensorSource::Tensor(String::new()),
        dtype: *dtype,
        source_shape: shape.to_vec(),
        shape: shape.to_vec(),
        cuts: Vec::new(),
        mask: None,
        format: *format,
        arm: ArmRef { number: 0, pattern: "".into() },
    };
    let parts = stored_parts(OutputContainer::Safetensors, &tensor).ok()?;
    let list = |numbers: &[u64]| {
        let mut text = String::new();
        header::push_list(&mut text, numbers);
        text.len()
    };
    let bytes = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.bytes))?;
    let entries: usize = parts.iter().map(|part| part.key.len() + list(&part.shape) + ENTRY).sum();
    // The record is text in a text: quotes take two characters.
    let record = serde_json::to_string(&FormatRecord::of(format)).ok()?.len() + list(shape) + ENTRY;
    Some((bytes, parts.len() as u64, (entries + 2 * record) as u64))
}

#[cfg(test)]
mod tests {
    use super::super::{OutputLayout, sample};
    use super::*;

    #[test]
    fn a_header_is_never_longer_than_foreseen() {
        let plan = sample::moe();
        let layout = OutputLayout::of(&plan).unwrap();
        let mut text = FIXED as u64;
        let mut stored = 0;
        for tensor in &plan.tensors {
            let (bytes, parts, written) =
                costs(&(tensor.format, tensor.shape.as_slice(), tensor.dtype)).unwrap();
            let aliases = tensor.aliases.iter().map(|a| 2 * (a.len() + tensor.name.len()) as u64 + 16);
            text += tensor.name.len() as u64 * (parts + 2) + written + aliases.sum::<u64>();
            stored += bytes;
        }
        let header = layout.file_bytes - layout.stored_bytes;
        assert_eq!(stored, layout.stored_bytes);
        assert!(header <= text, "{header} bytes of header, {text} foreseen");
        assert!(text < 3 * header, "a bound that decides something: {text} for {header}");
    }
}
