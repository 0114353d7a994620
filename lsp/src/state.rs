//! What the server knows: open documents, the session, and the disk as it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use icpc::hir::module::Libraries;
use icpc::session::{Session, Snapshot};
use tower_lsp::ls_types::{FileChangeType, FileEvent, TextDocumentContentChangeEvent, Uri};

use crate::client::ClientInfo;
use crate::convert::{self, Lines, Source};
use crate::disk::{Disk, Reading};
use crate::document::Document;
use crate::load::{Named, manifest};

/// Open documents by path.
pub type Documents = BTreeMap<String, Arc<Document>>;

/// Everything that changes.
#[derive(Default)]
pub struct State {
    session: Session,
    documents: Arc<Documents>,
    disk: Disk,
    client: Arc<ClientInfo>,
    /// Counts changes; what was kept up to date with one is so with all before it.
    generation: u64,
    /// The disk is to be looked at again.
    look: bool,
    /// So are the folders of the workspace.
    walk: bool,
    /// Recipes of the workspace, open or not.
    neighbours: BTreeSet<String>,
    /// Document that changed last, to be published first.
    latest: Option<String>,
}

/// The state at one moment, for a reader on another thread. A change waits until it is dropped.
pub struct World {
    /// Open documents.
    pub documents: Arc<Documents>,
    /// What the client can do.
    pub client: Arc<ClientInfo>,
    /// Which change this is the state behind.
    pub generation: u64,
    /// Texts, headers, and all that follows from them.
    pub session: Snapshot,
    /// What is in the folder that was asked for: names, and whether each is a folder.
    pub folder: Option<Arc<Vec<(String, bool)>>>,
}

impl World {
    /// Version of an open document.
    pub fn version(&self, path: &str) -> Option<i32> {
        self.documents.get(path).map(|d| d.version)
    }

    /// Text of a file, with the way from its bytes to positions and back: as the client has it if it is open.
    pub fn source(&self, path: &str) -> Option<Source> {
        let text = Arc::clone(self.session.text(path)?);
        let lines = match self.documents.get(path) {
            Some(document) => Arc::clone(document.lines()),
            None => Arc::new(Lines::new(&text)),
        };
        Some(Source { text, lines, encoding: self.client.encoding })
    }

    /// How the client names a file.
    pub fn uri(&self, path: &str) -> Option<Uri> {
        match self.documents.get(path) {
            Some(document) => Some(document.uri.clone()),
            None => convert::uri_of(path),
        }
    }
}

impl State {
    /// What the client can do, once it said so.
    pub fn meet(&mut self, client: ClientInfo) {
        self.client = Arc::new(client);
        self.walk = true;
    }

    /// What the client can do.
    pub fn client(&self) -> &Arc<ClientInfo> {
        &self.client
    }

    /// The state as it is now.
    pub fn world(&self) -> World {
        World {
            documents: Arc::clone(&self.documents),
            client: Arc::clone(&self.client),
            generation: self.generation,
            session: self.session.snapshot(),
            folder: None,
        }
    }

    /// What a file may import from.
    pub fn libraries(&self, path: &str) -> Libraries {
        self.session.libraries(path)
    }

    /// Open documents.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Number of the last change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Document that changed last.
    pub fn latest(&self) -> Option<&str> {
        self.latest.as_deref()
    }

    /// A document was opened. One that was open already is as the client says now.
    pub fn open(&mut self, uri: Uri, version: i32, text: String) {
        let path = convert::path_of(&uri);
        self.session.set_file(&path, &text);
        self.disk.name_libraries(&mut self.session);
        Arc::make_mut(&mut self.documents).insert(path.clone(), Arc::new(Document::new(uri, version, text)));
        self.latest = Some(path);
        self.look();
    }

    /// A document was changed. `false` if it is not open: then nothing is known of its text.
    pub fn change(&mut self, uri: &Uri, version: i32, changes: Vec<TextDocumentContentChangeEvent>) -> bool {
        let path = convert::path_of(uri);
        let Some(document) = Arc::make_mut(&mut self.documents).get_mut(&path) else { return false };
        let document = Arc::make_mut(document);
        document.change(version, changes, self.client.encoding);
        self.session.set_file(&path, document.text());
        self.latest = Some(path);
        self.generation += 1;
        true
    }

    /// A document was closed: from here on the file on the disk counts, where another one imports it.
    pub fn close(&mut self, uri: &Uri) {
        let path = convert::path_of(uri);
        if Arc::make_mut(&mut self.documents).remove(&path).is_some() {
            self.session.remove_file(&path, None);
            self.disk.forget(&path);
            self.look();
        }
    }

    /// Files may have changed on the disk.
    pub fn look(&mut self) {
        self.look = true;
        // Who watches tells of new files, too.
        self.walk |= !self.client.watches;
        self.generation += 1;
    }

    /// The client tells of files that appeared, changed or went.
    pub fn told(&mut self, changes: &[FileEvent]) {
        for change in changes {
            let path = convert::path_of(&change.uri);
            if path.ends_with(".icp") && change.typ == FileChangeType::DELETED {
                self.neighbours.remove(&path);
            } else if path.ends_with(".icp") {
                self.neighbours.insert(path);
            }
        }
        self.look();
    }

    /// Folders to look through for recipes; `None` if nothing hints at a change.
    pub fn to_walk(&mut self) -> Option<Vec<String>> {
        std::mem::take(&mut self.walk).then(|| self.client.folders.clone())
    }

    /// Recipes of the workspace as they were found. Returns whether they are others than before.
    pub fn walked(&mut self, found: Vec<String>) -> bool {
        let found: BTreeSet<String> = found.into_iter().collect();
        if found == self.neighbours {
            return false;
        }
        self.neighbours = found;
        self.generation += 1;
        true
    }

    /// Recipes of the workspace that are not open, as files to read.
    pub fn neighbours(&self) -> impl Iterator<Item = Named> {
        let closed = self.neighbours.iter().filter(|path| !self.documents.contains_key(*path));
        closed.flat_map(|path| [Named::Import(path.clone()), manifest(path)])
    }

    /// Files that were read, to be compared with the disk; none if nothing hints at a change.
    pub fn to_look_at(&mut self) -> Vec<(Named, crate::disk::Stamp)> {
        if std::mem::take(&mut self.look) { self.disk.known() } else { Vec::new() }
    }

    /// Those of `named` that were not read yet.
    pub fn unread(&self, named: &BTreeSet<Named>) -> Vec<Named> {
        self.disk.unread(named)
    }

    /// Takes over what was read from the disk.
    pub fn take(&mut self, readings: Vec<Reading>) {
        let documents = Arc::clone(&self.documents);
        self.disk.take(readings, &mut self.session, |path| documents.contains_key(path));
    }

    /// Forgets files that no document names.
    pub fn keep_only(&mut self, named: &BTreeSet<Named>) {
        self.disk.keep_only(named, &mut self.session);
    }
}
