//! Checkpoints that another program compressed: their codes are no weights, whatever a format makes of them.

use icpc_kernels::format::Format;

use super::Context;
use super::architecture::{ARCHITECTURE_MISMATCH, NO_ARCHITECTURE};
use super::arm_facts::{name, tensor_at};
use super::requantised::ROUNDED_TWICE;
use super::storage::NOT_A_FLOAT;
use crate::base::count;
use crate::checkpoint::{compressed, is_code};
use crate::diag::{Diagnostic, declare};
use crate::hir::Arm;

declare!(
    /// Codes of another program that are stored as if they were weights.
    ALREADY_COMPRESSED, "already-compressed", E0504, Error
);

/// Says it once, in the place of all that follows from it in `found`.
pub fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let arms = context.recipe.arms.iter().zip(&context.ownership.claimed);
    let stores = |arm: &Arm| arm.format.is_some_and(|f| !matches!(f, Format::Keep | Format::Drop));
    let mut stored =
        arms.filter(|(arm, _)| stores(arm)).flat_map(|(arm, all)| all.iter().map(move |t| (arm, *t)));
    let holds_codes =
        |tensor: u32| context.schema.tensors.get(tensor as usize).is_some_and(|t| is_code(t.dtype));
    let differs = context.recipe.arch.is_some() && context.model.is_some_and(|model| !model.fits());
    // Names are looked at where there is a reason.
    if !differs && !stored.clone().any(|(_, tensor)| holds_codes(tensor)) {
        return;
    }
    let Some(known) = compressed(context.schema) else { return };
    let claimed = stored.find(|(_, tensor)| known.members.contains(&(*tensor as usize)));
    let headline = format!("this checkpoint is compressed already ({})", known.by);
    let d = match (claimed, &context.recipe.arch) {
        (Some((arm, tensor)), _) => Diagnostic::new(&ALREADY_COMPRESSED, arm.value.loc.clone(), headline)
            .label("stores codes as if they were weights")
            .also(tensor_at(tensor, None), format!("`{}` is no weight", name(context, tensor))),
        (None, Some((_, at))) if differs => Diagnostic::new(&ALREADY_COMPRESSED, at.clone(), headline)
            .label("declares weights")
            .tensor(known.tensor, None, "says what codes mean"),
        _ => return,
    };
    let d = d.because(format!(
        "{} are codes, or say what codes mean",
        count(known.members.len() as u64, "tensor")
    ));
    found.retain(|d| {
        ![&NOT_A_FLOAT, &ROUNDED_TWICE, &ARCHITECTURE_MISMATCH, &NO_ARCHITECTURE].contains(&d.kind)
    });
    found.push(d.help(known.remedy()));
}
