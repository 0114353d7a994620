//! Which queries run behind which edit, on the way on which the server publishes diagnostics.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use icpc_lsp::convert;
use icpc_lsp::disk;
use icpc_lsp::features::diagnostics;
use icpc_lsp::load;
use icpc_lsp::state::State;
use tower_lsp::ls_types::{Position, Range, TextDocumentContentChangeEvent, Uri};

const RECIPE: &str = "\
recipe r {
    checkpoint \"tiny.listing\";
    assign {
        layers.*.w.weight => nf4(block: 64),
        embedding.weight => int8(per: channel),
        _ => fp16,
    }
}

recipe other {
    assign { _ => keep }
}
";

const LISTING: &str = "\
embedding.weight f32 [512, 64]
layers.{0..=3}.w.weight f32 [64, 64]
norm.weight f32 [64]
";

struct Scene {
    folder: tempfile::TempDir,
    state: State,
    uri: Uri,
    version: i32,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tiny.listing"), LISTING).unwrap();
        let path = folder.path().join("recipe.icp").to_string_lossy().into_owned();
        let uri = convert::uri_of(&path).unwrap();
        let mut state = State::default();
        state.open(uri.clone(), 1, RECIPE.to_owned());
        let mut scene = Scene { folder, state, uri, version: 1 };
        scene.read();
        scene.state.world().session.database().record_executions();
        scene.publish();
        scene.ran();
        scene
    }

    /// As the keeper does behind every change.
    fn read(&mut self) {
        let changed = disk::changed(self.state.to_look_at());
        self.state.take(changed.into_iter().map(disk::read).collect());
        let world = self.state.world();
        let named = load::named(&world.session, world.documents.keys());
        drop(world);
        let unread = self.state.unread(&named);
        self.state.take(unread.into_iter().map(disk::read).collect());
        self.state.keep_only(&named);
    }

    fn publish(&self) -> usize {
        diagnostics::published(&self.state.world(), &convert::path_of(&self.uri)).len()
    }

    fn ran(&self) -> BTreeSet<String> {
        self.state.world().session.database().executed().into_iter().collect()
    }

    /// Queries that run behind an insertion.
    fn after(&mut self, line: u32, character: u32, text: &str) -> BTreeSet<String> {
        self.version += 1;
        let at = Position { line, character };
        let range = Some(Range { start: at, end: at });
        let change = TextDocumentContentChangeEvent { range, range_length: None, text: text.to_owned() };
        assert!(self.state.change(&self.uri, self.version, vec![change]));
        self.read();
        self.publish();
        self.ran()
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn lines_above_and_remarks_check_nothing_again() {
    let mut scene = Scene::new();
    let moved = set(&["item_starts", "module", "parse", "sound"]);
    assert_eq!(scene.after(0, 0, "\n\n"), moved);
    assert_eq!(scene.after(1, 0, "// a remark"), moved);
    assert_eq!(scene.publish(), 2, "no architecture fits, and `other` names no checkpoint");
    assert_eq!(scene.ran(), set(&[]), "nothing has changed");
}

#[test]
fn a_pattern_is_resolved_alone() {
    let mut scene = Scene::new();
    let ran = scene.after(4, 8, "{norm,lm_head}.bias | ");
    assert!(ran.contains("matched") && ran.contains("checked"), "{ran:?}");
    assert!(!ran.contains("model") && !ran.contains("index"), "the checkpoint is as it was: {ran:?}");
    assert!(!ran.contains("analysis"), "nobody asks for a plan: {ran:?}");
}

#[test]
fn another_checkpoint_parses_nothing() {
    let mut scene = Scene::new();
    let file = scene.folder.path().join("tiny.listing");
    std::fs::write(file, format!("{LISTING}norm.bias f32 [64]\n")).unwrap();
    scene.state.look();
    scene.read();
    scene.publish();
    let ran = scene.ran();
    assert!(ran.contains("index") && ran.contains("checked"), "{ran:?}");
    assert!(!ran.contains("parse") && !ran.contains("resolved"), "{ran:?}");
    // A look that finds nothing new changes nothing.
    scene.state.look();
    scene.read();
    scene.publish();
    assert_eq!(scene.ran(), set(&[]));
}
