//! `icpc lsp` starts the server that lies beside it, else the one in PATH, and says where to get one.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `icpc lsp` from a copy in `folder`.
fn run(folder: &Path, path: &Path) -> Output {
    let program = folder.join("icpc");
    fs::copy(env!("CARGO_BIN_EXE_icpc"), &program).unwrap();
    Command::new(program).args(["lsp", "--stdio"]).env("PATH", path).output().unwrap()
}

/// A program that says its name and what it was given, and exits with 7.
fn server(folder: &Path, says: &str) {
    let path = folder.join("icpc-lsp");
    fs::write(&path, format!("#!/bin/sh\necho {says} \"$@\"\nexit 7\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn beside_before_path_before_nothing() {
    let (beside, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let none = run(beside.path(), elsewhere.path());
    assert_eq!(none.status.code(), Some(3));
    assert_eq!(
        String::from_utf8_lossy(&none.stderr),
        "error: `icpc-lsp` is neither beside `icpc` nor in PATH: install it with `cargo install --path lsp`\n"
    );
    server(elsewhere.path(), "elsewhere");
    let found = run(beside.path(), elsewhere.path());
    assert_eq!((found.status.code(), found.stdout.as_slice()), (Some(7), b"elsewhere --stdio\n".as_slice()));
    server(beside.path(), "beside");
    let found = run(beside.path(), elsewhere.path());
    assert_eq!((found.status.code(), found.stdout.as_slice()), (Some(7), b"beside --stdio\n".as_slice()));
}
