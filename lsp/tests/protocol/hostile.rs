//! What a server must survive: broken files, broken clients, files that change under it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::initialize;

/// A folder with a server that has `recipe.icp` in it open.
struct Scene {
    folder: tempfile::TempDir,
    client: Client,
    uri: String,
    version: i64,
}

impl Scene {
    fn new(recipe: &str) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let root = format!("file://{}", folder.path().canonicalize().expect("a path").display());
        let mut client = Client::ready(&initialize(&root));
        let uri = format!("{root}/recipe.icp");
        client.open(&uri, recipe);
        Scene { folder, client, uri, version: 1 }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }

    /// Changes the recipe by a comment, saves it, and gives the messages of what is published then.
    fn save(&mut self, recipe: &str) -> Vec<String> {
        self.version += 1;
        self.client.replace(&self.uri, self.version, recipe);
        self.client.diagnostics(&self.uri, self.version);
        self.client.received.clear();
        self.version += 1;
        self.client.tell("textDocument/didSave", &json!({ "textDocument": { "uri": self.uri } }));
        self.client.replace(&self.uri, self.version, &format!("{recipe}// {}\n", self.version));
        self.messages()
    }

    /// First lines of what is published for the current version.
    fn messages(&mut self) -> Vec<String> {
        let found = self.client.diagnostics(&self.uri, self.version);
        let path = self.folder.path().canonicalize().expect("a path").display().to_string();
        found.iter().map(|d| d["message"].as_str().unwrap_or("").replace(&path, "$PATH")).collect()
    }

    fn end(self) {
        assert_eq!(self.client.stop(), Some(0), "the server is up");
    }
}

const RECIPE: &str =
    "recipe r {\n    checkpoint \"tiny.safetensors\";\n    assign { a => fp16, _ => keep }\n}\n";

/// A safetensors file with one tensor.
fn safetensors(name: &str) -> Vec<u8> {
    let mut header = format!("{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}}}");
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.into_bytes());
    bytes.extend([0; 16]);
    bytes
}

/// Without what is said of every checkpoint that no architecture fits.
fn telling(messages: Vec<String>) -> Vec<String> {
    messages.into_iter().filter(|m| !m.starts_with("no known architecture")).collect()
}

#[test]
fn a_checkpoint_comes_breaks_and_is_replaced() {
    let mut scene = Scene::new(RECIPE);
    let first = scene.messages();
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].starts_with("the checkpoint is not there"), "{first:?}");

    scene.write("tiny.safetensors", b"<html>not found</html>");
    let found = telling(scene.save(RECIPE));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("the checkpoint cannot be read"), "{found:?}");

    let whole = safetensors("a");
    scene.write("tiny.safetensors", &whole);
    assert_eq!(telling(scene.save(RECIPE)), [""; 0]);

    for length in [0, 4, 20, whole.len() - 1] {
        scene.write("tiny.safetensors", &whole[..length]);
        let found = telling(scene.save(RECIPE));
        assert_eq!(found.len(), 1, "{length} bytes: {found:?}");
        let expected = "`tiny.safetensors` cannot be read now: this is its header of before";
        assert!(found[0].starts_with(expected), "{length} bytes: {found:?}");
    }

    scene.write("tiny.safetensors", safetensors("b"));
    let found = telling(scene.save(RECIPE));
    assert!(found[0].starts_with("the pattern `a` matches no tensor"), "{found:?}");

    std::fs::remove_file(scene.path("tiny.safetensors")).expect("a file");
    std::fs::create_dir(scene.path("tiny.safetensors")).expect("a folder");
    let found = telling(scene.save(RECIPE));
    assert!(found[0].contains("no checkpoint is in this folder"), "{found:?}");
    scene.end();
}

#[test]
fn a_header_of_ten_megabytes() {
    let mut header = String::from("{");
    for i in 0..100_000 {
        let comma = if i > 0 { "," } else { "" };
        let (from, to) = (i * 16, (i + 1) * 16);
        write!(header, "{comma}\"model.layers.{i}.a_rather_long_name.weight\":{{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[{from},{to}]}}").expect("a string");
    }
    header.push('}');
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    assert!(header.len() > 10_000_000);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.into_bytes());
    bytes.resize(bytes.len() + 1_600_000, 0);
    let scene = Scene::new("");
    scene.write("tiny.safetensors", bytes);
    let mut scene = scene;
    let found = telling(scene.save(RECIPE));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("the pattern `a` matches no tensor"), "{found:?}");
    scene.end();
}

#[test]
fn bytes_that_are_no_text() {
    let scene = Scene::new("");
    scene.write("latin.icp", b"recipe caf\xe9 {}\n");
    scene.write("tiny.safetensors", safetensors("a"));
    scene.write("tokenizer.json", [0xff, 0xfe, 0x00]);
    let mut scene = scene;
    let text = format!(
        "use \"latin.icp\";\n{}",
        RECIPE.replace(
            "assign",
            "evaluate { data: \"tokenizer.json\", tokenizer: \"tokenizer.json\" }\n    assign"
        )
    );
    let found = telling(scene.save(&text));
    assert_eq!(found[0], "`$PATH/latin.icp` cannot be read\nnot UTF-8 at byte 10: save it as UTF-8");
    assert!(found.iter().any(|m| m.contains("it is not UTF-8")), "{found:?}");
    // The same over the wire.
    scene.client.send_raw(b"Content-Length: 4\r\n\r\n\xff\xff\xff\xff");
    scene.client.send_raw(b"Content-Length: 12\r\n\r\n{\"jsonrpc\": ");
    scene.client.send_raw(b"Nothing: of this\r\n\r\n");
    let symbols =
        scene.client.ask("textDocument/documentSymbol", &json!({ "textDocument": { "uri": scene.uri } }));
    assert_eq!(symbols.expect("an answer")[0]["name"], "r");
    scene.end();
}

#[test]
fn a_recipe_of_fifty_thousand_lines() {
    let mut text = String::from("recipe r {\n    checkpoint \"tiny.safetensors\";\n    assign {\n");
    // A build without optimisation takes its time for each arm: most lines are remarks.
    for i in 0..50_000 {
        match i % 25 {
            0 => writeln!(text, "        b{i} => fp16,").expect("a string"),
            _ => writeln!(text, "        // {i}").expect("a string"),
        }
    }
    text.push_str("        _ => keep,\n    }\n}\n");
    let scene = Scene::new("");
    scene.write("tiny.safetensors", safetensors("a"));
    let mut scene = scene;
    scene.save(&text);
    // One letter is typed far below.
    scene.version += 1;
    let at = json!({ "line": 40_000, "character": 8 });
    let params = json!({
        "textDocument": { "uri": scene.uri, "version": scene.version },
        "contentChanges": [{ "range": { "start": at, "end": at }, "text": "=" }],
    });
    scene.client.tell("textDocument/didChange", &params);
    let found = scene.client.diagnostics(&scene.uri, scene.version);
    let last = found.last().expect("2,000 patterns match nothing");
    assert_eq!(last["message"], "1,002 more are not shown");
    scene.version += 1;
    scene.client.replace(&scene.uri, scene.version, &format!("{}=\n", "\n".repeat(50_000)));
    let found = scene.client.diagnostics(&scene.uri, scene.version);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["range"]["start"]["line"], 50_000);
    let document = json!({ "textDocument": { "uri": scene.uri } });
    for method in ["textDocument/foldingRange", "textDocument/documentSymbol"] {
        assert!(scene.client.ask(method, &document).is_ok(), "{method}");
    }
    scene.end();
}

#[test]
fn nested_beyond_reason() {
    let mut scene = Scene::new("");
    for deep in
        ["[".repeat(20_000), format!("recipe r {{ assign {{ {}", "{".repeat(20_000)), "(".repeat(20_000)]
    {
        let found = scene.save(&format!("const a = {deep}"));
        assert!(!found.is_empty());
    }
    scene.end();
}

#[test]
fn everything_is_cancelled() {
    let scene = Scene::new("");
    scene.write("tiny.safetensors", safetensors("a"));
    let mut scene = scene;
    let document = json!({ "textDocument": { "uri": scene.uri }, "uri": scene.uri });
    let methods = [
        "textDocument/diagnostic",
        "icpc/plan",
        "icpc/checkpoint",
        "textDocument/foldingRange",
        "workspace/symbol",
    ];
    let mut begun = Vec::new();
    for i in 0..300 {
        scene.version += 1;
        scene.client.replace(&scene.uri, scene.version, &RECIPE.replace("fp16", ["fp16", "bf16"][i % 2]));
        let id = scene.client.begin(methods[i % methods.len()], &merged(&document, json!({ "query": "r" })));
        scene.client.tell("$/cancelRequest", &json!({ "id": id }));
        begun.push(id);
    }
    scene.client.tell("$/cancelRequest", &json!({ "id": 123_456 }));
    scene.client.tell("$/cancelRequest", &json!({ "id": "never" }));
    for id in begun {
        if let Err(error) = scene.client.end(id) {
            // Cancelled, or the text has changed since.
            assert!([-32800, -32801].contains(&error["code"].as_i64().unwrap_or(0)), "{error}");
        }
    }
    let plan = scene.client.ask("icpc/plan", &document).expect("an answer");
    assert_eq!(plan["recipe"], "r");
    assert!(plan["text"].as_str().is_some_and(|t| t.contains("bf16")), "{plan}");
    scene.end();
}

fn merged(a: &Value, b: Value) -> Value {
    let mut all = a.as_object().cloned().unwrap_or_default();
    all.extend(b.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

#[test]
fn a_document_is_opened_twice_and_closed_twice() {
    let mut scene = Scene::new("recipe a {}\n");
    scene.client.open(&scene.uri, "recipe b {\n}\n");
    let document = json!({ "textDocument": { "uri": scene.uri } });
    let symbols = scene.client.ask("textDocument/documentSymbol", &document).expect("an answer");
    assert_eq!(symbols[0]["name"], "b");
    scene.client.diagnostics(&scene.uri, 1);
    for _ in 0..2 {
        scene.client.tell("textDocument/didClose", &document);
    }
    assert_eq!(scene.client.ask("textDocument/documentSymbol", &document), Ok(Value::Null));
    let cleared = |m: &Value| {
        m["method"] == "textDocument/publishDiagnostics"
            && m["params"]["diagnostics"] == json!([])
            && m["params"].get("version").is_none_or(Value::is_null)
    };
    assert!(scene.client.wait(cleared).is_some(), "closing clears");
    scene.end();
}

#[test]
fn a_pipe_is_no_checkpoint() {
    let scene = Scene::new("");
    let made = std::process::Command::new("mkfifo").arg(scene.path("tiny.safetensors")).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("no pipe can be made here: nothing is tested");
        return scene.end();
    }
    let mut scene = scene;
    let found = telling(scene.save(&RECIPE.replace(
        "assign",
        "evaluate { data: \"tiny.safetensors\", tokenizer: \"tiny.safetensors\" }\n    assign",
    )));
    assert!(found.iter().any(|m| m.contains("neither a file nor a folder")), "{found:?}");
    scene.end();
}
