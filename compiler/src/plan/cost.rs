//! What one arm makes of its tensors, in bytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use icpc_kernels::{DType, Format};

use super::ir::Plan;
use super::parts::{StoredRole, is_stored, stored_parts};

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
    }
}
