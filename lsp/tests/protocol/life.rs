//! Start, end, and everything a client should not do.

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::initialize;

#[test]
fn exit_codes() {
    assert_eq!(Client::ready(&initialize("file:///tmp")).stop(), Some(0), "shutdown, exit");
    let mut client = Client::ready(&initialize("file:///tmp"));
    client.tell("exit", &Value::Null);
    assert_eq!(client.code(), Some(1), "exit without shutdown");
    let mut client = Client::start();
    client.hang_up();
    assert_eq!(client.code(), Some(1), "the client went away");
}

#[test]
fn nothing_is_answered_before_and_after() {
    let mut client = Client::start();
    let early =
        client.ask("textDocument/documentSymbol", &json!({ "textDocument": { "uri": "file:///a.icp" } }));
    assert_eq!(early.unwrap_err()["code"], -32002);
    client.ask("initialize", &initialize("file:///tmp")).unwrap();
    assert!(client.ask("initialize", &initialize("file:///tmp")).is_err(), "only once");
    client.tell("initialized", &json!({}));
    client.ask("shutdown", &Value::Null).unwrap();
    let late =
        client.ask("textDocument/documentSymbol", &json!({ "textDocument": { "uri": "file:///a.icp" } }));
    assert!(late.is_err());
    client.tell("exit", &Value::Null);
    assert_eq!(client.code(), Some(0));
}

#[test]
fn positions_beyond_the_end_and_unknown_documents() {
    let mut client = Client::ready(&initialize("file:///tmp"));
    let uri = "file:///tmp/nowhere/a.icp";
    client.open(uri, "recipe r {\n}\n");
    let change = |range: Value| {
        let changes = json!([{ "range": range, "text": "// x" }]);
        json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": changes })
    };
    let at = |line: u64, character: u64| json!({ "line": line, "character": character });
    client.tell("textDocument/didChange", &change(json!({ "start": at(9, 9), "end": at(4_000_000_000, 0) })));
    client.diagnostics(uri, 2);
    client.tell("textDocument/didChange", &change(json!({ "start": at(1, 0), "end": at(0, 0) })));
    for other in ["file:///tmp/other.icp", "untitled:Untitled-1", "git:/a.icp?x=1", "file:"] {
        client.replace(other, 7, "recipe");
        client.tell("textDocument/didClose", &json!({ "textDocument": { "uri": other } }));
        let symbols = client.ask("textDocument/documentSymbol", &json!({ "textDocument": { "uri": other } }));
        assert_eq!(symbols, Ok(Value::Null), "{other}");
    }
    let symbols =
        client.ask("textDocument/documentSymbol", &json!({ "textDocument": { "uri": uri } })).unwrap();
    assert_eq!(symbols[0]["name"], "r");
    assert_eq!(client.stop(), Some(0));
}
