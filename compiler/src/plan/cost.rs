//! What arms make of their tensors, in bytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use icpc_kernels::DType;
use icpc_kernels::format::Format;

use super::ir::Plan;
use super::parts::{StoredRole, is_stored, stored_parts};
use crate::checkpoint::Schema;
use crate::matching::Ownership;

/// Bytes of the tensors of one arm in the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmCost {
    /// Tensors of the plan that it owns.
    pub tensors: u64,
    /// All of their bytes.
    pub bytes: u64,
    /// The same by what the arrays are, in the order in which they first occur.
    pub parts: PartBytes,
}

impl ArmCost {
    /// Adds a tensor; `None` on overflow.
    fn add(&mut self, parts: &PartBytes) -> Option<()> {
        self.tensors += 1;
        for (role, bytes) in parts {
            self.bytes = self.bytes.checked_add(*bytes)?;
            match self.parts.iter_mut().find(|(known, _)| known == role) {
                Some((_, sum)) => *sum += bytes,
                None => self.parts.push((*role, *bytes)),
            }
        }
        Some(())
    }
}

/// Bytes of each kind of array.
pub type PartBytes = Vec<(StoredRole, u64)>;

/// The cost of tensors of these shapes and element types in our own files, without a plan. `None` where the format cannot
/// hold one of them, or a sum overflows.
pub fn cost_of_shapes<'a>(
    format: &Format,
    tensors: impl IntoIterator<Item = (&'a [u64], DType)>,
) -> Option<ArmCost> {
    let mut known: BTreeMap<(&[u64], DType), PartBytes> = BTreeMap::new();
    let mut cost = ArmCost::default();
    for key in tensors {
        let parts = match known.entry(key) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => {
                let layout = format.layout(key.0, key.1).ok()?;
                let stored = layout.parts.iter().filter(|part| is_stored(format, part.role));
                free.insert(stored.map(|part| (StoredRole::Format(part.role), part.bytes)).collect())
            }
        };
        cost.add(parts)?;
    }
    Some(cost)
}

/// The cost of arm `number` (from 1). `None` where the container refuses one of its tensors, or a sum overflows.
pub fn arm_cost(plan: &Plan, number: u32) -> Option<ArmCost> {
    let mut known: BTreeMap<(&[u64], DType), PartBytes> = BTreeMap::new();
    let mut cost = ArmCost::default();
    for tensor in plan.tensors.iter().filter(|t| t.arm.number == number) {
        // An arm has one format; its tensors share a few shapes.
        let parts = match known.entry((tensor.shape.as_slice(), tensor.dtype)) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => {
                let parts = stored_parts(plan.container, tensor).ok()?;
                free.insert(parts.iter().map(|part| (part.role, part.bytes)).collect())
            }
        };
        cost.add(parts)?;
    }
    Some(cost)
}

/// What one arm owns, before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmSum {
    /// Tensors of the checkpoint that it owns, tied ones counted once.
    pub tensors: u64,
    /// Their bytes there.
    pub before: u64,
    /// Bytes of what the plan stores of them; `None` without a plan.
    pub after: Option<u64>,
}

/// The sums of all arms of a recipe, in one pass over the tensors.
pub fn arm_sums(ownership: &Ownership, schema: &Schema, plan: Option<&Plan>) -> Vec<ArmSum> {
    let after = plan.and_then(|plan| arm_bytes(plan, ownership.claimed.len()));
    let sum = |(number, claimed): (usize, &Vec<u32>)| {
        let bytes = claimed.iter().filter_map(|t| schema.tensors.get(*t as usize)).map(|t| t.bytes);
        ArmSum {
            tensors: claimed.len() as u64,
            before: bytes.fold(0, u64::saturating_add),
            after: after.as_ref().and_then(|after| after.get(number)).copied(),
        }
    };
    ownership.claimed.iter().enumerate().map(sum).collect()
}

/// Bytes in the output of each of `arms` arms. `None` where the container refuses a tensor, or a sum overflows.
fn arm_bytes(plan: &Plan, arms: usize) -> Option<Vec<u64>> {
    let mut known: BTreeMap<(Format, &[u64], DType), u64> = BTreeMap::new();
    let mut sums = vec![0u64; arms];
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
        let sum = sums.get_mut(tensor.arm.number.checked_sub(1)? as usize)?;
        *sum = sum.checked_add(bytes)?;
    }
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{OutputLayout, sample};

    #[test]
    fn arms_add_up_to_the_output() {
        let plan = sample::moe();
        let arms: Vec<ArmCost> = (1..=5).map(|n| arm_cost(&plan, n).unwrap()).collect();
        let sum: u64 = arms.iter().map(|a| a.bytes).sum();
        assert_eq!(sum, OutputLayout::of(&plan).unwrap().stored_bytes);
        assert!(arms.iter().all(|a| a.parts.iter().map(|(_, n)| n).sum::<u64>() == a.bytes));
        assert_eq!(arms.iter().map(|a| a.tensors).sum::<u64>(), plan.tensors.len() as u64);
        assert_eq!(arm_cost(&plan, 9), Some(ArmCost::default()));
        for (number, expected) in (1..).zip(&arms) {
            let own: Vec<_> = plan.tensors.iter().filter(|t| t.arm.number == number).collect();
            let format = own.first().map_or(Format::Drop, |t| t.format);
            let shapes = own.iter().map(|t| (t.shape.as_slice(), t.dtype));
            // Arm 4 of the sample has tensors of two formats, which no recipe gives.
            if own.iter().all(|t| t.format == format) {
                assert_eq!(cost_of_shapes(&format, shapes).as_ref(), Some(expected), "arm {number}");
            }
        }
        let bytes: Vec<u64> = arms.iter().map(|a| a.bytes).collect();
        assert_eq!(arm_bytes(&plan, 5), Some(bytes));
    }
}
