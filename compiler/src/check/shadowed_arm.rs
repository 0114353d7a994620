//! An arm that can never win, because arms above it claim all it matches.

use super::Context;
use super::arm_facts::name;
use super::misplaced_rest::is_misplaced;
use crate::base::count;
use crate::diag::{Diagnostic, Place, declare};
use crate::matching::owner::TieDispute;

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
    let mut found = Vec::new();
    for (number, (((arm, matched), claimed), lost)) in
        (0u32..).zip(arms.iter().zip(context.arms).zip(&context.ownership.claimed).zip(&context.ownership.lost))
    {
        if matched.tensors.is_empty() || lost.is_empty() || matched.rest {
            continue;
        }
        // A `_` above is reported there, once for all that it takes.
        if lost.iter().any(|(owner, _)| is_misplaced(context, *owner as usize)) {
            continue;
        }
        let mut ties = context.ownership.tie_disputes.iter().filter(|d| d.other == number);
        let tie = ties.next();
        let winner = |(owner, n): &(u32, u32)| {
            let owner = arms.get(*owner as usize)?;
            Some((
                owner,
                format!("claims {n} of them"),
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
        // Two formats for one storage: that is the conflict, and it is reported as such.
        let conflict = |d: &TieDispute| arms.get(d.owner as usize).is_some_and(|o| o.format != arm.format);
        if tie.is_some_and(conflict) {
            continue;
        }
        let headline = format!("`{}` never wins", shortened(&arm.pattern.text));
        let mut d = Diagnostic::new(&SHADOWED_ARM, arm.pattern.loc.clone(), headline)
            .label(format!("all {} are claimed above", count(matched.tensors.len() as u64, "tensor")));
        for (owner, text) in lost.iter().take(2).filter_map(winner) {
            d = d.also(Place::Source(owner.pattern.loc.clone()), text);
        }
        found.push(match tie {
            Some(tie) => d
                .because(format!("`{}` is tied to `{}`", name(context, tie.other_as), name(context, tie.owned_as)))
                .help("remove it: tied names are one tensor"),
            None => d.help("move it above, or remove it"),
        });
    }
    found
}

fn is_are(n: u32) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 50 {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(49).collect::<String>())
    }
}
