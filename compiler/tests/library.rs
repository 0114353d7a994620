//! Libraries of recipes, with the program itself: laid out, imported from, tested.

#![cfg(feature = "exec")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn icpc(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icpc")).args(arguments).current_dir(folder).output().unwrap()
}

/// Exit code, and everything that was printed.
fn said(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = icpc(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn a_new_library_passes_its_tests() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = said(folder.path(), &["new", "--library", "mine"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = said(folder.path(), &["test", "mine", "--ci", "--junit", "r.xml"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("2 tests: 2 passed, 0 new, 0 failed"), "{text}");
    assert!(fs::read_to_string(folder.path().join("r.xml")).unwrap().contains("tests=\"2\" failures=\"0\""));
    let (code, text) = said(folder.path(), &["new", "--library", "mine"]);
    assert_eq!((code, text.contains("exists")), (3, true), "{text}");
}

#[test]
fn what_differs_is_new_or_stray_fails() {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path(), &["new", "--library", "mine"]);
    let top = folder.path().join("mine");
    let recipe = fs::read_to_string(top.join("first.icp")).unwrap();
    fs::write(top.join("first.icp"), recipe.replace("int8(per: channel)", "fp16")).unwrap();
    let (code, text) = said(&top, &["test"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("FAILED first.icp on listings/tiny.txt") && text.contains("f32 -> fp16"), "{text}");
    assert!(text.contains("expected `compression >= 3.5x`, but it is 2.000x"), "{text}");
    let (code, text) = said(&top, &["test", "--review"]);
    assert_eq!(code, 2, "no terminal: {text}");
    fs::write(top.join("first.icp"), recipe).unwrap();

    fs::write(top.join("listings/other.txt"), "w f32 [4, 4]\n").unwrap();
    let (code, text) = said(&top, &["test", "--ci"]);
    assert_eq!((code, text.contains("a new snapshot")), (1, true), "{text}");
    assert!(!top.join("snapshots/first@other.snap").exists());
    let (code, text) = said(&top, &["test"]);
    assert_eq!((code, text.contains("new    first.icp on listings/other.txt")), (0, true), "{text}");

    fs::remove_file(top.join("listings/other.txt")).unwrap();
    let (code, text) = said(&top, &["test"]);
    assert_eq!((code, text.contains("no test has `snapshots/first@other.snap`")), (1, true), "{text}");
    let (code, text) = said(&top, &["test", "--accept"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn imports_by_name() {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path(), &["new", "--library", "common"]);
    said(folder.path(), &["new", "--library", "mine"]);
    let manifest = folder.path().join("mine/icp.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(folder.path().join("mine/w.txt"), "w f32 [64, 64]\n").unwrap();
    let recipe = "use common::first::{first};\n\nrecipe r extends first {\n    checkpoint \"w.txt\";\n}\n";
    fs::write(folder.path().join("mine/r.icp"), recipe).unwrap();
    let check = || said(&folder.path().join("mine"), &["check", "r.icp", "--message-format", "short"]);
    let (code, said) = check();
    assert_eq!((code, said.contains("no library is called `common`")), (1, true), "{said}");
    fs::write(&manifest, text.replace("[dependencies]", "[dependencies]\ncommon = { path = \"../common\" }"))
        .unwrap();
    let (code, said) = check();
    assert_eq!(code, 0, "{said}");
    fs::write(folder.path().join("mine/r.icp"), recipe.replace("::first::", "::last::")).unwrap();
    let (code, said) = check();
    assert_eq!((code, said.contains("there is no file `../common/last.icp`")), (1, true), "{said}");
    assert!(said.contains("the library `common` lies in `../common`"), "{said}");
    fs::write(&manifest, text.replace("language = 1", "language = 9")).unwrap();
    let (code, said) = check();
    assert_eq!((code, said.contains("install a newer icpc")), (3, true), "{said}");
}
