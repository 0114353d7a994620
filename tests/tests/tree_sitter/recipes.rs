//! Whatever the compiler parses, the grammar parses, too.

use std::sync::OnceLock;

use icpc_tests::literate::{Document, cases};
use icpc_tests::repository;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

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

/// Words, numbers, strings and signs of a text, each with the white space before it.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let blank = rest.len() - rest.trim_start().len();
        let body = &rest[blank..];
        let length = match body.chars().next() {
            None => 0,
            Some('"') => body[1..].find('"').map_or(body.len(), |n| n + 2),
            Some('/') if body.starts_with("//") => body.find('\n').unwrap_or(body.len()),
            Some(c) if c.is_alphanumeric() || c == '_' => {
                body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len())
            }
            Some(c) => c.len_utf8(),
        };
        out.push(&text[start..start + blank + length]);
        start += blank + length;
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// The same for texts that nobody wrote: some tokens taken out, doubled or taken from elsewhere.
    #[test]
    fn what_the_compiler_parses_by_chance_has_no_errors(
        text in any::<Index>(),
        changes in vec((0..3u8, any::<Index>(), any::<Index>(), any::<Index>()), 1..3),
    ) {
        static TEXTS: OnceLock<Vec<(String, String)>> = OnceLock::new();
        let texts = TEXTS.get_or_init(|| {
            let mut texts = texts();
            texts.retain(|(_, text)| icpc::syntax::parse(text).errors.is_empty() && text.len() < 2000);
            texts
        });
        let mut changed: Vec<&str> = tokens(&text.get(texts).1);
        for (kind, at, other, from) in changes {
            let at = at.index(changed.len());
            match kind {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, changed[at]),
                _ => {
                    let tokens = tokens(&other.get(texts).1);
                    changed.insert(at, tokens[from.index(tokens.len())]);
                }
            }
            prop_assume!(!changed.is_empty());
        }
        let text = changed.concat();
        if icpc::syntax::parse(&text).errors.is_empty() {
            let found = errors(&parse(&text), &text);
            prop_assert!(found.is_empty(), "{}\n{text}", found.join("\n"));
        }
    }
}
