//! Random edits, cancelled requests and changes of files: after each round a server that has seen them all says what a
//! fresh one says. `ICPC_SEED=n` replays one sequence.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::{initialize, position};

const ROUNDS: usize = 25;
const SEEDS: u64 = 4;

const MAIN: &str = "\
use \"common.icp\"::{tables, base};
use std::arch::llama;

/// é😀 comment
recipe r(block: int = 64) extends base {
    checkpoint \"tiny.listing\";
    assign {
        embedding.weight => tables,
        layers.*.w.weight => nf4(block: block),
        _ => fp16,
    }
    require { size <= 3 MB; }
}
";

const COMMON: &str = "\
const tables = int8(per: channel);

recipe base {
    assign { norm.weight => keep }
}
";

const LISTINGS: [&str; 3] = [
    "embedding.weight f32 [512, 64]\nlayers.{0..=3}.w.weight f32 [64, 64]\nnorm.weight f32 [64]\n",
    "embedding.weight bf16 [512, 96]\nlayers.{0..=1}.w.weight f32 [64, 96]\n",
    "model.embedding.weight f32 [512, 64]\nlm_head.weight = model.embedding.weight\n",
];

/// What is typed: parts of the language, and parts that break it.
const SNIPPETS: [&str; 16] = [
    "layers.**",
    " => ",
    "fp16",
    ",\n",
    "{",
    "}",
    "\r\n",
    "é",
    "😀",
    "@norm",
    "\"",
    "block: 128",
    "// x\n",
    "recipe s { checkpoint \"tiny.listing\"; assign { _ => keep } }\n",
    " where rank == 2",
    "prune ",
];

/// Requests with the parameters of [`params`].
pub(crate) const METHODS: [&str; 20] = [
    "textDocument/codeAction",
    "textDocument/codeLens",
    "textDocument/completion",
    "textDocument/definition",
    "textDocument/diagnostic",
    "textDocument/documentHighlight",
    "textDocument/documentLink",
    "textDocument/documentSymbol",
    "textDocument/foldingRange",
    "textDocument/hover",
    "textDocument/inlayHint",
    "textDocument/prepareRename",
    "textDocument/references",
    "textDocument/selectionRange",
    "textDocument/semanticTokens/full",
    "textDocument/semanticTokens/range",
    "textDocument/signatureHelp",
    "workspace/symbol",
    "icpc/checkpoint",
    "icpc/plan",
];

/// Marsaglia's xorshift: the same sequence everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n.max(1) as u64).unwrap_or(0)
    }
}

struct Replay {
    random: Random,
    folder: tempfile::TempDir,
    root: String,
    client: Client,
    /// Open documents: text and version.
    open: BTreeMap<&'static str, (String, i64)>,
    /// What was done, for who looks for the cause of a difference.
    done: Vec<String>,
}

impl Replay {
    fn new(seed: u64) -> Replay {
        let folder = tempfile::tempdir().expect("a folder");
        let root = format!("file://{}", folder.path().canonicalize().expect("a path").display());
        let client = Client::ready(&initialize(&root));
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut replay = Replay { random, folder, root, client, open: BTreeMap::new(), done: Vec::new() };
        replay.write("common.icp", COMMON);
        replay.write("tiny.listing", LISTINGS[0]);
        replay.open("recipe.icp", MAIN);
        replay
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn uri(&self, file: &str) -> String {
        format!("{}/{file}", self.root)
    }

    fn tell_of(&mut self, file: &str, kind: u32) {
        let change = json!({ "uri": self.uri(file), "type": kind });
        self.client.tell("workspace/didChangeWatchedFiles", &json!({ "changes": [change] }));
    }

    fn write(&mut self, file: &str, text: &str) {
        let kind = if self.path(file).exists() { 2 } else { 1 };
        std::fs::write(self.path(file), text).expect("a file");
        self.tell_of(file, kind);
    }

    fn open(&mut self, file: &'static str, text: &str) {
        self.client.open(&self.uri(file), text);
        self.open.insert(file, (text.to_owned(), 1));
    }

    fn round(&mut self) {
        for _ in 0..=self.random.below(6) {
            match self.random.below(20) {
                0 => {
                    let which = self.random.below(LISTINGS.len());
                    self.write("tiny.listing", LISTINGS[which]);
                    self.done.push(format!("listing {which}"));
                }
                1 => {
                    if std::fs::remove_file(self.path("tiny.listing")).is_ok() {
                        self.tell_of("tiny.listing", 3);
                        self.done.push("no listing".to_owned());
                    }
                }
                2 => {
                    let text =
                        COMMON.replace("channel", ["tensor", "channel", "chanel"][self.random.below(3)]);
                    self.write("common.icp", &text);
                    self.done.push("common on the disk".to_owned());
                }
                3 if self.open.contains_key("common.icp") => {
                    let document = json!({ "textDocument": { "uri": self.uri("common.icp") } });
                    self.client.tell("textDocument/didClose", &document);
                    self.open.remove("common.icp");
                    self.done.push("close common".to_owned());
                }
                3 => {
                    self.open("common.icp", &COMMON.replace("norm", "layers.*.norm"));
                    self.done.push("open common".to_owned());
                }
                4 => self.type_whole(),
                5..=7 => {
                    let method = METHODS[self.random.below(METHODS.len())];
                    let at = self.anywhere("recipe.icp");
                    let id = self.client.begin(method, &params(&self.uri("recipe.icp"), &at));
                    if self.random.below(2) == 0 {
                        self.client.tell("$/cancelRequest", &json!({ "id": id }));
                    }
                    self.done.push(format!("ask {method}"));
                }
                _ => self.type_in(),
            }
        }
    }

    /// A position in a document.
    fn anywhere(&mut self, file: &str) -> Value {
        let text = &self.open[file].0;
        let boundaries: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        position(text, boundaries[self.random.below(boundaries.len())])
    }

    /// A document as it was at the beginning, sent as a whole.
    fn type_whole(&mut self) {
        let uri = self.uri("recipe.icp");
        let (text, version) = self.open.get_mut("recipe.icp").expect("it is open");
        *version += 1;
        MAIN.clone_into(text);
        self.client.replace(&uri, *version, MAIN);
        self.done.push("as at the beginning".to_owned());
    }

    /// Some edits in one notification.
    fn type_in(&mut self) {
        let files: Vec<&'static str> = self.open.keys().copied().collect();
        let file = files[self.random.below(files.len())];
        let uri = self.uri(file);
        let count = 1 + self.random.below(3);
        let mut edits = Vec::new();
        for _ in 0..count {
            let (text, _) = &self.open[file];
            let boundaries: Vec<usize> = text
                .char_indices()
                .map(|(i, _)| i)
                .chain([text.len()])
                .filter(|i| !splits(text, *i))
                .collect();
            let from = self.random.below(boundaries.len());
            let to = (from + self.random.below(3) * self.random.below(8)).min(boundaries.len() - 1);
            let (from, to) = (boundaries[from], boundaries[to]);
            let new = SNIPPETS[self.random.below(SNIPPETS.len())];
            let range = json!({ "start": position(text, from), "end": position(text, to) });
            edits.push(json!({ "range": range, "text": new }));
            self.done.push(format!("{file} {from}..{to} {new:?}"));
            let (text, _) = self.open.get_mut(file).expect("it is open");
            text.replace_range(from..to, new);
        }
        let (_, version) = self.open.get_mut(file).expect("it is open");
        *version += 1;
        let document = json!({ "uri": uri, "version": *version });
        self.client
            .tell("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": edits }));
    }

    /// What this server says, and what a fresh one says.
    fn compare(&mut self, seed: u64) {
        let mut fresh = Client::ready(&initialize(&self.root));
        for (file, (text, version)) in &self.open {
            fresh.open_at(&format!("{}/{file}", self.root), *version, text);
        }
        let files: Vec<&'static str> = self.open.keys().copied().collect();
        for file in files {
            for method in METHODS {
                let params = params(&self.uri(file), &self.anywhere(file));
                let (old, new) = (self.client.ask(method, &params), fresh.ask(method, &params));
                assert_eq!(
                    old,
                    new,
                    "seed {seed}: {method} of {file} at {params} differs from a fresh server's, after\n{}\nthe text is\n{}",
                    self.done.join("\n"),
                    self.open[file].0
                );
            }
        }
        assert_eq!(fresh.stop(), Some(0));
        self.client.received.clear();
    }
}

/// Whether a position there would be inside of an end of line.
fn splits(text: &str, at: usize) -> bool {
    text[..at].ends_with('\r') && text[at..].starts_with('\n')
}

/// Parameters for any of [`METHODS`].
pub(crate) fn params(uri: &str, position: &Value) -> Value {
    let start = json!({ "line": 0, "character": 0 });
    json!({
        "textDocument": { "uri": uri },
        "uri": uri,
        "query": "",
        "position": position,
        "positions": [position],
        "range": { "start": start, "end": position },
        "context": { "includeDeclaration": true, "diagnostics": [] },
    })
}

#[test]
fn a_server_says_what_a_fresh_one_says() {
    let seeds: Vec<u64> = match std::env::var("ICPC_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => vec![seed],
        None => (1..=SEEDS).collect(),
    };
    for seed in seeds {
        let mut replay = Replay::new(seed);
        for _ in 0..ROUNDS {
            replay.round();
            replay.compare(seed);
        }
        assert_eq!(replay.client.stop(), Some(0));
    }
}
