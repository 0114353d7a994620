//! An arm that can never win, because arms above it claim all it matches.

use super::Context;
use crate::base::count;
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
    let mut found = Vec::new();
    for (((arm, matched), claimed), lost) in
        arms.iter().zip(context.arms).zip(&context.ownership.claimed).zip(&context.ownership.lost)
    {
        if matched.tensors.is_empty() || lost.is_empty() || matched.rest {
            continue;
        }
        let winner = |(owner, n): &(u32, u32)| {
            let owner = arms.get(*owner as usize)?;
            Some((
                owner,
                format!("claims {}", count(u64::from(*n), "of them").replace("of thems", "of them")),
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
        let headline = format!("`{}` never wins", shortened(&arm.pattern.text));
        let mut d = Diagnostic::new(&SHADOWED_ARM, arm.pattern.loc.clone(), headline)
            .label(format!("all {} are claimed above", count(matched.tensors.len() as u64, "tensor")));
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

fn shortened(text: &str) -> String {
    if text.chars().count() <= 50 {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(49).collect::<String>())
    }
}
