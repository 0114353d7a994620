//! A percentile that cannot cut anything in groups of this size.

use icpc_kernels::format::{Clip, Format, Int, Per, Percentile};

use super::Context;
use super::arm_facts::{argument_at, name, rewrite, tensor_at};
use crate::base::with_thousands;
use crate::diag::{Diagnostic, declare};

declare!(
    /// A percentile on groups so small that only their largest value lies above it.
    PERCENTILE_CUTS_NOTHING, "percentile-cuts-nothing", E0405, Warning
);

/// The smallest group of each arm with a percentile.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (arm, claimed) in context.recipe.arms.iter().zip(&context.ownership.claimed) {
        let Some(Format::Int(int)) = &arm.format else { continue };
        let Clip::Percentile(p) = int.clip else { continue };
        let mut smallest: Option<(u64, u32)> = None;
        for tensor in claimed {
            let Some(info) = context.schema.tensors.get(*tensor as usize) else { continue };
            let shape = context.pruned.shape(*tensor as usize).unwrap_or(&info.shape.0);
            let Some(group) = group(int, shape) else { continue };
            if group > 0 && p.cuts_nothing(group) && smallest.is_none_or(|(least, _)| group < least) {
                smallest = Some((group, *tensor));
            }
        }
        let Some((group, tensor)) = smallest else { continue };
        let needed = 1_000_000_000u64.div_ceil(u64::from(1_000_000_000 - p.billionths()).max(1));
        let d = Diagnostic::new(
            &PERCENTILE_CUTS_NOTHING,
            argument_at(&arm.value, "clip"),
            format!("percentile {p} cuts nothing in groups of {}", with_thousands(group)),
        )
        .label(format!("needs {} values or more to cut one", with_thousands(needed)))
        .also(tensor_at(tensor, None), format!("groups of {} here", with_thousands(group)))
        .because(format!(
            "{needed} = 1 / (1 - {p}); in `{}` only the largest value lies above it",
            name(context, tensor)
        ))
        .help("take `clip: minmax`, a lower percentile, or larger groups");
        found.push(rewrite(d, &arm.value, "clip", "minmax"));
    }
    found
}

/// Values that share a scale in a tensor of this shape; `None` where its axis does not exist or is empty.
pub fn group(int: &Int, shape: &[u64]) -> Option<u64> {
    let elements = crate::base::checked_len(shape).unwrap_or(0);
    match int.per {
        Per::Tensor => Some(elements),
        Per::Block(n) => Some(u64::from(n)),
        Per::Channel { axis } => elements.checked_div(*shape.get(axis as usize)?),
    }
}

/// The same for an arm's format; `None` for one without groups.
pub fn group_of(format: &Format, shape: &[u64]) -> Option<u64> {
    match format {
        Format::Int(int) => group(int, shape),
        _ => None,
    }
}

/// The highest percentile that cuts something off in groups of so many values.
pub fn highest_that_cuts(group: u64) -> Option<Percentile> {
    let needed = 1_000_000_000u64.div_ceil(group.max(1));
    Percentile::from_billionths(u32::try_from(1_000_000_000 - needed).ok()?)
}
