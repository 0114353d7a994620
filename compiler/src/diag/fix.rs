//! Applying fixes to texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::data::{Certainty, Diagnostic, Edit};

/// The edits of the first fix of each diagnostic, by file and in order, as far as they are `up_to` sure
/// ([`Certainty::Unsafe`] includes the safe ones). Spans must be absolute. A fix whose edits overlap an earlier one's, or
/// leave the text, is left out as a whole: the next check reports its problem again.
pub fn chosen_edits<'a, 'd>(
    diagnostics: impl IntoIterator<Item = &'d Diagnostic>,
    up_to: Certainty,
    text: impl Fn(&str) -> Option<&'a str>,
) -> BTreeMap<Arc<str>, Vec<&'d Edit>> {
    let mut chosen: BTreeMap<Arc<str>, Vec<&Edit>> = BTreeMap::new();
    for fix in diagnostics.into_iter().filter_map(|d| d.fixes.first()) {
        let fits = |edit: &Edit| {
            let valid = edit.at.item.is_none()
                && text(&edit.at.file).is_some_and(|t| t.get(edit.at.span.range()).is_some());
            let others = chosen.get(&edit.at.file).map_or(&[][..], Vec::as_slice);
            valid && others.iter().all(|other| apart(edit, other))
        };
        let sure = fix.certainty <= up_to && fix.certainty != Certainty::ShownOnly;
        if sure && fix.edits.iter().all(fits) {
            for edit in &fix.edits {
                chosen.entry(edit.at.file.clone()).or_default().push(edit);
            }
        }
    }
    chosen.values_mut().for_each(|edits| edits.sort_by_key(|e| e.at.span));
    chosen
}

/// The files that change when [`chosen_edits`] are applied, with their new texts.
pub fn apply_fixes<'a>(
    diagnostics: &[Diagnostic],
    up_to: Certainty,
    text: impl Fn(&str) -> Option<&'a str>,
) -> BTreeMap<Arc<str>, String> {
    let mut out = BTreeMap::new();
    for (file, edits) in chosen_edits(diagnostics, up_to, &text) {
        let Some(mut new) = text(&file).map(str::to_owned) else { continue };
        for edit in edits.iter().rev() {
            new.replace_range(edit.at.span.range(), &edit.text);
        }
        out.insert(file, new);
    }
    out
}

fn apart(a: &Edit, b: &Edit) -> bool {
    // Two insertions at one place have no order, so they count as overlapping.
    let (a, b) = (a.at.span, b.at.span);
    (a.end <= b.start || b.end <= a.start) && a != b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::samples::{self, RECIPE};

    #[test]
    fn fixes_apply_together_and_only_as_sure_as_asked() {
        let diagnostics = [samples::length(), samples::unmatched(), samples::length()];
        let text = |_: &str| Some(RECIPE);
        assert!(apply_fixes(&diagnostics, Certainty::Safe, text).is_empty());
        let fixed = apply_fixes(&diagnostics, Certainty::Unsafe, text);
        let new = fixed.values().next().unwrap();
        let expected = RECIPE.replace("moe.moe.experts", "moe.layer.experts").replace("512", "128");
        assert_eq!(*new, expected);
    }

    #[test]
    fn an_edit_outside_the_text_is_left_out() {
        assert!(apply_fixes(&[samples::length()], Certainty::Unsafe, |_| Some("short")).is_empty());
    }
}
