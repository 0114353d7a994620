//! Names and lengths of files, and where `unsafe` may be.

use icpc_tests::repository;

use crate::code::{has_word, places, rust_files};

/// Lines above which a file says why it is long.
const LONG: usize = 500;
/// Lines that no file has.
const TOO_LONG: usize = 1000;

#[test]
fn files_are_short_or_say_why() {
    let mut problems = Vec::new();
    for file in rust_files() {
        let text = repository::read(&file).unwrap();
        let length = text.lines().count();
        let reason = text.lines().any(|l| l.trim_start().starts_with("// Long because "));
        if length > TOO_LONG {
            problems.push(format!("{file} has {length} lines, more than {TOO_LONG}"));
        } else if length > LONG && !reason {
            problems.push(format!("{file} has {length} lines and no line `// Long because ...`"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn files_are_called_after_what_they_are() {
    let empty = ["util", "utils", "helper", "helpers", "common", "types", "misc"];
    let found: Vec<String> =
        rust_files().into_iter().filter(|f| f.split(['/', '.']).any(|part| empty.contains(&part))).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn unsafe_stays_in_the_kernels() {
    let outside: Vec<String> = rust_files().into_iter().filter(|f| !f.starts_with("kernels/")).collect();
    let found = places(&outside, |_, line| has_word(line, "unsafe"));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn crates_outside_the_kernels_forbid_unsafe() {
    for root in ["compiler/src/lib.rs", "lsp/src/lib.rs", "tests/src/lib.rs"] {
        let text = repository::read(root).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{root} forbids unsafe code");
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_safe() {
    let mut silent = Vec::new();
    for file in repository::files("kernels", "rs") {
        let text = repository::read(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for place in crate::code::lines(&file) {
            // Blocks and impls; an `unsafe fn` states its conditions under `# Safety` instead.
            let block = has_word(&place.text, "unsafe")
                && !place.text.contains("unsafe fn")
                && !place.text.contains("unsafe extern");
            let above = lines.get(place.number.saturating_sub(9)..place.number).unwrap_or_default();
            if block && !place.text.contains("unsafe_") && !above.iter().any(|l| l.contains("SAFETY:")) {
                silent.push(format!("{file}:{}", place.number));
            }
        }
    }
    assert!(silent.is_empty(), "no `// SAFETY:` within 8 lines above: {silent:?}");
}
