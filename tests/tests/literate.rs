//! Runs every Markdown file that holds recipes: the literate tests, the pages of the diagnostics, the reference of the
//! language. `ICPC_UPDATE=1 cargo test -p icpc-tests --test literate` rewrites the outputs in them.

#![forbid(unsafe_code)]

use icpc::diag::{self, Declaration};
use icpc_tests::literate::{Compiler, Document, Rules, Session, cases, run_file};
use icpc_tests::repository;

#[test]
fn literate_tests() {
    let files = repository::files("tests/literate", "md");
    assert!(!files.is_empty(), "tests/literate has files");
    let problems: Vec<String> =
        files.iter().flat_map(|file| run_file(file, &Session, Rules::default())).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn language_reference() {
    let rules = Rules { outputs_optional: true, ..Rules::default() };
    let problems = run_file("docs/language.md", &Session, rules);
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn forward_reference() {
    let rules = Rules { outputs_optional: true, ..Rules::default() };
    let problems = run_file("docs/forward.md", &Session, rules);
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn page_of_libraries() {
    let rules = Rules { outputs_optional: true, ..Rules::default() };
    let problems = run_file("docs/libraries.md", &Session, rules);
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn pages_of_diagnostics() {
    let problems: Vec<String> = diag::ALL.iter().flat_map(|kind| page(kind)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// What is wrong with a page: its outputs, an example that yields something else, a corrected one that is still wrong.
fn page(kind: &Declaration) -> Vec<String> {
    let path = format!("docs/diagnostics/{}.md", kind.name);
    let mut problems = run_file(&path, &Session, Rules { outputs_optional: true, ..Rules::default() });
    // The page may have been rewritten since it was compiled in.
    let document = match repository::read(&path).and_then(|text| Document::parse(&path, &text)) {
        Ok(document) => document,
        Err(error) => return vec![error],
    };
    // What no header shows (a full disk, a file that changes) says why its example does not run.
    if document.text.contains("<!-- not run: ") {
        return problems;
    }
    let cases = match cases(&document) {
        Ok(cases) => cases,
        Err(error) => return vec![error],
    };
    for (title, wanted) in [("Example", true), ("Fixed", false)] {
        let Some(case) = cases.iter().find(|c| c.title == title) else {
            problems.push(format!("{path}: no section `## {title}` with a recipe"));
            continue;
        };
        let found = match Session.check(&case.inputs) {
            Ok(checked) => checked.found,
            Err(error) => {
                problems.push(format!("{path}: {error}"));
                continue;
            }
        };
        let shown: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
        if wanted && (case.outputs.is_empty() || shown.iter().any(|n| *n != kind.name) || shown.is_empty()) {
            problems.push(format!("{path}: the example shows exactly `{}`, not {shown:?}", kind.name));
        }
        if !wanted && found.iter().any(|f| f.level != "note") {
            problems.push(format!("{path}: the corrected example still yields {shown:?}"));
        }
    }
    problems
}
