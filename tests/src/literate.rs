//! Literate tests of this repository: the compiler's harness, run on files that are found from the top.

use std::fs;

pub use icpc::library::literate::*;

use crate::repository;

/// Runs a file of the repository. With `ICPC_UPDATE=1` its outputs are rewritten, and only what cannot be rewritten
/// counts as a difference.
pub fn run_file(path: &str, compiler: &dyn Compiler, rules: Rules) -> Vec<String> {
    let document = match repository::read(path).and_then(|text| Document::parse(path, &text)) {
        Ok(document) => document,
        Err(error) => return vec![error],
    };
    let (new, problems) = run(&document, compiler, rules);
    if std::env::var_os("ICPC_UPDATE").is_none_or(|v| v != "1") || new == document.text {
        return problems;
    }
    if let Err(error) = fs::write(repository::root().join(path), &new) {
        return vec![format!("{path}: {error}")];
    }
    match Document::parse(path, &new) {
        Ok(document) => run(&document, compiler, rules).1,
        Err(error) => vec![error],
    }
}
