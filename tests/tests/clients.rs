//! Real editors against the real server: `clients/neovim.lua` and `clients/emacs.el` open a copy of `clients/project`, and
//! what they saw is looked at here.
//!
//! An editor that is not installed is passed over with a word, unless `ICPC_REQUIRE_CLIENTS=1`. The server is the one that
//! cargo built last beside the tests, or `ICPC_LSP`.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is a test; clippy knows only the functions that are marked"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use icpc_tests::repository;
use serde_json::Value;

/// An editor that does not end by then hangs; a run takes about a second, on a busy machine many.
const PATIENCE: Duration = Duration::from_secs(240);

/// The server, or why there is none.
fn server() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("ICPC_LSP") {
        return Ok(PathBuf::from(path));
    }
    let tests = env::current_exe().map_err(|e| e.to_string())?;
    let folder = tests.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let path = folder.join(format!("icpc-lsp{}", env::consts::EXE_SUFFIX));
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{} is not built: cargo build -p icpc-lsp", path.display()))
    }
}

fn installed(program: &str) -> Result<(), String> {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.map(drop).map_err(|_| format!("{program} is not installed"))
}

/// Whether a test goes on: not where something is absent and may be.
fn there<T>(found: Result<T, String>) -> Option<T> {
    if let Err(absent) = &found {
        assert!(env::var_os("ICPC_REQUIRE_CLIENTS").is_none(), "{absent}");
        eprintln!("not run: {absent}");
    }
    found.ok()
}

/// Runs an editor on a copy of the project with the server; `None` where one of them is absent and may be.
fn run_client(program: &str, arguments: &[&str]) -> Option<Value> {
    let server = there(installed(program).and_then(|()| server()))?;
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();
    for entry in fs::read_dir(repository::root().join("tests/clients/project")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), project.join(entry.file_name())).unwrap();
    }
    let mut editor = Command::new(program);
    editor.args(arguments).env("ICPC_LSP", server).env("ICPC_PROJECT", project);
    editor.env("ICPC_MODE", repository::root().join("editors/emacs"));
    let (answers, said) = run(&mut editor, folder.path());
    let failure = answers.get("failure").filter(|f| !f.is_null());
    assert!(failure.is_none(), "{program}: {}\n{said}\n{answers:#}", failure.unwrap_or(&Value::Null));
    Some(answers)
}

/// Runs an editor with nothing of the person at this machine; returns what it wrote as JSON, and what it said.
fn run(editor: &mut Command, folder: &Path) -> (Value, String) {
    let (answers, stderr) = (folder.join("answers.json"), folder.join("stderr"));
    editor
        .current_dir(repository::root())
        .env("ICPC_ANSWERS", &answers)
        .env("HOME", folder)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&stderr).unwrap());
    wait(editor);
    let said = fs::read_to_string(stderr).unwrap_or_default();
    let text = fs::read_to_string(answers).unwrap_or_else(|e| panic!("{editor:?}: {e}\n{said}"));
    (serde_json::from_str(&text).unwrap(), said)
}

/// Waits for the end of an editor, and ends one that hangs.
fn wait(editor: &mut Command) {
    let mut child = editor.spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{editor:?} did not end within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Text of an answer; empty where there is none.
fn text<'a>(answers: &'a Value, key: &str) -> &'a str {
    answers.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(answers: &'a Value, key: &str) -> Vec<&'a Value> {
    answers.get(key).and_then(Value::as_array).map(|a| a.iter().collect()).unwrap_or_default()
}

/// What every client must see, whatever it is.
fn expect_common(answers: &Value) {
    let found = list(answers, "diagnostics");
    assert_eq!(found.len(), 1, "one pattern is wrong: {answers:#}");
    assert_eq!(found.first().and_then(|d| d.get("line")), Some(&Value::from(4)), "{answers:#}");
    let message = found.first().map(|d| text(d, "message")).unwrap_or_default();
    assert!(message.contains("`embeding.weight` matches no tensor"), "{message}");

    let hover = answers.get("hover").map(Value::to_string).unwrap_or_default();
    assert!(hover.contains("[64, 64]") && hover.contains("f32"), "the hover shows the tensors: {hover}");

    let completion: Vec<&str> = list(answers, "completion").into_iter().filter_map(Value::as_str).collect();
    assert!(completion.iter().any(|label| label.contains('*')), "segments behind `layers.`: {completion:?}");

    assert!(text(answers, "fixed").contains("embedding.weight => int8"), "the fix is applied: {answers:#}");
    let formatted = icpc::syntax::format(text(answers, "fixed")).unwrap();
    assert_eq!(
        text(answers, "formatted").trim_end(),
        formatted.trim_end(),
        "the server formats as `icpc fmt`"
    );
}

/// Neovim with the plugin of this repository and nothing else.
const NEOVIM: [&str; 9] =
    ["--headless", "-u", "NONE", "-i", "NONE", "-n", "--cmd", "set rtp^=editors/neovim", "--cmd"];

#[test]
fn neovim() {
    let arguments =
        [&NEOVIM[..], &["filetype plugin indent on", "-c", "luafile tests/clients/neovim.lua"]].concat();
    let Some(answers) = run_client("nvim", &arguments) else { return };
    assert_eq!(text(&answers, "filetype"), "icp");
    expect_common(&answers);
    assert!(text(&answers, "definition").starts_with("icpc-listing://"), "{answers:#}");
    assert!(text(&answers, "listing").contains("layers.0.attn.weight"), "{answers:#}");
    assert!(text(&answers, "plan").contains("layers.{0..=3}.attn.weight ×4"), "{answers:#}");
}

#[test]
fn emacs() {
    let Some(answers) = run_client("emacs", &["-Q", "--batch", "-l", "tests/clients/emacs.el"]) else {
        return;
    };
    assert_eq!(text(&answers, "filetype"), "icp-mode");
    expect_common(&answers);
    let rechecked = list(&answers, "rechecked");
    assert!(!rechecked.is_empty(), "a checkpoint that changes is read again: {answers:#}");
}

#[test]
fn emacs_compiles_the_mode_without_a_warning() {
    if there(installed("emacs")).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mode = folder.path().join("icp-mode.el");
    fs::copy(repository::root().join("editors/emacs/icp-mode.el"), &mode).unwrap();
    let compiled = Command::new("emacs")
        .args(["-Q", "--batch", "--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile"])
        .arg(&mode)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn neovim_colours_without_tree_sitter() {
    if there(installed("nvim")).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut editor = Command::new("nvim");
    editor.args(NEOVIM).args([
        "let g:icpc = {'autostart': v:false}",
        "--cmd",
        "filetype plugin on",
        "--cmd",
        "syntax on",
    ]);
    editor.args(["tests/clients/colours.icp", "-c", "luafile tests/clients/colours.lua"]);
    let (answers, said) = run(&mut editor, folder.path());
    assert_eq!(said.trim(), "");
    insta::assert_snapshot!(text(&answers, "colours"), @r#"
    //! Documentation.=DocComment
    use=Declaration std=Namespace arch=Namespace itera_lite=Namespace
    const=Declaration tables:=Const format=Kind int8=Format per=Argument block=Choice 64=Number clip=Argument percentile=Choice 99%=Number
    recipe=Declaration mixed=RecipeName clip=Parameter percent=Kind 1%=Number extends=Declaration base=RecipeName x=Parameter 3=Number for=Declaration itera_lite=ArchName
    checkpoint=Operation "a=String b.pt"=String // comment=Comment
    target=Operation cuda:1=Device
    set=Operation top_k=SetName 2=Number
    prune=Operation layers=Tensor 0=Tensor 1=Tensor experts=Tensor keep=Field 2=Number of=ValueWord 4=Number by=Field l1=Choice
    prune=Operation dim=PruneWord expert=PruneDim in=PruneWord layers=Tensor *=Wildcard keep=Field 75%=Number
    assign {=Operation
    layers=Tensor 0..=3=Range **=Wildcard w=Tensor 1=Tensor 2=Tensor q-proj=Tensor nf4=Format block=Argument 64=Number double=Argument true=Constant
    @norm=Role "odd"=String x=Tensor where=PatternWord dim=Property 0=Number 4=Number and=ConditionWord not=ConditionWord dtype=Property bf16=Dtype except=PatternWord a=Tensor where=Tensor b=Tensor tables=Arm
    use=Tensor recipe=Tensor in=Tensor keep=Format
    assign=Tensor fp16=Format
    _=Rest keep=Format

    require=Operation size=Metric 3=Number MB=Unit perplexity=Metric 105%=Number of=ValueWord baseline=Choice
    emit=Operation "out"=String as=ValueWord safetensors=Container shards=Argument 5=Number GB=Unit

    arch=Declaration mini=ArchName
    dim=ArchWord vocab, hidden;=
    norm.= {weight,bias}=Each 2=Number *=Shape hidden=Dim @norm=Role
    layers[i]= either=ArchWord a := x=Dim or=ArchWord b := x=Dim
    default=ArchWord top_k:=Default int=Kind 2=Number experts=Default from=ValueWord top_k_experts=Default
    forward=ArchWord (tokens: [batch]) -> [batch]=Forward
    for=ForwardWord layer=Body in=ForwardWord layers=Body let=ForwardWord x ==Body linear=Call (x, layer.let, eps:=Body 1e-5=Number
    x=Body

    recurrent=ArchWord state;=

    const=Declaration last ==Const true=Constant
    "#);
}

#[test]
fn neovim_parses_with_tree_sitter() {
    if there(installed("nvim")).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("parser")).unwrap();
    // As the README says.
    let compiled = Command::new("cc")
        .current_dir(repository::root().join("editors/tree-sitter-icp"))
        .args(["-O2", "-shared", "-fPIC", "-I", "src", "src/parser.c", "-o"])
        .arg(folder.path().join("parser/icp.so"))
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc compiles parser.c");
    let files: Vec<String> =
        ["examples", "stdlib", "tests/clients"].iter().flat_map(|f| repository::files(f, "icp")).collect();
    let mut editor = Command::new("nvim");
    editor.env("ICPC_FILES", files.join("\n")).args(NEOVIM);
    editor
        .arg(format!("set rtp^={}", folder.path().display()))
        .args(["-c", "luafile tests/clients/tree.lua"]);
    let (answers, said) = run(&mut editor, folder.path());
    assert_eq!(list(&answers, "wrong"), Vec::<&Value>::new(), "{said}");
    let queries = answers.get("queries").and_then(Value::as_object).unwrap();
    assert!(queries.len() == 5 && queries.values().all(|v| *v == Value::Bool(true)), "{answers:#}");
}
