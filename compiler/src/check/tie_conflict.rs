//! Two names, one storage, two formats.

use super::Context;
use super::arm_facts::{name, tensor_at};
use crate::diag::{Diagnostic, Place, declare};

declare!(
    /// Arms that disagree on tied tensors.
    TIE_CONFLICT, "tie-conflict", E0304, Error
);

/// Arms that name a storage by different names and want different formats.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let arms = &context.recipe.arms;
    let mut found = Vec::new();
    for dispute in &context.ownership.tie_disputes {
        let (Some(owner), Some(other)) = (arms.get(dispute.owner as usize), arms.get(dispute.other as usize))
        else {
            continue;
        };
        // The overridden arms of an extended recipe need not agree.
        if owner.format == other.format || owner.depth != other.depth {
            continue;
        }
        let headline = format!("`{}` gets two formats by its two names", name(context, dispute.owned_as));
        found.push(
            Diagnostic::new(&TIE_CONFLICT, other.value.loc.clone(), headline)
                .label(format!("second format: `{}` is tied to it", name(context, dispute.other_as)))
                .also(Place::Source(owner.value.loc.clone()), "first format")
                .also(tensor_at(dispute.other_as, None), "shares its storage")
                .help("give both names one format, or remove this arm"),
        );
    }
    found
}
