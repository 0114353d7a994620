//! Whatever the compiler parses, the grammar parses, too.

use icpc_tests::literate::{Document, cases};
use icpc_tests::repository;

use crate::{errors, parse};

/// Every text of the language in the repository, with where it stands.
pub(crate) fn texts() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for folder in ["examples", "stdlib"] {
        for file in repository::files(folder, "icp") {
            let text = repository::read(&file).unwrap();
            out.push((file, text));
        }
    }
    let pages = ["docs", "tests/literate", "compiler/tests/syntax", "examples", "editors"];
    for file in pages.iter().flat_map(|folder| repository::files(folder, "md")) {
        let document = Document::parse(&file, &repository::read(&file).unwrap()).unwrap();
        let plain = document.blocks.iter().filter(|b| {
            matches!(b.kind.as_str(), "icp" | "formatted") && !b.attributes.contains_key("within")
        });
        out.extend(plain.map(|b| (format!("{file}:{}", b.line), document.body(b).to_owned())));
        // Parts of recipes, in the rest of one.
        let parts = cases(&document).unwrap_or_default().into_iter().flat_map(|case| case.texts);
        out.extend(parts.map(|(line, text)| (format!("{file}:{line} (whole)"), text)));
    }
    out
}

#[test]
fn what_the_compiler_parses_has_no_errors() {
    let (mut problems, mut parsed) = (Vec::new(), 0);
    for (place, text) in texts() {
        if !icpc::syntax::parse(&text).errors.is_empty() {
            continue;
        }
        parsed += 1;
        problems.extend(errors(&parse(&text), &text).into_iter().map(|e| format!("{place}: at {e}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(parsed > 150, "{parsed} texts");
}
