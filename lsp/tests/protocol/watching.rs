//! What the server asks of the client: to watch files, and to ask again.

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::initialize;

const RECIPE: &str = "recipe r {\n    checkpoint \"CHECKPOINT\";\n    assign { a => fp16, _ => keep }\n}\n";

struct Scene {
    _folders: (tempfile::TempDir, tempfile::TempDir),
    client: Client,
    /// The workspace's, and one outside.
    roots: (String, String),
}

impl Scene {
    fn new(more: &Value) -> Scene {
        let folders = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let path = |f: &tempfile::TempDir| f.path().canonicalize().expect("a path").display().to_string();
        let roots = (path(&folders.0), path(&folders.1));
        let mut parameters = initialize(&format!("file://{}", roots.0));
        if !more.is_null() {
            parameters["capabilities"]["workspace"]["diagnostics"] = more.clone();
            parameters["capabilities"]["textDocument"]["diagnostic"] = json!({});
        }
        let client = Client::ready(&parameters);
        Scene { _folders: folders, client, roots }
    }

    fn asked(&mut self, method: &str) -> Value {
        let message = self.client.wait(|m| m["method"] == method);
        message.unwrap_or_else(|| panic!("the server never asks for `{method}`"))["params"].clone()
    }
}

#[test]
fn a_client_that_can_watch_is_asked_to() {
    let mut scene = Scene::new(&Value::Null);
    let asked = scene.asked("client/registerCapability");
    let registration = &asked["registrations"][0];
    assert_eq!(registration["method"], "workspace/didChangeWatchedFiles");
    let pattern = registration["registerOptions"]["watchers"][0]["globPattern"].as_str().unwrap_or_default();
    assert!(pattern.contains("icp,safetensors"), "{pattern}");

    // A checkpoint elsewhere is watched, too, until no recipe names it.
    let uri = format!("file://{}/recipe.icp", scene.roots.0);
    scene.client.open(&uri, &RECIPE.replace("CHECKPOINT", &format!("{}/x.pt", scene.roots.1)));
    let asked = scene.asked("client/registerCapability");
    let pattern = &asked["registrations"][0]["registerOptions"]["watchers"][0]["globPattern"];
    assert_eq!(*pattern, json!({ "baseUri": format!("file://{}", scene.roots.1), "pattern": "*" }));
    scene.client.replace(&uri, 2, &RECIPE.replace("CHECKPOINT", "x.pt"));
    let asked = scene.asked("client/unregisterCapability");
    assert_eq!(asked["unregisterations"][0]["id"], "icpc-outside");
    assert_eq!(scene.client.stop(), Some(0));
}

#[test]
fn a_change_on_the_disk_is_told_to_who_pulls() {
    let mut scene = Scene::new(&json!({ "refreshSupport": true }));
    let uri = format!("file://{}/recipe.icp", scene.roots.0);
    scene.client.open(&uri, &RECIPE.replace("CHECKPOINT", "tiny.listing"));
    let document = json!({ "textDocument": { "uri": uri } });
    let first = |client: &mut Client| {
        let report = client.ask("textDocument/diagnostic", &document).expect("an answer");
        report["items"][0]["code"].clone()
    };
    assert_eq!(first(&mut scene.client), "E0906", "the checkpoint is not there");
    let path = format!("{}/tiny.listing", scene.roots.0);
    std::fs::write(&path, "a f32 [4]\n").expect("a file");
    let change = json!({ "uri": format!("file://{path}"), "type": 1 });
    scene.client.tell("workspace/didChangeWatchedFiles", &json!({ "changes": [change] }));
    assert_eq!(scene.asked("icpc/filesChanged")["paths"], json!([path]));
    scene.asked("workspace/diagnostic/refresh");
    assert_eq!(first(&mut scene.client), "E0602", "it is there, and no architecture fits");
    let pushed = scene.client.received.iter().any(|m| m["method"] == "textDocument/publishDiagnostics");
    assert!(!pushed, "who pulls is not pushed to");

    // The window gets the focus back: the disk is looked at without being told.
    std::fs::write(&path, "b f32 [4]\n").expect("a file");
    scene.client.tell("icpc/focus", &Value::Null);
    scene.asked("icpc/filesChanged");
    assert_eq!(scene.client.stop(), Some(0));
}
