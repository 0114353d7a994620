//! Keeps what the client sees up to date: behind every change, what open recipes name is read from the disk, and
//! diagnostics are published. One task does this, so that messages about a document have an order.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower_lsp::ls_types::{Diagnostic, Uri};

use crate::ask::{Outcome, Shared, run};
use crate::disk::{self, Reading};
use crate::features::diagnostics;
use crate::load::{self, Named};

/// What was published for a document.
struct Published {
    uri: Uri,
    version: i32,
    diagnostics: Vec<Diagnostic>,
}

/// Runs until the server ends.
pub async fn keep(shared: Arc<Shared>) {
    let mut published = BTreeMap::new();
    loop {
        shared.changed.notified().await;
        // A change in between cancels; it has rung again, but what it cancelled is not done yet.
        while !settle(&shared).await || !publish(&shared, &mut published).await {}
    }
}

/// Reads what has changed on the disk and what is named anew. `false` when a change came in between.
async fn settle(shared: &Shared) -> bool {
    let looked_at = shared.lock().to_look_at();
    if !looked_at.is_empty() {
        let readings = read(move || disk::changed(looked_at)).await;
        if !readings.is_empty() {
            shared.lock().take(readings);
            refresh(shared);
        }
    }
    loop {
        let world = shared.lock().world();
        let generation = world.generation;
        let named = run(world, |world| load::named(&world.session, world.documents.keys())).await;
        let named = match named {
            Outcome::Done(named) => named,
            Outcome::Changed => return false,
            // A bug of ours, which is on standard error: go on with what is known.
            Outcome::Cancelled | Outcome::Failed => return true,
        };
        let unread = {
            let mut state = shared.lock();
            let unread = state.unread(&named);
            if unread.is_empty() {
                state.keep_only(&named);
            }
            unread
        };
        if unread.is_empty() {
            shared.settled.send_replace(generation);
            return true;
        }
        let readings = read(move || unread).await;
        shared.lock().take(readings);
    }
}

/// Tells the client to ask again: it knows of its own changes, not of those on the disk.
fn refresh(shared: &Shared) {
    let supported = shared.lock().client().refreshes;
    let client = shared.client.clone();
    // Not awaited: the answer may never come.
    tokio::spawn(async move {
        if supported.diagnostics {
            let _ = client.workspace_diagnostic_refresh().await;
        }
        if supported.inlay_hints {
            let _ = client.inlay_hint_refresh().await;
        }
        if supported.code_lenses {
            let _ = client.code_lens_refresh().await;
        }
        if supported.semantic_tokens {
            let _ = client.semantic_tokens_refresh().await;
        }
    });
}

/// Reads files on a thread for blocking work.
async fn read(which: impl FnOnce() -> Vec<Named> + Send + 'static) -> Vec<Reading> {
    let task = tokio::task::spawn_blocking(move || which().into_iter().map(disk::read).collect());
    task.await.unwrap_or_default()
}

/// Publishes the diagnostics of all open documents, the one that changed last first. `false` when a change came in
/// between.
async fn publish(shared: &Shared, published: &mut BTreeMap<String, Published>) -> bool {
    let (mut paths, pulls) = {
        let state = shared.lock();
        let mut paths: Vec<String> = state.documents().keys().cloned().collect();
        paths.sort_by_key(|path| Some(path.as_str()) != state.latest());
        (paths, state.client().pulls)
    };
    let closed: Vec<String> = published.keys().filter(|p| !paths.contains(p)).cloned().collect();
    for path in closed {
        if let Some(before) = published.remove(&path) {
            shared.client.publish_diagnostics(before.uri, Vec::new(), None).await;
        }
    }
    if pulls {
        paths.clear();
    }
    for path in paths {
        let world = shared.lock().world();
        let Some(document) = world.documents.get(&path) else { continue };
        let (uri, version) = (document.uri.clone(), document.version);
        let of = path.clone();
        let diagnostics = match run(world, move |world| diagnostics::published(world, &of)).await {
            Outcome::Done(diagnostics) => diagnostics,
            Outcome::Changed => return false,
            Outcome::Cancelled | Outcome::Failed => continue,
        };
        if shared.lock().documents().get(&path).map(|d| d.version) != Some(version) {
            return false;
        }
        let same = |p: &Published| p.version == version && p.diagnostics == diagnostics;
        if !published.get(&path).is_some_and(same) {
            shared.client.publish_diagnostics(uri.clone(), diagnostics.clone(), Some(version)).await;
            published.insert(path, Published { uri, version, diagnostics });
        }
    }
    true
}
