//! `docs/forward.md` lists every operation as it is declared.

use icpc::graph::ops;
use icpc::graph::{Default, OpDecl, Param};
use icpc_tests::repository;

const PAGE: &str = "docs/forward.md";
const BEGIN: &str = "<!-- operations: written by the test `forward_page` -->\n";
const END: &str = "<!-- end of operations -->\n";

fn argument(param: &Param) -> String {
    match param.default {
        Default::Required => format!("`{}`", param.name),
        Default::Nothing => format!("`{}`?", param.name),
        Default::Size(n) => format!("`{}: {n}`?", param.name),
        Default::Float(x) => format!("`{}: {x:?}`?", param.name),
        Default::Word(word) => format!("`{}: {word}`?", param.name),
        Default::Flag(flag) => format!("`{}: {flag}`?", param.name),
    }
}

fn row(op: &OpDecl) -> String {
    let arguments: Vec<String> = op.params.iter().map(argument).collect();
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        op.name,
        arguments.join(", "),
        op.shapes,
        op.types.name(),
        op.docs
    )
}

#[test]
fn forward_page() {
    let text = repository::read(PAGE).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the page marks where its table begins");
    let (_, tail) = rest.split_once(END).expect("the page marks where its table ends");
    let rows: String = ops::ALL.iter().map(|op| row(op)).collect();
    let table = format!(
        "| operation | arguments | shapes | types | computes |\n| --- | --- | --- | --- | --- |\n{rows}"
    );
    let wanted = format!("{head}{BEGIN}{table}{END}{tail}");
    if std::env::var_os("ICPC_UPDATE").is_some() {
        std::fs::write(repository::root().join(PAGE), wanted).unwrap();
    } else {
        assert_eq!(text, wanted, "ICPC_UPDATE=1 cargo test -p icpc-tests --test tidy writes the table");
    }
}
