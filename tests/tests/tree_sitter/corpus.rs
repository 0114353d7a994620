//! `editors/tree-sitter-icp/test/corpus`: texts with their trees, in the form that `tree-sitter test` reads.

use icpc_tests::repository;

use crate::parse;

struct Case {
    title: String,
    text: String,
    tree: String,
}

/// Cases of a file: a title between two lines of `=`, a text, a line `---`, the tree.
fn cases(text: &str) -> Vec<Case> {
    let ruler = "==================\n";
    let mut parts = text.split(ruler).skip(1);
    let mut out = Vec::new();
    while let (Some(title), Some(body)) = (parts.next(), parts.next()) {
        let (text, tree) = body.split_once("---\n").unwrap();
        out.push(Case { title: title.trim().to_owned(), text: text.to_owned(), tree: words(tree) });
    }
    out
}

/// A tree on one line.
fn words(tree: &str) -> String {
    tree.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The tree without the names of fields, which the corpus leaves out.
fn without_fields(tree: &str) -> String {
    tree.split(' ').filter(|word| !word.ends_with(':')).collect::<Vec<_>>().join(" ")
}

#[test]
fn corpus() {
    let (mut problems, mut count) = (Vec::new(), 0);
    for file in repository::files("editors/tree-sitter-icp/test/corpus", "txt") {
        for case in cases(&repository::read(&file).unwrap()) {
            count += 1;
            let found = without_fields(&parse(&case.text).root_node().to_sexp());
            if found != case.tree {
                problems
                    .push(format!("{file}: {}\n  expected {}\n  found    {found}", case.title, case.tree));
            }
            for error in icpc::syntax::parse(&case.text).errors {
                problems.push(format!("{file}: {}: the compiler says {}", case.title, error.headline));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 10, "{count} cases");
}
