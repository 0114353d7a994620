//! Queries: they name nodes that exist, and highlighting does not depend on which of two patterns wins.

use std::collections::BTreeMap;

use icpc_tests::repository;
use tree_sitter::{Query, QueryCursor, StreamingIterator};

use crate::recipes::texts;
use crate::{language, parse};

#[test]
fn queries_of_all_editors_fit_the_grammar() {
    let mut problems = Vec::new();
    let files = repository::files("editors", "scm");
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        if let Err(error) = Query::new(&language(), &repository::read(&file).unwrap()) {
            problems.push(format!("{file}: {error}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_node_is_highlighted_twice() {
    let source = repository::read("editors/tree-sitter-icp/queries/highlights.scm").unwrap();
    let query = Query::new(&language(), &source).unwrap();
    let mut problems = Vec::new();
    let mut used = vec![false; query.capture_names().len()];
    for (place, text) in texts() {
        let tree = parse(&text);
        let mut cursor = QueryCursor::new();
        let mut captures = cursor.captures(&query, tree.root_node(), text.as_bytes());
        let mut seen: BTreeMap<usize, &str> = BTreeMap::new();
        while let Some((found, index)) = captures.next() {
            let capture = found.captures[*index];
            used[capture.index as usize] = true;
            let name = query.capture_names()[capture.index as usize];
            if let Some(other) = seen.insert(capture.node.id(), name)
                && other != name
            {
                let shown = &text[capture.node.byte_range()];
                problems.push(format!("{place}: `{shown}` is `{other}` and `{name}`"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let unused: Vec<&&str> =
        query.capture_names().iter().zip(&used).filter(|(_, used)| !**used).map(|(n, _)| n).collect();
    assert!(unused.is_empty(), "captures that nothing in the repository shows: {unused:?}");
}
