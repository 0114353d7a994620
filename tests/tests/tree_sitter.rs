//! The Tree-sitter grammar of `editors/tree-sitter-icp`, compiled from the committed `parser.c` and run: it parses what the
//! compiler parses, its corpus holds, and the queries of all editors fit it.
//!
//! `tree-sitter-loader` compiles and loads the parser, as editors do. The bindings that Tree-sitter writes for Rust would
//! need `unsafe` here, which only the kernels may have.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "all of this is a test; clippy knows only the functions that are marked"
)]

use std::path::Path;
use std::sync::OnceLock;

use icpc_tests::repository;
use tree_sitter::{Language, Node, Parser, Tree};
use tree_sitter_loader::{CompileConfig, Loader};

#[path = "tree_sitter/corpus.rs"]
mod corpus;
#[path = "tree_sitter/queries.rs"]
mod queries;
#[path = "tree_sitter/recipes.rs"]
mod recipes;

/// The language; compiled once for each run of the tests.
fn language() -> Language {
    static LANGUAGE: OnceLock<Language> = OnceLock::new();
    LANGUAGE.get_or_init(compile).clone()
}

fn compile() -> Language {
    // Each process compiles its own: the test runner may start several at once.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let source = repository::root().join("editors/tree-sitter-icp/src");
    let output = folder.path().join("icp.so");
    let config = CompileConfig::new(&source, None, Some(output));
    Loader::with_parser_lib_path(folder.path().to_path_buf()).load_language_at_path(config).unwrap()
}

/// The tree of a text.
fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&language()).unwrap();
    parser.parse(text, None).unwrap()
}

/// Places that the grammar does not take: `line:column`, from 1, with the text there.
fn errors(tree: &Tree, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = vec![tree.root_node()];
    while let Some(node) = open.pop() {
        if node.is_error() || node.is_missing() {
            out.push(place(node, text));
        } else if node.has_error() {
            let mut cursor = node.walk();
            open.extend(node.children(&mut cursor));
        }
    }
    out
}

fn place(node: Node<'_>, text: &str) -> String {
    let (start, shown) = (node.start_position(), text[node.byte_range()].lines().next().unwrap_or(""));
    let what = if node.is_missing() { format!("`{}` is missing", node.kind()) } else { shown.to_owned() };
    format!("{}:{}: {what}", start.row + 1, start.column + 1)
}

#[test]
fn the_parser_is_that_of_the_grammar() {
    let grammar = repository::read("editors/tree-sitter-icp/grammar.js").unwrap();
    let stamp = repository::read("editors/tree-sitter-icp/src/grammar.sha256").unwrap();
    let hash: String = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(grammar))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(stamp.split(' ').next(), Some(hash.as_str()), "editors/tree-sitter-icp/generate.sh writes it");
    assert!(Path::new(&repository::root().join("editors/tree-sitter-icp/src/parser.c")).exists());
}
