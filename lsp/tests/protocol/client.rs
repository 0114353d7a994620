//! A client: starts the program, sends messages, keeps what comes back.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long an answer may take before a test gives up. Generous: machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a server of its own.
pub(crate) struct Client {
    process: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next: i64,
    /// Notifications and requests of the server that nobody has asked for yet.
    pub(crate) received: Vec<Value>,
    /// What the server can, as it said.
    pub(crate) server: Value,
}

impl Client {
    /// Starts the program.
    pub(crate) fn start() -> Client {
        let mut process = Command::new(env!("CARGO_BIN_EXE_icpc-lsp"))
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        let output = process.stdout.take().expect("a pipe");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let input = process.stdin.take();
        Client { process, input, messages, next: 0, received: Vec::new(), server: Value::Null }
    }

    /// Starts the program and shakes hands.
    pub(crate) fn ready(initialize: &Value) -> Client {
        let mut client = Client::start();
        client.server = client.ask("initialize", initialize).expect("the server starts");
        client.tell("initialized", &json!({}));
        client
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        // A server that went away is noticed by whoever waits for it.
        if let Some(input) = &mut self.input {
            let _ = input.write_all(bytes).and_then(|()| input.flush());
        }
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends a notification.
    pub(crate) fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request and does not wait. Gives its number.
    pub(crate) fn begin(&mut self, method: &str, params: &Value) -> i64 {
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params }));
        self.next
    }

    /// Waits for the answer to request `id`.
    pub(crate) fn end(&mut self, id: i64) -> Result<Value, Value> {
        let is_answer = |m: &Value| m["id"] == id && m.get("method").is_none();
        let answer = self.wait(is_answer).unwrap_or_else(|| panic!("no answer to request {id}"));
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.begin(method, params);
        self.end(id)
    }

    /// Opens a document, version 1.
    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        self.open_at(uri, 1, text);
    }

    /// Opens a document with some version.
    pub(crate) fn open_at(&mut self, uri: &str, version: i64, text: &str) {
        let document = json!({ "uri": uri, "languageId": "icp", "version": version, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    /// Replaces the text of a document.
    pub(crate) fn replace(&mut self, uri: &str, version: i64, text: &str) {
        let document = json!({ "uri": uri, "version": version });
        let changes = json!([{ "text": text }]);
        self.tell("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// Diagnostics that are published for version `version` of a document, the last ones.
    pub(crate) fn diagnostics(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let of = |m: &Value| {
            m["method"] == "textDocument/publishDiagnostics"
                && m["params"]["uri"] == uri
                && m["params"]["version"] == version
        };
        let found = self.wait(of).unwrap_or_else(|| panic!("no diagnostics for version {version} of {uri}"));
        found["params"]["diagnostics"].as_array().cloned().unwrap_or_default()
    }

    /// Waits for a message. Requests of the server are answered with `null`, as they come.
    pub(crate) fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(at) = self.received.iter().position(&wanted) {
            return Some(self.received.remove(at));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            };
            if message.get("method").is_some() && message.get("id").is_some() {
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
            }
            if wanted(&message) {
                return Some(message);
            }
            self.received.push(message);
        }
    }

    /// Says `shutdown` and `exit`. Gives the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let _ = self.ask("shutdown", &Value::Null);
        self.tell("exit", &Value::Null);
        self.code()
    }

    /// Closes standard input.
    pub(crate) fn hang_up(&mut self) {
        self.input = None;
    }

    /// Waits for the end of the program. Gives its exit code, `None` if a signal ended it.
    pub(crate) fn code(mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.process.try_wait().expect("a child can be waited for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the server does not end");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            header => {
                if let Some(value) = header.strip_prefix("Content-Length: ") {
                    length = value.parse::<usize>().ok();
                }
            }
        }
    }
    let mut body = vec![0; length?];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
