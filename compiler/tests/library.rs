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
    assert!(
        text.contains("FAILED first.icp first on listings/tiny.txt") && text.contains("f32 -> fp16"),
        "{text}"
    );
    assert!(
        text.contains(
            "expected `compression >= 3.5x`, but of `mine`: the compression is 2.000x, not >= 3.5x"
        ),
        "{text}"
    );
    let (code, text) = said(&top, &["test", "--review"]);
    assert_eq!(code, 2, "no terminal: {text}");
    fs::write(top.join("first.icp"), recipe).unwrap();

    fs::write(top.join("listings/other.txt"), "w f32 [4, 4]\n").unwrap();
    let (code, text) = said(&top, &["test", "--ci"]);
    assert_eq!((code, text.contains("a new snapshot")), (1, true), "{text}");
    assert!(!top.join("snapshots/first/first@other.snap").exists());
    let (code, text) = said(&top, &["test"]);
    assert_eq!((code, text.contains("new    first.icp first on listings/other.txt")), (0, true), "{text}");

    fs::remove_file(top.join("listings/other.txt")).unwrap();
    let (code, text) = said(&top, &["test"]);
    assert_eq!((code, text.contains("no test has `snapshots/first/first@other.snap`")), (1, true), "{text}");
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

/// Writes files below a folder.
fn lay(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

const MANIFEST: &str = "name = \"mine\"\nversion = \"0.1.0\"\nlanguage = 1\n";
const TWO: &str = "recipe a { assign { _ => fp16 } }\n\nrecipe b(clip: percent) { assign { _ => int8(clip: percentile(clip)) } }\n";

#[test]
fn pairs_are_found_by_convention_and_by_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    lay(
        top,
        &[
            ("icp.toml", MANIFEST),
            ("a.icp", TWO),
            ("deep/c.icp", "recipe c { assign { _ => keep } }\n"),
            ("consts.icp", "const x = 1;\n"),
            ("listings/all.txt", "w f32 [64, 64]\n"),
            ("listings/deep/c/own.txt", "v f32 [64, 64]\n"),
        ],
    );
    let (code, text) = said(top, &["test"]);
    assert_eq!(code, 0, "{text}");
    let new: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("new    ")).collect();
    assert_eq!(
        new,
        [
            "a.icp a on listings/all.txt",
            "a.icp b on listings/all.txt",
            "deep/c.icp c on listings/all.txt",
            "deep/c.icp c on listings/deep/c/own.txt"
        ]
    );
    assert!(text.contains("b on listings/all.txt\n  it holds 1 error\n"), "no value for `clip`: {text}");

    let test = "[[test]]\nrecipe = \"a.icp\"\nonly = [\"b\"]\nlistings = [\"listings/all.txt\"]\nset = [\"clip=99%\"]\n\
                expect = [\"no error\", \"params == 4_096\"]\n";
    lay(top, &[("icp.toml", &format!("{MANIFEST}{test}"))]);
    let (code, text) = said(top, &["test", "--ci"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no test has `snapshots/a/a@all.snap`"), "{text}");
    assert!(text.contains("+ set     clip=99%"), "{text}");
    let (code, text) = said(top, &["test", "--accept"]);
    assert_eq!((code, text.contains("3 tests: 3 passed")), (0, true), "{text}");
    assert!(!top.join("snapshots/a/a@all.snap").exists());
    let (code, text) = said(top, &["test", "--ci"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn what_is_wrong_names_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let (code, text) = said(top, &["test"]);
    assert_eq!((code, text.contains("there is no `./icp.toml`")), (3, true), "{text}");
    let test = |recipe: &str, listing: &str, expect: &str| {
        format!(
            "{MANIFEST}[[test]]\nrecipe = \"{recipe}\"\nlistings = [\"{listing}\"]\nexpect = [\"{expect}\"]\n"
        )
    };
    lay(
        top,
        &[
            ("a.icp", TWO),
            ("l/good.txt", "w f32 [4]\n"),
            ("l/bad.txt", "w f32 [4]\nx f99 [4]\n"),
            ("l/none.txt", "# soon\n"),
        ],
    );
    let wrong = [
        (test("b.icp", "l/good.txt", "no error"), "`icp.toml:5`: there is no recipe file `b.icp`"),
        (test("a.icp", "l/lost.txt", "no error"), "`icp.toml:5`: there is no listing `l/lost.txt`"),
        (test("a.icp", "l/x*.txt", "no error"), "`icp.toml:5`: no listing is called like `l/x*.txt`"),
        (test("a.icp", "l/bad.txt", "no error"), "l/bad.txt: line 2: a dtype expected, found `f99`"),
        (test("a.icp", "l/none.txt", "no error"), "the listing `l/none.txt` names no tensor"),
        (test("a.icp", "l/good.txt", "fast"), "`icp.toml:7`: `fast` is no expectation"),
        (
            test("a.icp", "l/good.txt", "error no-such-thing"),
            "`icp.toml:7`: no diagnostic is called `no-such-thing`",
        ),
        (
            test("a.icp", "l/good.txt", "no error").replace("expect", "only = [\"z\"]\nexpect"),
            "`icp.toml:5`: `a.icp` holds no recipe `z`; it holds `a`, `b`",
        ),
        (
            test("a.icp", "l/good.txt", "no error").replace("expect", "set = [\"clip\"]\nexpect"),
            "`clip` is no NAME=VALUE",
        ),
    ];
    for (manifest, expected) in wrong {
        lay(top, &[("icp.toml", &manifest)]);
        let (code, text) = said(top, &["test", "--ci"]);
        assert_eq!((code, text.contains(expected)), (1, true), "{expected}\n{text}");
        assert!(!top.join("snapshots").exists(), "--ci writes nothing");
    }
    lay(top, &[("icp.toml", &format!("{MANIFEST}[[tests]]\n"))]);
    let (code, text) = said(top, &["test"]);
    assert_eq!((code, text.contains("`./icp.toml:4`: unknown field `tests`")), (3, true), "{text}");
    let document = "## x\n```listing\nw f32 [4]\n```\n```icp\nrecipe r { checkpoint \"c\"; assign { v => keep, _ => fp16 } }\n```\n\
                    ```expect\n// a comment\nerror unmatched-pattern at v => keep\nno error\n```\n";
    lay(top, &[("icp.toml", MANIFEST), ("tests/deep/x.md", document)]);
    let (code, text) = said(top, &["test"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains(
            "tests/deep/x.md:1 `x`: line 11: expected `no error`, but there is `unmatched-pattern` at 1:37"
        ),
        "{text}"
    );
}
