//! Declared architecture and checkpoint disagree, or none is known.

use super::Context;
use super::arm_facts::name;
use crate::arch::model::{Conflict, Origin};
use crate::base::count;
use crate::diag::{Diagnostic, Loc, declare};

declare!(
    /// The checkpoint is not what the declared architecture says.
    ARCHITECTURE_MISMATCH, "architecture-mismatch", E0601, Error
);
declare!(
    /// No known architecture fits.
    NO_ARCHITECTURE, "no-architecture", E0602, Note
);

/// The most telling conflicts of a named architecture, or a note that none fits.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let named = context.recipe.arch.as_ref();
    match (named, context.model) {
        (Some((_, at)), Some(model)) if !model.fits() => {
            // Another model altogether: its names are the one thing to say.
            let all = context.schema.tensors.len();
            let unknown = model.conflicts.iter().filter(|c| matches!(c, Conflict::Unknown { .. })).count();
            if unknown > 1 && unknown * 2 > all {
                let headline = format!(
                    "`{}` declares {} of {}",
                    model.name,
                    all.saturating_sub(unknown),
                    count(all as u64, "tensor")
                );
                let d = Diagnostic::new(&ARCHITECTURE_MISMATCH, at.clone(), headline);
                let first = model.conflicts.iter().find_map(|c| match c {
                    Conflict::Unknown { tensor } => Some(*tensor),
                    _ => None,
                });
                let d = first.into_iter().fold(d, |d, tensor| d.tensor(tensor, None, "not declared"));
                return vec![d.help("name the architecture that the checkpoint has, or leave `for` out")];
            }
            // One cause breaks many tensors: the first conflict of each kind tells it.
            let mut kinds = Vec::new();
            let mut found = Vec::new();
            for conflict in &model.conflicts {
                let kind = std::mem::discriminant(conflict);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                    let same = model.conflicts.iter().filter(|c| std::mem::discriminant(*c) == kind).count();
                    found.push(mismatch(context, at, &model.name, conflict, same));
                }
            }
            found
        }
        (None, None) => {
            let at = context.recipe.loc.clone();
            let d =
                Diagnostic::new(&NO_ARCHITECTURE, at.clone(), "no known architecture fits this checkpoint")
                    .label("checked by names and shapes alone")
                    .help("roles, dims and lengths are not checked; declare an `arch` for it");
            let near = context.nearest.and_then(|near| {
                let conflict = near.conflicts.first()?;
                let why = mismatch(context, &at, &near.name, conflict, 1);
                Some(format!("`{}` is nearest, but {}", near.name, why.headline))
            });
            vec![near.into_iter().fold(d, Diagnostic::because)]
        }
        _ => Vec::new(),
    }
}

fn mismatch(context: &Context<'_>, at: &Loc, arch: &str, conflict: &Conflict, same: usize) -> Diagnostic {
    let new = |headline: String| Diagnostic::new(&ARCHITECTURE_MISMATCH, at.clone(), headline);
    let d = match conflict {
        Conflict::Dim { dim, first, second } => {
            let said = match second.0 {
                Some(n) => format!("`{dim}` is {} and {n}", first.0),
                None => format!("`{dim}` = {} does not fit an axis", first.0),
            };
            let d = ends(new(said), &first.1, &format!("{dim} = {}", first.0));
            ends(
                d,
                &second.1,
                &second.0.map_or_else(|| "no whole number of it".to_owned(), |n| format!("{dim} = {n}")),
            )
        }
        Conflict::Rank { tensor, declared } => {
            new(format!("`{}` is declared as [{}]", name(context, *tensor as u32), declared.join(", ")))
                .tensor(*tensor, None, "has another rank")
        }
        Conflict::Axis { tensor, axis, expr } => new(format!(
            "axis {axis} of `{}` is not `{expr}`",
            name(context, *tensor as u32)
        ))
        .tensor(*tensor, Some(*axis), format!("declared `{expr}`")),
        Conflict::Missing { name, .. } => {
            new(format!("the checkpoint has no `{name}`")).label(format!("`{arch}` declares it"))
        }
        Conflict::Unknown { tensor } => new(format!(
            "`{arch}` declares no `{}`",
            name(context, *tensor as u32)
        ))
        .tensor(*tensor, None, "declared nowhere"),
        Conflict::Gap { family, missing } => {
            new(format!("`{family}.{missing}` is missing between its neighbours"))
        }
        Conflict::Branch { prefix, lacking } => {
            let d = new(format!("no branch of `{arch}` fits below `{prefix}`"));
            lacking.iter().fold(d, |d, name| d.because(format!("a branch lacks `{name}`")))
        }
    };
    let d =
        if same > 1 { d.because(format!("and {} like it", count(same as u64 - 1, "conflict"))) } else { d };
    if d.help.is_some() {
        d
    } else {
        d.help("name the architecture that the checkpoint has, or leave `for` out")
    }
}

fn ends(d: Diagnostic, origin: &Origin, text: &str) -> Diagnostic {
    match origin {
        Origin::Axis { tensor, axis, expr } => {
            d.tensor(*tensor, Some(*axis), format!("{text}, declared `{expr}`"))
        }
        Origin::Members { tensor, family } => {
            d.tensor(*tensor, None, format!("{text} members of `{family}`"))
        }
        Origin::Config(origin) => d.because(format!("{text} by {origin}")),
        Origin::Default => d.because(format!("{text} by default")),
        Origin::Recipe => d.because(format!("{text} by the recipe")),
    }
}
