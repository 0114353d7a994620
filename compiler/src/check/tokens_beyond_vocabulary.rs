//! Tokenizers that do not belong to the checkpoint, and files that are not there.

use super::{Asset, Context, Vocabulary};
use crate::base::with_thousands;
use crate::checkpoint::Attribute;
use crate::diag::{Diagnostic, Place, declare};
use crate::hir::items::BYTES;
use crate::hir::value::ValueKind;

declare!(
    /// A tokenizer that gives ids which the embedding has no row for.
    TOKENS_BEYOND_VOCABULARY, "tokens-beyond-vocabulary", E0404, Error
);
declare!(
    /// A tokenizer that reaches only part of the embedding.
    VOCABULARY_SLACK, "vocabulary-slack", E0407, Note
);
declare!(
    /// A named file that is not there.
    MISSING_FILE, "missing-file", E0903, Error
);
declare!(
    /// A tokenizer that cannot be read.
    UNREADABLE_TOKENIZER, "unreadable-tokenizer", E0904, Error
);

/// The files that `calibrate`, `evaluate` and `tune` name.
pub fn check(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for settings in
        [&context.recipe.calibrate, &context.recipe.evaluate, &context.recipe.tune].into_iter().flatten()
    {
        for field in ["data", "tokenizer", "statistics"] {
            let Some(value) = settings.get(field) else { continue };
            let ValueKind::Text(path) = &value.kind else { continue };
            if field == "tokenizer" && path == BYTES {
                continue;
            }
            let at = value.loc.clone();
            let file = crate::hir::names::join(&at.file, path);
            match context.assets.get(&file) {
                Some(Asset::Missing { reason }) => found.push(
                    Diagnostic::new(&MISSING_FILE, at, format!("the {field} file cannot be read"))
                        .label(reason.clone())
                        .help("paths are relative to the recipe's folder"),
                ),
                // One file under two fields is read once, as a tokenizer; as data it is there.
                Some(Asset::Unreadable { reason, line }) if field == "tokenizer" => found.push(
                    Diagnostic::new(&UNREADABLE_TOKENIZER, at, "the tokenizer cannot be read")
                        .label(reason.clone())
                        .also(Place::File { path: path.as_str().into(), line: *line }, "here"),
                ),
                Some(Asset::Tokenizer(vocabulary)) if field == "tokenizer" => {
                    found.extend(vocabulary_fits(context, at, path, *vocabulary));
                }
                _ => {}
            }
        }
    }
    found
}

fn vocabulary_fits(
    context: &Context<'_>,
    at: crate::diag::Loc,
    path: &str,
    vocabulary: Vocabulary,
) -> Option<Diagnostic> {
    let dim = context.model.and_then(|m| m.dim("vocab"));
    let (rows, place, said) = match dim.and_then(|d| Some((d.value?, d.origin.clone()))) {
        Some((rows, Some(crate::arch::model::Origin::Axis { tensor, axis, .. }))) => {
            let place = super::arm_facts::tensor_at(u32::try_from(tensor).ok()?, u32::try_from(axis).ok());
            (rows, Some(place), None)
        }
        Some((rows, _)) => (rows, None, Some("the architecture's `vocab`".to_owned())),
        // A dim of another name.
        None if context.vocabulary.is_some() => (
            context.vocabulary?,
            None,
            Some("the number of rows in which the forward looks ids up".to_owned()),
        ),
        None => {
            let fact = context.schema.fact(&["vocab_size", "n_vocab"])?;
            let Attribute::Int(n) = fact.value else { return None };
            (u64::try_from(n).ok()?, None, Some(format!("`{}` in {}", fact.key, fact.origin)))
        }
    };
    let largest = vocabulary.max_id.max(vocabulary.declared.map_or(0, |n| n.saturating_sub(1)));
    let shown = with_thousands;
    if largest >= rows {
        let mut d = Diagnostic::new(
            &TOKENS_BEYOND_VOCABULARY,
            at,
            format!("token ids reach {}, the model knows {}", shown(largest), shown(rows)),
        )
        .label(format!("ids from {rows} up have no row"))
        .help("name the tokenizer that the model was trained with");
        if vocabulary.max_id < largest {
            d = d.because(format!(
                "`{path}` declares {} tokens and lists {}",
                largest + 1,
                vocabulary.entries
            ));
        }
        if let Some(place) = place {
            d = d.also(place, format!("{} rows", shown(rows)));
        }
        return Some(match said {
            Some(said) => d.because(format!("{rows} is {said}")),
            None => d,
        });
    }
    if vocabulary.entries * 2 < rows {
        let d = Diagnostic::new(
            &VOCABULARY_SLACK,
            at,
            format!("the tokenizer reaches {} of {} rows", shown(vocabulary.entries), shown(rows)),
        )
        .label("the other rows are never looked up with it");
        return Some(match place {
            Some(place) => d.also(place, format!("{} rows", shown(rows))),
            None => d,
        });
    }
    None
}
