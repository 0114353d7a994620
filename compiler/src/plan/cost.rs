//! What arms make of their tensors, in bytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use icpc_kernels::DType;
use icpc_kernels::format::Format;

use super::ir::{OutputContainer, Plan};
use super::parts::{StoredRole, is_stored, stored_parts};
use crate::checkpoint::Schema;
use crate::hir::{Arm, Recipe};
use crate::matching::Ownership;
use crate::prune::Pruned;

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
    /// Bytes of what is stored of them; `None` where that is not known.
    pub after: Option<u64>,
}

/// What a recipe makes of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Each arm, in the order in which they are tried.
    pub arms: Vec<ArmSum>,
    /// Bytes of all tensors of the checkpoint.
    pub before: u64,
    /// Bytes of all stored arrays; `None` without a plan.
    pub after: Option<u64>,
}

/// The sums of a recipe; `stored` are the bytes of each arm, and if it is `planned`, those of all arms are the output's.
pub fn sums(ownership: &Ownership, schema: &Schema, stored: &[Option<u64>], planned: bool) -> Sums {
    let arm = |(number, claimed): (usize, &Vec<u32>)| {
        let bytes = claimed.iter().filter_map(|t| schema.tensors.get(*t as usize)).map(|t| t.bytes);
        ArmSum {
            tensors: claimed.len() as u64,
            before: bytes.fold(0, u64::saturating_add),
            after: stored.get(number).copied().flatten(),
        }
    };
    let total = || stored.iter().try_fold(0u64, |sum, arm| sum.checked_add((*arm)?));
    Sums {
        arms: ownership.claimed.iter().enumerate().map(arm).collect(),
        before: schema.tensor_bytes(),
        after: planned.then(total).flatten(),
    }
}

/// Bytes of each arm in a recipe that has errors, so that a mistake in one arm hides nothing of the others. `None` for an
/// arm whose format is unknown or cannot hold one of its tensors, and where only a plan tells: other containers than our
/// own, members of a pruned family.
pub fn arm_bytes_without_plan(
    recipe: &Recipe,
    ownership: &Ownership,
    schema: &Schema,
    pruned: &Pruned,
) -> Vec<Option<u64>> {
    let container = recipe.emit.as_ref().and_then(|emit| emit.container);
    if container.is_some_and(|c| c != OutputContainer::Safetensors) || !pruned.members.is_empty() {
        return vec![None; recipe.arms.len()];
    }
    let bytes = |(arm, claimed): (&Arm, &Vec<u32>)| {
        let format = arm.format.filter(|_| !arm.pattern.broken)?;
        if format == Format::Drop {
            return Some(0);
        }
        let mut known: BTreeMap<(&[u64], DType), u64> = BTreeMap::new();
        let mut sum = 0u64;
        for number in claimed {
            let tensor = schema.tensors.get(*number as usize)?;
            let shape = pruned.shape(*number as usize).unwrap_or(&tensor.shape.0);
            let bytes = match known.entry((shape, tensor.dtype)) {
                Entry::Occupied(found) => *found.get(),
                Entry::Vacant(free) => {
                    let cost = cost_of_shapes(&format, [(shape, tensor.dtype)])?;
                    *free.insert(cost.bytes)
                }
            };
            sum = sum.checked_add(bytes)?;
        }
        Some(sum)
    };
    recipe.arms.iter().zip(&ownership.claimed).map(bytes).collect()
}

/// Bytes in the output of each of `arms` arms. `None` where the container refuses a tensor, or a sum overflows.
pub fn arm_bytes(plan: &Plan, arms: usize) -> Option<Vec<u64>> {
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
    fn what_is_foreseen_is_what_the_plan_stores() {
        let listing = "a.weight f32 [64, 128]\na.bias bf16 [64]\nb.{0..=3}.weight f32 [64, 65]\nn i64 [3]\nt = a.weight\n";
        let arms = "a.* => nf4(block: 64), b.{0,2}.* => int8(per: channel), b.** => fp16, n => drop";
        for emit in ["", "emit \"out\" as safetensors(shards: 1 MB);"] {
            let mut session = crate::session::Session::new();
            session.set_checkpoint_listing("x.listing", listing);
            let recipe = format!(
                "recipe r {{ checkpoint \"x.listing\"; prune b.0.weight {{ sparsity: 50% }} assign {{ {arms} }} {emit} }}"
            );
            session.set_file("a.icp", &recipe);
            // Asked for before the plan is made, and without one where it can be foreseen.
            let sums = session.sums("a.icp", "r").unwrap();
            let analysis = session.analysis("a.icp", "r").unwrap();
            let plan = analysis.plan.as_ref().unwrap_or_else(|| panic!("{:?}", analysis.problems));
            assert_eq!((sums.before, sums.after), (plan.source.tensor_bytes, analysis.stored_bytes));
            for (number, sum) in (1..).zip(&sums.arms) {
                assert_eq!(sum.after, arm_cost(plan, number).map(|c| c.bytes), "arm {number}");
            }
        }
    }

    #[test]
    fn an_error_hides_nothing_of_other_arms() {
        let sums = |arms: &str| {
            let mut session = crate::session::Session::new();
            session
                .set_checkpoint_listing("x.listing", "a f32 [64, 128]\nb f32 [64]\nc i64 [3]\nd f32 [4]\n");
            let recipe = format!("recipe r {{ checkpoint \"x.listing\"; assign {{ {arms} }} }}");
            session.set_file("a.icp", &recipe);
            session.sums("a.icp", "r").unwrap()
        };
        let whole = sums("a => nf4(block: 64), b => fp16, c => keep, _ => drop");
        assert_eq!(whole.after, Some(4096 + 512 + 128 + 24));
        let after = |sums: &Sums| sums.arms.iter().map(|arm| arm.after).collect::<Vec<_>>();
        let [a, b, c, d] = after(&whole)[..] else { panic!("{whole:?}") };
        for (arms, expected) in [
            ("a => nf4(block: 64), b => pf16, c => keep, _ => drop", vec![a, None, c, d]),
            ("a => nf4(block: 64), b => fp16, c => int8, _ => drop", vec![a, b, None, d]),
            ("a => nf4(block: 64), x => fp16, c => keep, d => drop", vec![a, Some(0), c, d]),
        ] {
            let found = sums(arms);
            assert_eq!((after(&found), found.after), (expected, None), "{arms}");
        }
    }

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
