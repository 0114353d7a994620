//! The server as clients see it: the real program, over its standard input and output.
//!
//! `*.md` beside this file are the fixtures, one for each feature; `fixture.rs` says what is in them.
//! `ICPC_UPDATE=1 cargo test -p icpc-lsp --test protocol` rewrites the answers in them: read them before committing.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the harness is a test: what is not as it should be fails it"
)]

mod client;
mod fixture;
mod hostile;
mod life;
mod replay;
mod show;
mod watching;

use icpc_tests::repository;

#[test]
fn fixtures() {
    let files = repository::files("lsp/tests/protocol", "md");
    assert!(!files.is_empty(), "lsp/tests/protocol has fixtures");
    let problems: Vec<String> = files.iter().flat_map(|file| fixture::run_file(file)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
