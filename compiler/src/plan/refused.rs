//! Tensors that the output container cannot hold, or that its loader would refuse.

use super::container::Refusal;
use super::ir::Plan;
use super::layout::LayoutRefusal;
use crate::base::count;
use crate::check::Context;
use crate::diag::{Diagnostic, Place, declare};

declare!(
    /// A format, key or shape that the output container cannot hold.
    CONTAINER_REFUSES, "container-refuses", E0703, Error
);

/// One diagnostic for each arm and reason.
pub fn report(context: &Context<'_>, plan: &Plan, refusals: &[LayoutRefusal]) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut seen: Vec<(u32, std::mem::Discriminant<Refusal>)> = Vec::new();
    for refusal in refusals {
        let arm = plan.tensors.get(refusal.tensor).map_or(0, |t| t.arm.number);
        let key = (arm, std::mem::discriminant(&refusal.reason));
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let same = refusals
            .iter()
            .filter(|r| {
                std::mem::discriminant(&r.reason) == key.1
                    && plan.tensors.get(r.tensor).is_some_and(|t| t.arm.number == arm)
            })
            .count();
        found.push(one(context, refusal, arm, same));
    }
    found
}

fn one(context: &Context<'_>, refusal: &LayoutRefusal, arm: u32, same: usize) -> Diagnostic {
    let arm = (arm as usize).checked_sub(1).and_then(|i| context.recipe.arms.get(i));
    let at = arm.map_or_else(|| context.recipe.loc.clone(), |a| a.value.loc.clone());
    let mut d = Diagnostic::new(&CONTAINER_REFUSES, at, format!("`{}` cannot be stored so", refusal.name))
        .label(refusal.reason.to_string());
    if let Some(emit) = &context.recipe.emit {
        d = d.also(Place::Source(emit.container_loc.clone()), "in this container");
    }
    if let Some(tensor) = context.schema.tensors.iter().position(|t| t.name == refusal.name) {
        d = d.tensor(tensor, None, "this tensor");
    }
    if same > 1 {
        d = d.because(format!("the same holds for {} of this arm", count(same as u64 - 1, "other tensor")));
    }
    d.help("choose another format for it, or another container")
}
