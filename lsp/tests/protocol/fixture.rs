//! Fixtures: Markdown whose blocks are files, what the client does, and what it gets. A section (`##`) has a server and a
//! folder of its own; its blocks are steps, from top to bottom. What stands above the first `##` is done in every
//! section.
//!
//! | block | is |
//! | --- | --- |
//! | `client` | JSON that is merged into the parameters of `initialize`, before anything else |
//! | `listing file=tiny.listing`, `json file=config.json`, `text file=...` | a file on the disk; the client tells of it, as a watcher does |
//! | `icp`, `icp file=common.icp` | a document: opened when it comes first, changed where it differs when it comes again; `recipe.icp` without a name |
//! | `icp disk=only file=...` | a file on the disk that is not opened |
//! | `do what=save`, `do what=close`, `do what=delete file=...` | what its attribute says; `file` as above |
//! | `ask method=textDocument/hover` | a request; the body is JSON that is merged into its parameters |
//! | `answer` | output: the answer to the request above |
//! | `choices`, `choices first=5` | output: that answer as a list: what is replaced, then for each choice label, detail, and what is written |
//! | `signature` | output: that answer as the label, the active parameter in `«»` |
//! | `tokens` | output: the tokens of that answer, one on a line |
//! | `applied` | output: the document with the edits of that answer |
//! | `diagnostics` | output: what is published for the document as it is now |
//!
//! A document's text may hold `<|>`: the first is the position of the request, the first two its range, all of
//! them its positions; `at=2` in the request takes the second one. `$ROOT` in JSON is the URI of the folder, `$PATH` its path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use icpc_tests::literate::{Block, Document, difference, same};
use icpc_tests::repository;
use serde_json::{Value, json};

use crate::client::Client;
use crate::show;

/// Name of a document without a name.
const MAIN: &str = "recipe.icp";
/// Where the cursor is.
const CURSOR: &str = "<|>";

/// Runs a file; gives the differences. With `ICPC_UPDATE=1` it is rewritten.
pub(crate) fn run_file(path: &str) -> Vec<String> {
    let document = match repository::read(path).and_then(|text| Document::parse(path, &text)) {
        Ok(document) => document,
        Err(error) => return vec![error],
    };
    let (bodies, problems) = run(&document);
    let new = document.with_bodies(&bodies);
    if std::env::var_os("ICPC_UPDATE").is_none_or(|v| v != "1") || new == document.text {
        return problems;
    }
    match std::fs::write(repository::root().join(path), new) {
        Ok(()) => Vec::new(),
        Err(error) => vec![format!("{path}: {error}")],
    }
}

/// Bodies of the output blocks as they are now, and how they differ from what they were.
fn run(document: &Document) -> (Vec<(usize, String)>, Vec<String>) {
    let (mut bodies, mut problems) = (Vec::new(), Vec::new());
    for (number, section) in document.sections.iter().enumerate().skip(1) {
        let blocks =
            document.blocks.iter().enumerate().filter(|(_, b)| b.section == 0 || b.section == number);
        let blocks: Vec<(usize, &Block)> = blocks.collect();
        let mut session = Session::new();
        for (index, block) in blocks {
            let body = document.body(block);
            let place = format!("{}:{} `{}`", document.path, block.line, section.title);
            match session.step(block, body) {
                Ok(None) => {}
                Ok(Some(now)) => {
                    if !same(body, &now) {
                        problems.push(format!("{place}: {} differ:\n{}", block.kind, difference(body, &now)));
                    }
                    bodies.push((index, now));
                }
                Err(error) => problems.push(format!("{place}: {error}")),
            }
        }
        if let Some(client) = session.client
            && client.stop() != Some(0)
        {
            problems.push(format!("{}:{}: the server failed", document.path, section.line));
        }
    }
    (bodies, problems)
}

/// A document as the client has it.
struct Open {
    text: String,
    version: i64,
    /// Byte offsets of the cursors.
    cursors: Vec<usize>,
}

struct Session {
    folder: tempfile::TempDir,
    root: String,
    initialize: Value,
    client: Option<Client>,
    documents: BTreeMap<String, Open>,
    /// The document that was touched last.
    current: String,
    answer: Value,
}

impl Session {
    fn new() -> Session {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().canonicalize().expect("a path").to_string_lossy().into_owned();
        let root = format!("file://{path}");
        Session {
            folder,
            initialize: initialize(&root),
            root,
            client: None,
            documents: BTreeMap::new(),
            current: MAIN.to_owned(),
            answer: Value::Null,
        }
    }

    fn client(&mut self) -> &mut Client {
        let initialize = &self.initialize;
        self.client.get_or_insert_with(|| Client::ready(initialize))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn uri(&self, file: &str) -> String {
        if file.contains(':') { file.to_owned() } else { format!("{}/{file}", self.root) }
    }

    /// Does a step. Gives what an output block must hold.
    fn step(&mut self, block: &Block, body: &str) -> Result<Option<String>, String> {
        let attribute = |name: &str| block.attributes.get(name).map(String::as_str);
        let file = attribute("file").unwrap_or(MAIN).to_owned();
        match block.kind.as_str() {
            "client" => {
                let more = self.parsed(body)?;
                merge(&mut self.initialize, &more);
            }
            "icp" if attribute("disk") == Some("only") => self.write(&file, body),
            "icp" => self.document(&file, body),
            "listing" | "json" | "text" => self.write(&file, body),
            "do" => self.act(attribute("what").unwrap_or(""), &file)?,
            "ask" => {
                let method = attribute("method").ok_or("`ask` needs a method")?;
                let at = attribute("at").map_or(Ok(1), str::parse).map_err(|e| format!("`at`: {e}"))?;
                let file = attribute("file").map_or_else(|| self.current.clone(), str::to_owned);
                let params = self.params(&file, body, at)?;
                self.answer = match self.client().ask(method, &params) {
                    Ok(answer) => answer,
                    Err(error) => json!({ "error": error }),
                };
            }
            "answer" => return Ok(Some(show::answer(&self.answer, &self.root))),
            "choices" => {
                let first = attribute("first").map_or(Ok(usize::MAX), str::parse);
                return Ok(Some(show::choices(&self.answer, first.map_err(|e| format!("`first`: {e}"))?)));
            }
            "signature" => return Ok(Some(show::signature(&self.answer))),
            "tokens" => {
                let text = self.documents.get(&self.current).map(|d| d.text.clone()).unwrap_or_default();
                let legend = self.client().server["capabilities"]["semanticTokensProvider"]["legend"].clone();
                return Ok(Some(show::tokens(&self.answer, &legend, &text)));
            }
            "applied" => return self.applied().map(Some),
            "diagnostics" => {
                let file = attribute("file").map_or_else(|| self.current.clone(), str::to_owned);
                let (uri, version) = (self.uri(&file), self.documents.get(&file).map_or(0, |d| d.version));
                let found = self.client().diagnostics(&uri, version);
                return Ok(Some(show::diagnostics(&found, &self.root)));
            }
            other => return Err(format!("no block is called `{other}`")),
        }
        Ok(None)
    }

    /// Writes a file, and tells a server that runs already.
    fn write(&mut self, file: &str, body: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        std::fs::write(path, body).expect("a file");
        self.watched(file, 2);
    }

    fn watched(&mut self, file: &str, kind: u32) {
        let change = json!({ "uri": self.uri(file), "type": kind });
        if let Some(client) = &mut self.client {
            client.tell("workspace/didChangeWatchedFiles", &json!({ "changes": [change] }));
        }
    }

    /// Opens a document, or changes it where it differs.
    fn document(&mut self, file: &str, body: &str) {
        let parts: Vec<&str> = body.split(CURSOR).collect();
        let text = parts.concat();
        let mut cursors = Vec::new();
        for part in parts.iter().take(parts.len() - 1) {
            cursors.push(cursors.last().unwrap_or(&0) + part.len());
        }
        self.current = file.to_owned();
        let uri = self.uri(file);
        let Some(before) = self.documents.get(file) else {
            if !file.contains(':') {
                self.write(file, &text);
            }
            self.client().open(&uri, &text);
            self.documents.insert(file.to_owned(), Open { text, version: 1, cursors });
            return;
        };
        let version = before.version + 1;
        let head = before.text.char_indices().zip(text.chars()).take_while(|((_, a), b)| a == b).count();
        let head: usize = text.chars().take(head).map(char::len_utf8).sum();
        let (old, new) = (&before.text[head..], &text[head..]);
        let tail: usize = old
            .chars()
            .rev()
            .zip(new.chars().rev())
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a.len_utf8())
            .sum();
        let range = json!({
            "start": position(&before.text, head),
            "end": position(&before.text, before.text.len() - tail),
        });
        let change = json!({ "range": range, "text": new[..new.len() - tail] });
        let params =
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [change] });
        self.client().tell("textDocument/didChange", &params);
        self.documents.insert(file.to_owned(), Open { text, version, cursors });
    }

    fn act(&mut self, what: &str, file: &str) -> Result<(), String> {
        let document = json!({ "textDocument": { "uri": self.uri(file) } });
        match what {
            "save" => {
                let text = self.documents.get(file).map(|d| d.text.clone()).unwrap_or_default();
                std::fs::write(self.path(file), text).map_err(|e| e.to_string())?;
                self.client().tell("textDocument/didSave", &document);
            }
            "close" => {
                self.client().tell("textDocument/didClose", &document);
                self.documents.remove(file);
            }
            "delete" => {
                std::fs::remove_file(self.path(file)).map_err(|e| e.to_string())?;
                self.watched(file, 3);
            }
            other => return Err(format!("nobody can `{other}`")),
        }
        Ok(())
    }

    /// Parameters of a request: document, position and range as far as they are known, and what the body says.
    fn params(&self, file: &str, body: &str, at: usize) -> Result<Value, String> {
        let mut params = json!({ "textDocument": { "uri": self.uri(file) } });
        if let Some(document) = self.documents.get(file) {
            let cursor = |n: usize| document.cursors.get(n).map(|c| position(&document.text, *c));
            if let Some(position) = cursor(at.saturating_sub(1)) {
                params["position"] = position;
            }
            params["positions"] = document.cursors.iter().map(|c| position(&document.text, *c)).collect();
            if let (Some(start), Some(end)) = (cursor(0), cursor(1)) {
                params["range"] = json!({ "start": start, "end": end });
            }
        }
        if !body.trim().is_empty() {
            merge(&mut params, &self.parsed(body)?);
        }
        Ok(params)
    }

    fn parsed(&self, body: &str) -> Result<Value, String> {
        let path = self.root.trim_start_matches("file://");
        serde_json::from_str(&body.replace("$ROOT", &self.root).replace("$PATH", path))
            .map_err(|e| format!("not JSON: {e}"))
    }

    /// The current document with the edits of the last answer, whatever that is.
    fn applied(&self) -> Result<String, String> {
        let document = self.documents.get(&self.current).ok_or("no document is open")?;
        let edits = edits(&self.answer, &self.uri(&self.current)).ok_or("the answer has no edits")?;
        let mut edits: Vec<(usize, usize, String)> = edits
            .iter()
            .map(|e| {
                let at = |p: &Value| offset(&document.text, p);
                let text = e["newText"].as_str().unwrap_or("").to_owned();
                (at(&e["range"]["start"]), at(&e["range"]["end"]), text)
            })
            .collect();
        edits.sort_by_key(|(start, end, _)| (*start, *end));
        let mut text = document.text.clone();
        for (start, end, new) in edits.iter().rev() {
            text.replace_range(*start..*end, new);
        }
        Ok(text)
    }
}

/// Text edits for `uri` in an answer: a list of them, a workspace edit, or the first code action.
fn edits(answer: &Value, uri: &str) -> Option<Vec<Value>> {
    match answer {
        Value::Array(items) if items.iter().all(|i| i.get("newText").is_some()) => Some(items.clone()),
        Value::Array(items) => items.first().and_then(|first| edits(first, uri)),
        Value::Object(map) if map.contains_key("edit") => edits(&map["edit"], uri),
        Value::Object(map) if map.contains_key("changes") => map["changes"].get(uri)?.as_array().cloned(),
        Value::Object(map) => {
            let documents = map.get("documentChanges")?.as_array()?;
            documents.iter().find(|d| d["textDocument"]["uri"] == uri)?["edits"].as_array().cloned()
        }
        _ => None,
    }
}

/// Position of a byte, in UTF-16.
pub(crate) fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    json!({ "line": before.matches('\n').count(), "character": before[start..].encode_utf16().count() })
}

/// The byte at a position, in UTF-16.
fn offset(text: &str, position: &Value) -> usize {
    let number = |name: &str| usize::try_from(position[name].as_u64().unwrap_or(0)).unwrap_or(0);
    let line: usize = text.split_inclusive('\n').take(number("line")).map(str::len).sum();
    let mut left = number("character");
    let within = text[line..].chars().take_while(|c| {
        let fits = left >= c.len_utf16() && *c != '\n';
        left = left.saturating_sub(c.len_utf16());
        fits
    });
    line + within.map(char::len_utf8).sum::<usize>()
}

/// Puts what `more` says into `value`.
fn merge(value: &mut Value, more: &Value) {
    match (value, more) {
        (Value::Object(map), Value::Object(more)) => {
            for (key, new) in more {
                merge(map.entry(key.clone()).or_insert(Value::Null), new);
            }
        }
        (value, more) => *value = more.clone(),
    }
}

/// What a client of now says, but that it does not pull diagnostics.
pub(crate) fn initialize(root: &str) -> Value {
    json!({
        "processId": null,
        "rootUri": root,
        "workspaceFolders": [{ "uri": root, "name": "fixture" }],
        "initializationOptions": { "virtualDocuments": true },
        "capabilities": {
            "workspace": {
                "didChangeWatchedFiles": { "dynamicRegistration": true, "relativePatternSupport": true },
                "workspaceEdit": { "documentChanges": true },
            },
            "textDocument": {
                "publishDiagnostics": {
                    "relatedInformation": true,
                    "tagSupport": { "valueSet": [1, 2] },
                    "versionSupport": true,
                    "codeDescriptionSupport": true,
                    "dataSupport": true,
                },
                "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
                "codeAction": {
                    "codeActionLiteralSupport": { "codeActionKind": { "valueSet": ["quickfix", "refactor", "source"] } },
                    "dataSupport": true,
                    "resolveSupport": { "properties": ["edit"] },
                },
                "completion": { "completionItem": { "snippetSupport": true, "documentationFormat": ["markdown"] } },
                "hover": { "contentFormat": ["markdown"] },
            },
        },
    })
}
