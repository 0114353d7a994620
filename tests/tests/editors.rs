//! Files below `editors/` against the compiler. `ICPC_UPDATE=1 cargo test -p icpc-tests --test editors` writes their words.

#![forbid(unsafe_code)]
use std::fs;

use icpc_tests::editors::{Syntax, copies, lists, rewrite, translate};
use icpc_tests::repository;

/// Every file that can have marked places.
fn files() -> Vec<(String, Syntax)> {
    let all = ["scm", "vim", "el", "json"].into_iter().flat_map(|e| repository::files("editors", e));
    let copies: Vec<String> = copies().into_iter().map(|copy| copy.to).collect();
    all.filter(|file| !copies.contains(file)).filter_map(|f| Some((f.clone(), Syntax::of(&f)?))).collect()
}

fn update() -> bool {
    std::env::var_os("ICPC_UPDATE").is_some()
}

#[test]
fn words_are_those_of_the_compiler() {
    let (lists, update) = (lists(), update());
    let mut problems = Vec::new();
    for (file, syntax) in files() {
        let text = repository::read(&file).unwrap();
        match rewrite(&text, syntax, &lists) {
            Ok(new) if new == text || !text.contains("words: ") => {}
            Ok(new) if update => fs::write(repository::root().join(&file), new).unwrap(),
            Ok(_) => problems
                .push(format!("{file}: its words are not those of the compiler; ICPC_UPDATE=1 writes them")),
            Err(error) => problems.push(format!("{file}: {error}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn queries_are_those_of_the_grammar() {
    let (lists, mut problems) = (lists(), Vec::new());
    for copy in copies() {
        // The test above may be writing this very file.
        let source = rewrite(&repository::read(&copy.from).unwrap(), Syntax::Query, &lists).unwrap();
        let new = translate(&copy, &source);
        if repository::read(&copy.to).is_ok_and(|old| old == new) {
            continue;
        }
        match update() {
            true => fs::write(repository::root().join(&copy.to), new).unwrap(),
            false => {
                problems.push(format!("{} differs from {}; ICPC_UPDATE=1 writes it", copy.to, copy.from))
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_list_is_used_by_every_highlighter() {
    let lists: Vec<&str> = lists().iter().map(|l| l.name).collect();
    let highlighters = [
        "editors/tree-sitter-icp/queries/highlights.scm",
        "editors/vscode/syntaxes/icp.tmLanguage.json",
        "editors/neovim/syntax/icp.vim",
        "editors/emacs/icp-mode.el",
    ];
    for file in highlighters {
        let text = repository::read(file).unwrap();
        let marks: Vec<&str> = text.lines().filter(|l| l.contains("words: ")).collect();
        let missing: Vec<&&str> = lists
            .iter()
            .filter(|name| !marks.iter().any(|m| m.split([' ', '"', ',']).any(|word| word == **name)))
            .collect();
        assert!(missing.is_empty(), "{file} marks no place for {missing:?}");
    }
}

#[test]
fn the_extension_has_the_version_of_the_workspace() {
    for file in [
        "editors/vscode/package.json",
        "editors/vscode/package-lock.json",
        "editors/tree-sitter-icp/tree-sitter.json",
    ] {
        let data: serde_json::Value = serde_json::from_str(&repository::read(file).unwrap()).unwrap();
        let version = data.get("version").or_else(|| data["metadata"].get("version"));
        assert_eq!(version.and_then(|v| v.as_str()), Some(env!("CARGO_PKG_VERSION")), "{file}");
    }
}
