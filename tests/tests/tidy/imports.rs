//! Which module may name which.

use icpc_tests::repository;

use crate::code::{has_word, lines_without_tests, places, rust_files};

/// Modules of the compiler, bottom to top, as the documentation of its `lib.rs` lists them.
fn order() -> Vec<String> {
    let text = repository::read("compiler/src/lib.rs").unwrap();
    let mut names = Vec::new();
    for line in text.lines().filter_map(|l| l.strip_prefix("//! ")).filter(|l| l.contains('→')) {
        names.extend(line.split('→').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()));
    }
    names
}

/// Name of the top module that a file of the compiler belongs to.
fn module(file: &str) -> Option<String> {
    let below = file.strip_prefix("compiler/src/")?;
    let name = below.split(['/', '.']).next()?;
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Modules that a line of code names behind `crate::`.
fn named(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (i, _) in line.match_indices("crate::") {
        if line[..i].ends_with('$') {
            continue;
        }
        let rest = &line[i + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let end =
                name.trim().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.trim().len());
            out.push(name.trim()[..end].to_owned());
        }
    }
    out
}

#[test]
fn every_module_has_its_place_in_the_order() {
    let order = order();
    assert!(order.len() > 5, "compiler/src/lib.rs lists the modules as `base → diag → ...`");
    let mut unlisted: Vec<String> = repository::files("compiler/src", "rs")
        .iter()
        .filter_map(|f| module(f))
        .filter(|m| !order.contains(m))
        .collect();
    unlisted.dedup();
    assert!(unlisted.is_empty(), "not in the order that compiler/src/lib.rs lists: {unlisted:?}");
}

#[test]
fn imports_point_down() {
    let order = order();
    let rank = |name: &str| order.iter().position(|m| m == name);
    let mut up = Vec::new();
    for file in repository::files("compiler/src", "rs") {
        let Some(from) = module(&file).and_then(|m| rank(&m)) else { continue };
        // A file of tests may set up whatever it needs; the registry is a list of statics from everywhere.
        if file.ends_with("tests.rs") || file == "compiler/src/diag/registry.rs" {
            continue;
        }
        for line in lines_without_tests(&file) {
            for name in named(&line.text) {
                if rank(&name).is_some_and(|to| to > from) {
                    up.push(format!("{file}:{}: `{name}` is above", line.number));
                }
            }
        }
    }
    assert!(up.is_empty(), "imports that point up:\n{}", up.join("\n"));
}

#[test]
fn only_the_renderer_names_ariadne() {
    let found = places(&rust_files(), |file, line| {
        has_word(line, "ariadne") && !file.starts_with("compiler/src/diag/render")
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn only_one_file_of_the_server_knows_utf_16() {
    let found = places(&repository::files("lsp/src", "rs"), |file, line| {
        line.to_lowercase().replace('_', "").contains("utf16") && file != "lsp/src/convert.rs"
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_core_has_no_hash_map_and_no_clock() {
    // What a run measures and shows may know the time; what decides a byte or a message may not.
    let timed = ["exec", "eval", "tune", "bench", "report", "slurm", "cli"];
    let files: Vec<String> = repository::files("compiler/src", "rs")
        .into_iter()
        .filter(|f| module(f).is_none_or(|m| !timed.contains(&m.as_str())))
        .collect();
    let found = places(&files, |_, line| {
        ["HashMap", "HashSet", "SystemTime", "Instant"].iter().any(|word| has_word(line, word))
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn groups_and_paths_are_understood() {
    assert_eq!(named("use crate::base::{Span, list};"), ["base"]);
    assert_eq!(named("use crate::{base::Span, diag};"), ["base", "diag"]);
    assert_eq!(named("let x: crate::plan::Plan = crate::hir::f();"), ["plan", "hir"]);
    assert!(named("$crate::diag::Level").is_empty(), "a macro is expanded elsewhere");
}
