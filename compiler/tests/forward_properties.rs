//! Whatever stands in a forward, nothing panics, and what is said points into the text.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use icpc::diag::{Place, lint};
use icpc::session::Session;
use icpc::stdlib;
use proptest::prelude::*;

/// Words, numbers and single signs, with the white space behind them.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let end = end + rest[end..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - end);
        tokens.push(&rest[..end]);
        rest = &rest[end..];
    }
    tokens
}

/// Files of the library with a forward: presets have none.
fn forwards() -> impl Iterator<Item = (&'static str, &'static str)> {
    stdlib::files().copied().filter(|(_, text)| text.contains("    forward("))
}

/// What is said of a text with these changes in its forward.
fn check(
    library: usize,
    changes: &[(u8, prop::sample::Index, prop::sample::Index)],
) -> Result<(), TestCaseError> {
    let (path, text) = forwards().nth(library).expect("the number of one");
    let start = text.find("    forward(").expect("each architecture has a forward");
    let (head, forward) = text.split_at(start);
    let mut tokens = tokens(forward);
    for (kind, a, b) in changes {
        let (a, b) = (a.index(tokens.len()), b.index(tokens.len()));
        match kind % 4 {
            0 => tokens.swap(a, b),
            1 => drop(tokens.remove(a)),
            2 => tokens.insert(a, tokens[b]),
            _ => tokens[a] = tokens[b],
        }
    }
    let changed = format!("{head}{}", tokens.concat());
    let mut session = Session::new();
    session.set_file("own.icp", &changed);
    for d in session.diagnostics("own.icp", None) {
        let places = std::iter::once(&d.primary).chain(&d.secondary);
        for label in places {
            if let Place::Source(at) = &label.place {
                prop_assert!(changed.get(at.span.range()).is_some(), "{path}: {d:?}");
            }
        }
        let rules = lint::lint(&d);
        prop_assert!(rules.is_empty(), "{rules:?} {d:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changed_forwards_are_answered(
        library in 0..forwards().count(),
        changes in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        check(library, &changes)?;
    }
}

#[test]
fn lengths_that_double_end() {
    let mut body = String::from("let x = embed(tokens, w.weight);\n");
    for n in 0..200 {
        // Halves of halves that no symbol tells, joined again.
        body.push_str(&format!("let (a{n}, b{n}) = chunk(x, 2); let x = concat(concat(a{n}, x), b{n});\n"));
    }
    let arch = format!(
        "arch a {{ dim v, h; w.weight : [v, h]; forward(tokens: [batch, seq]) -> [batch, seq, h] {{ {body} x }} }}"
    );
    let mut session = Session::new();
    session.set_file("a.icp", &arch);
    assert!(!session.diagnostics("a.icp", None).is_empty());
}

#[test]
fn expressions_nest_as_deep_as_the_stack_holds() {
    let sum = format!("x{}", " + x".repeat(60));
    let deep = format!("{}{sum}{}", "(".repeat(28), ")".repeat(28));
    let wide = format!("x{}", " + x".repeat(100_000));
    for body in [deep, wide] {
        let arch = format!(
            "arch a {{ dim v, h; w.weight : [v, h]; forward(tokens: [batch, seq]) -> [batch, seq, h] \
             {{ let x = embed(tokens, w.weight); {body} }} }}"
        );
        let mut session = Session::new();
        session.set_file("a.icp", &arch);
        drop(session.diagnostics("a.icp", None));
    }
}
