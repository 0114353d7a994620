//! Keeps what the client sees up to date: behind every change, what open recipes name is read from the disk, and
//! diagnostics are published. One task does this, so that messages about a document have an order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tower_lsp::ls_types::notification::Notification;
use tower_lsp::ls_types::{Diagnostic, Uri};

use crate::ask::{Outcome, Shared, run};
use crate::disk::{self, Reading};
use crate::features::diagnostics;
use crate::load::{self, Named};
use crate::{walk, watch};

/// What was published for a document.
struct Published {
    uri: Uri,
    version: i32,
    diagnostics: Vec<Diagnostic>,
}

struct Keeper {
    shared: Arc<Shared>,
    published: BTreeMap<String, Published>,
    /// Folders outside of the workspace that the client was asked to watch.
    watched: BTreeSet<String>,
}

/// Runs until the server ends.
pub async fn keep(shared: Arc<Shared>) {
    let mut keeper = Keeper { shared, published: BTreeMap::new(), watched: BTreeSet::new() };
    loop {
        keeper.shared.changed.notified().await;
        // A change in between cancels; it has rung again, but what it cancelled is not done yet.
        while !keeper.settle().await || !keeper.publish().await || keeper.walk().await {}
    }
}

impl Keeper {
    /// Reads what has changed on the disk and what is named anew. `false` when a change came in between.
    async fn settle(&mut self) -> bool {
        let looked_at = self.shared.lock().to_look_at();
        if !looked_at.is_empty() {
            let readings = read(move || disk::changed(looked_at)).await;
            if !readings.is_empty() {
                let paths = readings.iter().map(|r| r.path().to_owned()).collect();
                self.shared.lock().take(readings);
                self.refresh(paths);
            }
        }
        loop {
            let world = self.shared.lock().world();
            let generation = world.generation;
            let named = run(world, |world| load::named(&world.session, world.documents.keys())).await;
            let named = match named {
                Outcome::Done(named) => named,
                Outcome::Changed => return false,
                // A bug of ours, which is on standard error: go on with what is known.
                Outcome::Cancelled | Outcome::Failed => {
                    self.shared.settled.send_replace(generation);
                    return true;
                }
            };
            self.watch(&named);
            let unread = {
                let mut state = self.shared.lock();
                if state.generation() != generation {
                    return false;
                }
                let named = named.into_iter().chain(state.neighbours()).collect();
                let unread = state.unread(&named);
                if unread.is_empty() {
                    state.keep_only(&named);
                }
                unread
            };
            if unread.is_empty() {
                self.shared.settled.send_replace(generation);
                return true;
            }
            let readings = read(move || unread).await;
            self.shared.lock().take(readings);
        }
    }

    /// Asks the client to watch the folders of what is named, where it can.
    fn watch(&mut self, named: &BTreeSet<Named>) {
        let info = Arc::clone(self.shared.lock().client());
        if !info.watches || !info.relative_patterns {
            return;
        }
        let folders = watch::folders_outside(named, &info.folders);
        if folders == self.watched {
            return;
        }
        let before = std::mem::replace(&mut self.watched, folders.clone());
        let client = self.shared.client.clone();
        tokio::spawn(async move {
            // A client that refuses has its files looked at when documents are opened and saved.
            if !before.is_empty() {
                let _ = client.unregister_capability(vec![watch::no_longer_outside()]).await;
            }
            if !folders.is_empty() {
                let _ = client.register_capability(vec![watch::outside(&folders)]).await;
            }
        });
    }

    /// Looks through the folders of the workspace, once what is open is published. Returns whether recipes were found
    /// that were not known.
    async fn walk(&mut self) -> bool {
        let Some(folders) = self.shared.lock().to_walk() else { return false };
        let found = tokio::task::spawn_blocking(move || walk::recipes(&folders)).await.unwrap_or_default();
        let others = self.shared.lock().walked(found);
        self.shared.walked.send_replace(true);
        others
    }

    /// Tells the client to ask again: it knows of its own changes, not of those on the disk.
    fn refresh(&self, paths: Vec<String>) {
        let info = Arc::clone(self.shared.lock().client());
        let client = self.shared.client.clone();
        // Not awaited: the answers may never come.
        tokio::spawn(async move {
            if info.virtual_documents {
                client.send_notification::<FilesChanged>(ChangedFiles { paths }).await;
            }
            if info.refreshes.diagnostics {
                let _ = client.workspace_diagnostic_refresh().await;
            }
            if info.refreshes.inlay_hints {
                let _ = client.inlay_hint_refresh().await;
            }
            if info.refreshes.code_lenses {
                let _ = client.code_lens_refresh().await;
            }
            if info.refreshes.semantic_tokens {
                let _ = client.semantic_tokens_refresh().await;
            }
        });
    }

    /// Publishes the diagnostics of all open documents, the one that changed last first. `false` when a change came in
    /// between.
    async fn publish(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let (mut paths, pulls) = {
            let state = shared.lock();
            let mut paths: Vec<String> = state.documents().keys().cloned().collect();
            paths.sort_by_key(|path| Some(path.as_str()) != state.latest());
            (paths, state.client().pulls)
        };
        let closed: Vec<String> = self.published.keys().filter(|p| !paths.contains(p)).cloned().collect();
        for path in closed {
            if let Some(before) = self.published.remove(&path) {
                shared.client.publish_diagnostics(before.uri, Vec::new(), None).await;
            }
        }
        if pulls {
            paths.clear();
        }
        for path in paths {
            let world = shared.lock().world();
            let Some(document) = world.documents.get(&path) else { return false };
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
            if !self.published.get(&path).is_some_and(same) {
                shared.client.publish_diagnostics(uri.clone(), diagnostics.clone(), Some(version)).await;
                self.published.insert(path, Published { uri, version, diagnostics });
            }
        }
        true
    }
}

/// Reads files on a thread for blocking work.
async fn read(which: impl FnOnce() -> Vec<Named> + Send + 'static) -> Vec<Reading> {
    let task = tokio::task::spawn_blocking(move || which().into_iter().map(disk::read).collect());
    task.await.unwrap_or_default()
}

/// `icpc/filesChanged`, to clients that show virtual documents: what they show of these files is to be asked for again.
enum FilesChanged {}

impl Notification for FilesChanged {
    type Params = ChangedFiles;
    const METHOD: &'static str = "icpc/filesChanged";
}

/// Files that the server has read anew.
#[derive(Debug, Serialize, Deserialize)]
struct ChangedFiles {
    paths: Vec<String>,
}
