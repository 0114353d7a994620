//! Libraries of recipes, with the program itself: laid out, imported from, tested.

#![cfg(feature = "exec")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

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
    lay(
        top,
        &[
            ("icp.toml", &test("a.icp", "l/escape.txt", "params == 5")),
            ("l/escape.txt", "\"w\\u001b[31m\" f32 [4]\n"),
            ("snapshots/a/a@escape.snap", "\u{1b}]0;x\u{7}\n"),
        ],
    );
    let (code, text) = said(top, &["test", "--ci"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "nothing writes to the terminal: {text:?}");
    fs::remove_dir_all(top.join("snapshots")).unwrap();
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

/// A checkpoint with one tensor of four values.
fn checkpoint(file: &Path, name: &str) {
    let header = format!("{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}}}");
    let length = u64::try_from(header.len()).unwrap().to_le_bytes();
    fs::write(file, [&length[..], header.as_bytes(), &[0; 16]].concat()).unwrap();
}

#[test]
fn a_run_is_held_to_its_lock() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let recipe = "use common::t::{table};\n\nrecipe r(clip: percent = 99%) {\n    checkpoint \"w.safetensors\";\n    \
                  assign { _ => table }\n    emit \"out\";\n}\n";
    lay(
        top,
        &[
            ("common/icp.toml", &MANIFEST.replace("mine", "common")),
            ("common/t.icp", "const table = fp16;\n"),
            ("mine/icp.toml", &format!("{MANIFEST}[dependencies]\ncommon = {{ path = \"../common\" }}\n")),
            ("mine/r.icp", recipe),
        ],
    );
    checkpoint(&top.join("mine/w.safetensors"), "w");
    let refused = |arguments: &[&str], reason: &str| {
        let (code, text) = said(top, arguments);
        assert_eq!((code, text.contains(reason)), (3, true), "{arguments:?}: {reason}\n{text}");
    };
    refused(&["run", "mine/r.icp", "--locked"], "no such file: `icpc lock mine/r.icp` writes it");
    let (code, text) = said(top, &["lock", "mine/r.icp"]);
    assert_eq!(code, 0, "{text}");
    let lock = fs::read_to_string(top.join("mine/r.lock")).unwrap();
    for part in [
        "\"icpc\": ",
        "\"language\": 1",
        "\"../common/t.icp\": \"",
        "\"r.icp\": \"",
        "\"path\": \"w.safetensors\"",
    ] {
        assert!(lock.contains(part), "{part}\n{lock}");
    }
    // From anywhere.
    let (code, text) = said(&top.join("mine"), &["check", "r.icp", "--locked"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = said(top, &["run", "mine/r.icp", "--locked", "--quiet"]);
    assert_eq!((code, top.join("mine/out/model.safetensors").is_file()), (0, true), "{text}");

    refused(&["run", "mine/r.icp", "--locked", "--set", "clip=98%"], "`--set clip=98%` is not in the lock");
    lay(top, &[("common/t.icp", "const table = bf16;\n")]);
    refused(&["run", "mine/r.icp", "--locked", "--force"], "  `../common/t.icp` has changed: sha256 ");
    refused(&["check", "mine/r.icp", "--locked"], "if that is meant, `icpc lock mine/r.icp` renews the lock");
    lay(top, &[("common/t.icp", "const table = fp16;\n"), ("mine/r.icp", &recipe.replace("99%", "97%"))]);
    refused(&["check", "mine/r.icp", "--locked"], "  `r.icp` has changed");
    lay(top, &[("mine/r.icp", recipe)]);
    checkpoint(&top.join("mine/w.safetensors"), "v");
    refused(
        &["check", "mine/r.icp", "--locked"],
        "  the header of the checkpoint of `r` has changed: `w.safetensors`",
    );
    checkpoint(&top.join("mine/w.safetensors"), "w");
    fs::rename(top.join("mine/w.safetensors"), top.join("moved.safetensors")).unwrap();
    let (code, text) = said(top, &["check", "mine/r.icp", "--locked", "--checkpoint", "moved.safetensors"]);
    assert_eq!(code, 0, "the same header elsewhere: {text}");
    fs::rename(top.join("moved.safetensors"), top.join("mine/w.safetensors")).unwrap();
    lay(
        top,
        &[
            ("mine/r.icp", &recipe.replace("99%", "97%")),
            ("mine/r.lock", &lock.replace("{}", "{\"clip\": \"9%\"}")),
        ],
    );
    let (code, text) = said(&top.join("mine"), &["lock"]);
    assert_eq!((code, text.contains("wrote `r.lock`")), (0, true), "{text}");
    let (code, text) = said(&top.join("mine"), &["check", "r.icp", "--locked", "--set", "clip=9%"]);
    assert_eq!(code, 0, "all locks are renewed, with their parameters: {text}");
    let (code, text) = said(top, &["lock"]);
    assert_eq!((code, text.contains("no recipe of this folder has a lock")), (2, true), "{text}");
    fs::rename(top.join("mine/w.safetensors"), top.join("moved.safetensors")).unwrap();
    fs::write(top.join("mine/r.lock"), lock.replace("\"language\": 1", "\"language\": 0")).unwrap();
    let arguments = ["check", "mine/r.icp", "--locked", "--checkpoint", "moved.safetensors"];
    refused(&arguments, "  version of the language 0 is locked, this is 1");
    fs::write(top.join("mine/r.lock"), "{}").unwrap();
    refused(&arguments, "`mine/r.lock` is no lock: missing field");
}

/// Links of a page, and the places that it can be linked to.
fn links(page: &str) -> (Vec<&str>, Vec<&str>) {
    let all = |mark: &str| {
        page.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<&str>>()
    };
    (all("href=\""), all("id=\""))
}

#[test]
fn pages_of_a_library_have_links_that_resolve() {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib/presets");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pages");
    let (code, text) = said(folder.path(), &["doc", &presets.to_string_lossy(), "--out", "pages"]);
    assert_eq!(code, 0, "{text}");
    let mut checked = 0;
    for page in ["index.html", "presets/llama.html", "presets/gpt2.html"] {
        let text = fs::read_to_string(out.join(page)).unwrap();
        for outside in ["<script", "src=", "http://", "https://", "@import"] {
            assert!(!text.contains(outside), "{page} has {outside}");
        }
        for link in links(&text).0 {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to =
                if path.is_empty() { out.join(page) } else { out.join(page).parent().unwrap().join(path) };
            let there = fs::read_to_string(&to).unwrap_or_else(|e| panic!("{page}: {link}: {e}"));
            assert!(anchor.is_empty() || links(&there).1.contains(&anchor), "{page}: {link}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked} links");
    let llama = fs::read_to_string(out.join("presets/llama.html")).unwrap();
    for part in
        ["id=\"balanced\"", "<td><code>four</code></td><td>format</td>", "<span class=\"ro\">@linear</span>"]
    {
        assert!(llama.contains(part), "{part}\n{llama}");
    }
    let (code, text) = said(folder.path(), &["doc", &presets.to_string_lossy(), "--out", "pages"]);
    assert_eq!(code, 0, "pages of before are replaced: {text}");
    fs::write(out.join("mine.txt"), "mine").unwrap();
    let (code, text) = said(folder.path(), &["doc", &presets.to_string_lossy(), "--out", "pages"]);
    assert_eq!((code, text.contains("mine.txt` is no page of `icpc doc`")), (3, true), "{text}");
}

#[test]
fn what_a_comment_says_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    lay(
        top,
        &[
            ("icp.toml", MANIFEST),
            ("README.md", "# Mine\n\nSee [a](deep/a.icp), [away](../away.md) <script>alert(1)</script>.\n"),
            (
                "deep/a.icp",
                "//! Top <script>alert(1)</script> [b](../b.icp) [here](#one)\n\nuse mine::b::{other};\n\n\
                 /// Says <b onclick=\"x\">it</b> [run](javascript:alert(1)).\nrecipe one(x: string = \"<script>\") extends other {\n    \
                 // A <script> in a comment.\n    assign { a.\"</code><script>\" => keep }\n}\n",
            ),
            ("b.icp", "recipe other { assign { _ => keep } }\n"),
        ],
    );
    let (code, text) = said(top, &["doc"]);
    assert_eq!((code, text.contains("wrote 3 pages")), (0, true), "{text}");
    for page in ["index.html", "mine/deep/a.html", "mine/b.html"] {
        let text = fs::read_to_string(top.join("doc").join(page)).unwrap();
        for live in ["<script", "<b ", "<img", "javascript:"] {
            assert!(!text.contains(live), "{page} has {live}\n{text}");
        }
    }
    let page = fs::read_to_string(top.join("doc/mine/deep/a.html")).unwrap();
    for part in [
        "href=\"../../mine/b.html\">b</a>",
        "href=\"../../mine/b.html#other\"",
        "href=\"#one\"",
        "&lt;script&gt;",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let index = fs::read_to_string(top.join("doc/index.html")).unwrap();
    assert!(index.contains("<a href=\"mine/deep/a.html\">a</a>, away &lt;script"), "{index}");
}

/// Run on all processors, said in one order.
#[test]
fn two_hundred_pairs_are_said_in_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib/presets");
    let listing = fs::read_to_string(presets.join("listings/llama/llama-3-8b.txt")).unwrap();
    lay(top, &[("icp.toml", MANIFEST)]);
    fs::copy(presets.join("llama.icp"), top.join("llama.icp")).unwrap();
    for number in 0..67 {
        lay(top, &[(format!("listings/{number:02}.txt").as_str(), listing.as_str())]);
    }
    let (code, text) = said(top, &["test", "--ci"]);
    assert_eq!(code, 1, "all are new: {text}");
    let names: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("FAILED ")).collect();
    assert_eq!(names.len(), 201);
    assert!(names.is_sorted(), "{names:?}");
    let (code, text) = said(top, &["test"]);
    assert_eq!((code, text.contains("201 tests: 0 passed, 201 new, 0 failed")), (0, true), "{text}");
    let (code, text) = said(top, &["test", "--ci"]);
    assert_eq!((code, text.contains("201 tests: 201 passed, 0 new, 0 failed")), (0, true), "{text}");
}
