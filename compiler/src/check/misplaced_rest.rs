//! `_` claims all that is left, so what comes after it gets nothing.

use super::Context;
use crate::diag::{Certainty, Diagnostic, Edit, Fix, Place, declare};

declare!(
    /// An arm after `_`.
    MISPLACED_REST, "misplaced-rest", E0307, Error
);

/// Whether arm `i` is a `_` that arms of the same recipe follow: what it claims is not what it is meant to claim.
pub fn is_misplaced(context: &Context<'_>, i: usize) -> bool {
    let arms = &context.recipe.arms;
    let (Some(arm), Some(next)) = (arms.get(i), arms.get(i + 1)) else { return false };
    // Arms of the extended recipe follow by themselves: there, it is this recipe that leaves nothing to them.
    context.arms.get(i).is_some_and(|m| m.rest) && next.depth == arm.depth
}

/// `_` that is not the last arm of its recipe, or one of several alternatives.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let arms = &context.recipe.arms;
    let mut found = Vec::new();
    for (i, arm) in arms.iter().enumerate() {
        let Some(next) = arms.get(i + 1).filter(|_| is_misplaced(context, i)) else { continue };
        let mut d = Diagnostic::new(&MISPLACED_REST, arm.pattern.loc.clone(), "`_` is not the last arm")
            .label("claims every tensor that is left")
            .also(Place::Source(next.pattern.loc.clone()), "gets nothing")
            .help("move the `_` arm to the end");
        let last = arms.iter().rfind(|a| a.depth == arm.depth);
        if let Some(last) = last.filter(|l| l.loc.file == arm.loc.file && l.loc.item == arm.loc.item) {
            // Exchange the two arms' texts by their patterns and formats: spans stay inside one item.
            d.fixes.push(Fix {
                title: "exchange it with the last arm".into(),
                certainty: Certainty::ShownOnly,
                edits: vec![
                    Edit { at: arm.pattern.loc.clone(), text: last.pattern.text.to_string() },
                    Edit { at: last.pattern.loc.clone(), text: arm.pattern.text.to_string() },
                ],
            });
        }
        found.push(d);
    }
    found
}
