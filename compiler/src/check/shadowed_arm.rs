//! An arm that can never win, because arms above it claim all it matches.

use std::collections::BTreeSet;

use super::Context;
use crate::base::{count, with_thousands};
use crate::diag::{Diagnostic, Place, declare};

declare!(
    /// All tensors of an arm are claimed above it.
    SHADOWED_ARM, "shadowed-arm", E0302, Error
);
declare!(
    /// Some tensors of an arm are claimed above it.
    PARTLY_SHADOWED_ARM, "partly-shadowed-arm", E0305, Note
);

/// Arms whose tensors went to others.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let arms = &context.recipe.arms;
    let disputed: BTreeSet<u32> = context.ownership.tie_disputes.iter().map(|d| d.other).collect();
    let mut found = Vec::new();
    for (number, (((arm, matched), claimed), lost)) in (0u32..)
        .zip(arms.iter().zip(context.arms).zip(&context.ownership.claimed).zip(&context.ownership.lost))
    {
        if matched.tensors.is_empty() || lost.is_empty() || matched.rest {
            continue;
        }
        // Another name of the same storage: `tie_conflict` speaks if the two arms disagree.
        let tied = disputed.contains(&number);
        // Behind a `_`: `misplaced_rest` speaks.
        let behind_rest =
            lost.iter().any(|(owner, _)| context.arms.get(*owner as usize).is_some_and(|m| m.rest));
        if claimed.is_empty() && (tied || behind_rest) {
            continue;
        }
        let winner = |(owner, n): &(u32, u32)| {
            let owner = arms.get(*owner as usize)?;
            Some((
                owner,
                match (*n, matched.tensors.len()) {
                    (1, 1) => "claims it".to_owned(),
                    (n, _) => format!("claims {} of them", with_thousands(u64::from(n))),
                },
            ))
        };
        if !claimed.is_empty() {
            let total: u32 = lost.iter().map(|(_, n)| n).sum();
            let headline =
                format!("{} of this arm {} claimed above", count(u64::from(total), "tensor"), is_are(total));
            let mut d = Diagnostic::new(&PARTLY_SHADOWED_ARM, arm.pattern.loc.clone(), headline)
                .label(format!("gets {}", count(claimed.len() as u64, "tensor")));
            for (owner, text) in lost.iter().take(2).filter_map(winner) {
                d = d.also(Place::Source(owner.pattern.loc.clone()), text);
            }
            found.push(d);
            continue;
        }
        // A recipe that extends another overrides its arms: that is what it is for.
        let by_own_recipe =
            lost.iter().all(|(o, _)| arms.get(*o as usize).is_some_and(|o| o.depth == arm.depth));
        if !by_own_recipe {
            continue;
        }
        let headline = format!("`{}` never wins", arm.pattern.text);
        let mut d = Diagnostic::new(&SHADOWED_ARM, arm.pattern.loc.clone(), headline).label(
            match matched.tensors.len() {
                1 => "its only tensor is claimed above".to_owned(),
                n => format!("all {} are claimed above", count(n as u64, "tensor")),
            },
        );
        for (owner, text) in lost.iter().take(2).filter_map(winner) {
            d = d.also(Place::Source(owner.pattern.loc.clone()), text);
        }
        found.push(d.help("move it above, or remove it"));
    }
    found
}

fn is_are(n: u32) -> &'static str {
    if n == 1 { "is" } else { "are" }
}
