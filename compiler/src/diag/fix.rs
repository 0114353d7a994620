//! Applying fixes to texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::data::{Certainty, Diagnostic, Edit};
use crate::base::Span;

/// The edits of the first fix of each diagnostic, by file and in order, as far as they are `up_to` sure
/// ([`Certainty::Unsafe`] includes the safe ones). Spans must be absolute. A fix whose edits overlap an earlier one's, or
/// leave the text, is left out as a whole: the next check reports its problem again.
pub fn chosen_edits<'a, 'd>(
    diagnostics: impl IntoIterator<Item = &'d Diagnostic>,
    up_to: Certainty,
    text: impl Fn(&str) -> Option<&'a str>,
) -> BTreeMap<Arc<str>, Vec<&'d Edit>> {
    let mut chosen: BTreeMap<Arc<str>, Vec<&Edit>> = BTreeMap::new();
    // By place: of each, only its neighbours can overlap it.
    let mut taken: BTreeMap<Arc<str>, BTreeSet<Span>> = BTreeMap::new();
    for fix in diagnostics.into_iter().filter_map(|d| d.fixes.first()) {
        let fits = |edit: &Edit| {
            let valid = edit.at.item.is_none()
                && text(&edit.at.file).is_some_and(|t| t.get(edit.at.span.range()).is_some());
            valid && taken.get(&edit.at.file).is_none_or(|taken| is_free(edit.at.span, taken))
        };
        let sure = fix.certainty <= up_to && fix.certainty != Certainty::ShownOnly;
        if sure && fix.edits.iter().all(fits) {
            for edit in &fix.edits {
                chosen.entry(edit.at.file.clone()).or_default().push(edit);
                taken.entry(edit.at.file.clone()).or_default().insert(edit.at.span);
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
        let Some(old) = text(&file) else { continue };
        let (mut new, mut kept) = (String::new(), 0);
        for edit in edits {
            let at = edit.at.span.range();
            new.push_str(old.get(kept..at.start).unwrap_or(""));
            new.push_str(&edit.text);
            kept = kept.max(at.end);
        }
        new.push_str(old.get(kept..).unwrap_or(""));
        out.insert(file, new);
    }
    out
}

/// Whether `span` overlaps none of `taken`, which do not overlap each other.
fn is_free(span: Span, taken: &BTreeSet<Span>) -> bool {
    let before = taken.range(..=span).next_back();
    let behind = taken.range(span..).next();
    before.into_iter().chain(behind).all(|other| apart(span, *other))
}

fn apart(a: Span, b: Span) -> bool {
    // Two insertions at one place have no order, so they count as overlapping.
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
