//! From spans relative to their items to spans relative to their files.

use super::data::{Diagnostic, Loc, Place};

/// The same diagnostic with absolute spans. `start` gives the first byte of an item by file and number; a place whose
/// item is unknown (its file changed since) stays relative, and renderers name its file only.
pub fn absolute(diagnostic: &Diagnostic, start: impl Fn(&str, u32) -> Option<u32>) -> Diagnostic {
    let moved = |loc: &mut Loc| {
        if let Some(base) = loc.item.and_then(|item| start(&loc.file, item)) {
            loc.span = loc.span.absolute_from(base);
            loc.item = None;
        }
    };
    let mut out = diagnostic.clone();
    for label in std::iter::once(&mut out.primary).chain(&mut out.secondary) {
        if let Place::Source(loc) = &mut label.place {
            moved(loc);
        }
    }
    for edit in out.fixes.iter_mut().flat_map(|f| &mut f.edits) {
        moved(&mut edit.at);
    }
    out
}

/// Sorts by file, position and code, so that output is the same whatever order the checks ran in. Diagnostics about the
/// checkpoint and about whole files come after those with a place in a source.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        (&a.primary.place, a.kind.code, &a.headline).cmp(&(&b.primary.place, b.kind.code, &b.headline))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::diag::{Certainty, samples};

    #[test]
    fn items_move_everything_of_theirs() {
        let loc = |item, start, end| Loc { file: "a.icp".into(), item, span: Span::new(start, end) };
        let d = Diagnostic::new(&samples::UNMATCHED, loc(Some(2), 5, 9), "`a.b` matches no tensor")
            .also(Place::Source(loc(Some(0), 1, 2)), "")
            .fix(Certainty::Unsafe, "replace it", loc(Some(2), 5, 9), "c");
        let moved = absolute(&d, |file, item| (file == "a.icp").then_some(item * 100));
        assert_eq!(moved.primary.place, Place::Source(loc(None, 205, 209)));
        assert_eq!(moved.secondary[0].place, Place::Source(loc(None, 1, 2)));
        assert_eq!(moved.fixes[0].edits[0].at, loc(None, 205, 209));
        assert_eq!(absolute(&moved, |_, _| Some(7)), moved, "absolute is absolute");
    }

    #[test]
    fn the_order_is_file_position_code() {
        let at = |file: &str, start| Loc { file: file.into(), item: None, span: Span::new(start, start + 1) };
        let mut all = vec![
            Diagnostic::new(&samples::UNMATCHED, at("b.icp", 1), "x"),
            Diagnostic::new(&samples::UNMATCHED, at("a.icp", 9), "x"),
            Diagnostic::new(&samples::LENGTH, at("a.icp", 9), "x"),
            Diagnostic::new(&samples::UNMATCHED, at("a.icp", 3), "x"),
        ];
        sort(&mut all);
        let shown: Vec<String> =
            all.iter().map(|d| format!("{:?} {}", d.primary.place, d.kind.code)).collect();
        let expected = ["a.icp 3 E0301", "a.icp 9 E0301", "a.icp 9 E0401", "b.icp 1 E0301"];
        for (shown, expected) in shown.iter().zip(expected) {
            assert!(expected.split(' ').all(|part| shown.contains(part)), "{shown} is not {expected}");
        }
    }
}
