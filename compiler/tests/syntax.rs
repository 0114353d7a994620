//! Literate tests of the parser: each section of `tests/syntax/*.md` holds a source and what comes of it.
//!
//! A section is a heading, an `icp` block, and then blocks that are compared: `tree` (the dump), `errors` (as a
//! person reads them), `fixed` (the source after all fixes). `ICPC_UPDATE=1` writes them anew; look at the diff.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "all of this is a test; clippy knows only the functions that are marked"
)]

use std::fmt::Write as _;
use std::path::Path;

use icpc::base::LineIndex;
use icpc::syntax::keywords::KEYWORDS;
use icpc::syntax::{format, parse, print};

/// Errors under the line they point at.
fn show_errors(source: &str) -> String {
    let lines = LineIndex::new(source);
    let mut out = String::new();
    for error in parse(source).errors {
        let (line, column) = lines.line_column(error.span.start);
        let text = source.lines().nth(line as usize).unwrap_or("");
        let _ = writeln!(out, "{}:{}: {}", line + 1, column + 1, error.headline);
        let lead: String =
            text.chars().take(column as usize).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let width = source[error.span.range()].lines().next().unwrap_or("").chars().count().max(1);
        let _ = writeln!(out, "  | {text}");
        let _ = writeln!(out, "  | {lead}{} {}", "^".repeat(width), error.label);
        if let Some(help) = error.help {
            let _ = writeln!(out, "  = help: {help}");
        }
        if let Some((span, text)) = error.fix {
            let old = &source[span.range()];
            let _ = match (old, text.as_str()) {
                ("", new) => writeln!(out, "  = fix: insert `{new}`"),
                (old, "") => writeln!(out, "  = fix: remove `{old}`"),
                (old, new) => writeln!(out, "  = fix: replace `{old}` by `{new}`"),
            };
        }
    }
    out.lines().map(|l| l.trim_end().to_owned() + "\n").collect()
}

/// The source with every fix applied, from the last to the first.
fn apply_fixes(source: &str) -> String {
    let mut fixes: Vec<_> = parse(source).errors.into_iter().filter_map(|e| e.fix).collect();
    fixes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = source.to_owned();
    for (span, new) in fixes {
        text.replace_range(span.range(), &new);
    }
    text
}

/// The formatted source, after it was checked that formatting changes neither meaning nor a formatted text.
fn formatted(source: &str) -> String {
    let Ok(text) = format(source) else { return format!("syntax errors:\n{}", show_errors(source)) };
    assert_eq!(format(&text).unwrap(), text, "formatting again changes it");
    assert_eq!(print(&parse(&text)), print(&parse(source)), "formatting changes the tree");
    text
}

fn answer(kind: &str, source: &str) -> String {
    match kind {
        "tree" => print(&parse(source)),
        "errors" => show_errors(source),
        "formatted" => formatted(source),
        "fixed" => apply_fixes(source),
        other => panic!("no such block: {other}"),
    }
}

/// Rewrites the answers of a document.
fn renew(document: &str) -> String {
    let mut out = String::new();
    let mut source = String::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(out, "{line}");
        let Some(kind) = line.strip_prefix("```").filter(|k| !k.is_empty()) else { continue };
        let block: String = lines.by_ref().take_while(|l| *l != "```").map(|l| l.to_owned() + "\n").collect();
        if kind == "icp" {
            source = block;
            out.push_str(&source);
        } else {
            out.push_str(&answer(kind, &source));
        }
        out.push_str("```\n");
    }
    out
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax").join(name);
    let document = std::fs::read_to_string(&path).unwrap();
    let renewed = renew(&document);
    if std::env::var_os("ICPC_UPDATE").is_some() {
        std::fs::write(&path, renewed).unwrap();
    } else {
        assert!(document == renewed, "{name} differs; ICPC_UPDATE=1 writes:\n{renewed}");
    }
}

#[test]
fn whole_files() {
    check("files.md");
}

#[test]
fn formatting() {
    check("format.md");
}

#[test]
fn errors_as_people_read_them() {
    check("errors.md");
}

/// Every `.icp` file below a folder.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "icp") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_library_and_the_examples_are_formatted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files = [sources(&root.join("stdlib")), sources(&root.join("examples"))].concat();
    assert!(files.len() >= 8, "found {files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(show_errors(&text), "", "{}", path.display());
        assert_eq!(formatted(&text), text, "{} is not formatted", path.display());
    }
}

#[test]
fn every_keyword_of_the_table_is_one_of_the_grammar() {
    let grammar = include_str!("../src/syntax/icp.pest");
    for keyword in KEYWORDS {
        // `true` and `false` are words to the grammar; the tree tells them apart.
        let known =
            grammar.contains(&format!("\"{}\"", keyword.word)) || matches!(keyword.word, "true" | "false");
        assert!(known, "{} is no keyword of the grammar", keyword.word);
        assert!(keyword.form.contains(keyword.word), "{} is not in its own form", keyword.word);
    }
    // Whatever the grammar names `kw_*` stands in the table.
    for rule in grammar.lines().filter(|l| l.starts_with("kw_")) {
        for word in rule.split('"').skip(1).step_by(2) {
            assert!(KEYWORDS.iter().any(|k| k.word == word), "{word} is missing in the table of keywords");
        }
    }
}
