//! What one arm makes of its tensors, in bytes.

use std::collections::BTreeMap;

use icpc_kernels::DType;

use super::ir::Plan;
use super::parts::{StoredRole, stored_parts};

/// Bytes of the tensors of one arm in the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmCost {
    /// Tensors of the plan that it owns.
    pub tensors: u64,
    /// All of their bytes.
    pub bytes: u64,
    /// The same by what the arrays are, in the order in which they first occur.
    pub parts: Vec<(StoredRole, u64)>,
}

/// The cost of arm `number` (from 1). `None` where the container refuses one of its tensors, or a sum overflows.
pub fn arm_cost(plan: &Plan, number: u32) -> Option<ArmCost> {
    // An arm has one format; its tensors share a few shapes.
    let mut known: BTreeMap<(&[u64], DType), Vec<(StoredRole, u64)>> = BTreeMap::new();
    let mut cost = ArmCost::default();
    for tensor in plan.tensors.iter().filter(|t| t.arm.number == number) {
        let key = (tensor.shape.as_slice(), tensor.dtype);
        if !known.contains_key(&key) {
            let parts = stored_parts(plan.container, tensor).ok()?;
            known.insert(key, parts.iter().map(|part| (part.role, part.bytes)).collect());
        }
        cost.tensors += 1;
        for (role, bytes) in known.get(&key)? {
            cost.bytes = cost.bytes.checked_add(*bytes)?;
            match cost.parts.iter_mut().find(|(known, _)| known == role) {
                Some((_, sum)) => *sum += bytes,
                None => cost.parts.push((*role, *bytes)),
            }
        }
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
    }
}
